"""The reader of pages finds commands, outputs, exit codes and changes, and what is not as a page says."""

import shlex
import sys
from pathlib import Path

import pytest

from .page import PageError, follow

DOCS = Path(__file__).parents[2] / "docs"
PYTHON = shlex.quote(sys.executable)
PAGE = f"""Text
```sh
exit 9
```
```console
$ {PYTHON} one.py
first   A
fir…[B]
exit code 3
$ {PYTHON} -c "pass"
```
```diff
--- one.py
 import sys
-sys.exit(3)
+sys.exit(0)
```
```console
$ {PYTHON} one.py
```
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    lines = ["print('first A')", "print('second')", "print('first [B]')", "import sys", "sys.exit(3)", ""]
    (tmp_path / "one.py").write_text("\n".join(lines))
    (tmp_path / "page.md").write_text(PAGE)
    return tmp_path / "page.md"


def test_a_page_that_is_right(page: Path) -> None:
    done = [command for command, _ in follow(page, page.parent)]
    assert done == [f"{PYTHON} one.py", f'{PYTHON} -c "pass"', f"{PYTHON} one.py"]
    assert (page.parent / "one.py").read_text().endswith("import sys\nsys.exit(0)\n")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("first   A", "first B", "expected: first B"),
        ("exit code 3", "exit code 0", "expected: exit code 0"),
        ("fir…[B]\n", "fir…[B]\nsecond\n", "expected: second"),  # the order counts
        ("+sys.exit(0)", "+sys.exit(2)", "expected: exit code 0"),
        ("-sys.exit(3)", "-sys.exit(4)", "expected these lines once"),
    ],
)
def test_a_page_that_is_wrong(page: Path, old: str, new: str, message: str) -> None:
    assert PAGE.count(old) == 1
    page.write_text(PAGE.replace(old, new))
    with pytest.raises(PageError, match=message):
        list(follow(page, page.parent))


def test_the_first_run_is_short() -> None:
    """`.ci/journey` follows it; a reader needs ten minutes."""
    text = (DOCS / "first-run.md").read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 120
    assert text.count("\n$ btlib") >= 9
    assert all("first-run.md" in (DOCS / name).read_text(encoding="utf-8") for name in ("../README.md", "own-data.md"))
