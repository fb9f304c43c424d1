"""What pyproject.toml says of the package; that the wheel works is shown by `.ci/journey`."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def test_no_link_of_the_readme_leads_nowhere_on_a_package_index():
    hook = PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]
    text = "".join((ROOT / fragment["path"]).read_text(encoding="utf-8") for fragment in hook["fragments"])
    assert re.search(r"\]\(docs/", text), "the README has links to files"
    for substitution in hook["substitutions"]:
        text = re.sub(substitution["pattern"], substitution["replacement"], text)
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert [link for link in links if not re.match("https?://|#", link)] == []
    assert any(link.startswith("https://doi.org/") for link in links), "those that lead somewhere stay"
    assert "docs/gate.md" in text


def test_links_of_the_documentation_lead_to_files():
    for page in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
            if not re.match("https?://", link):
                assert (page.parent / link).exists(), f"{page.name}: {link}"


def test_what_is_shipped_is_what_lies_at_the_top_level():
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["force-include"] == {"baselines": "btlib/suite/baselines"}
    assert {"/btlib", "/baselines"} <= {*PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]}
