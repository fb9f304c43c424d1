"""The table of variants is there for everybody; only building a model needs torch."""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import btlib
import btlib.thesis.models

BLOCKER = """
import sys
from importlib.abc import MetaPathFinder

class Blocker(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
        return None

sys.meta_path.insert(0, Blocker())
"""


def python(code: str, blocked: tuple[str, ...] = ()) -> str:
    """What a fresh interpreter prints, in which some packages cannot be imported."""
    program = BLOCKER.format(blocked=blocked) + textwrap.dedent(code)
    root = Path(btlib.__file__).parents[1]
    env = {**os.environ, "PYTHONPATH": str(root)}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=env, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_table_is_read_and_building_names_the_extra() -> None:
    out = python(
        """
        import btlib.thesis.models as models
        from btlib.errors import MissingExtraError
        print(*models.VARIANTS, models.VARIANTS["F"].coupling)
        for attempt in (
            lambda: models.create("A", backbone="tiny"),
            lambda: models.TumourModel,
            lambda: models.load_thesis_state_dict,
        ):
            try:
                attempt()
            except MissingExtraError as error:
                print(error)
        """,
        blocked=("torch", "torchvision"),
    )
    assert out.startswith("A B C D E F G mask-to-classes\n")
    assert out.count("torch is not installed") == 3
    assert out.count("pip install 'btlib[torch]'") == 3


@pytest.mark.nightly  # a process that imports torch takes seconds
def test_torchvision_alone_can_be_what_is_missing() -> None:
    code = """
        from btlib.errors import MissingExtraError
        from btlib.thesis.models import create
        try:
            create("A", backbone="tiny")
        except MissingExtraError as error:
            print(error)
    """
    assert "torchvision is not installed" in python(code, blocked=("torchvision",))


def test_unknown_variants_are_told_before_torch_is_asked_for() -> None:
    code = """
        from btlib.errors import UnknownNameError
        from btlib.thesis.models import create
        try:
            create("a")
        except UnknownNameError as error:
            print(error)
    """
    assert "did you mean 'A'" in python(code, blocked=("torch", "torchvision"))


def test_nothing_heavy_is_imported_with_the_room() -> None:
    loaded = python("import sys, btlib.thesis.models; print(*sys.modules)").split()
    assert "btlib.thesis.models.variants" in loaded
    assert not {"torch", "torchvision", "numpy", "pandas", "cv2"} & set(loaded)


def test_every_public_name_is_there_and_no_other() -> None:
    assert all(getattr(btlib.thesis.models, name) is not None for name in btlib.thesis.models.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        btlib.thesis.models.nonsense  # noqa: B018
