"""`btlib.models`: the networks under their public name."""

import subprocess
import sys

import pytest

from btlib import models
from btlib.thesis import models as defined


def test_it_has_every_public_name_of_the_networks() -> None:
    assert sorted(models.__all__) == sorted(defined.__all__)
    assert len(models.__all__) > 5
    for name in models.__all__:
        assert getattr(models, name) is getattr(defined, name)
    assert {*models.__all__} <= {*dir(models)}
    assert models.create("D", backbone="tiny") is not None


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(AttributeError, match="'nothing'"):
        models.nothing  # noqa: B018
    with pytest.raises(ImportError, match="nothing"):
        from btlib.models import nothing  # noqa: F401


def test_importing_it_brings_no_torch() -> None:
    program = "import sys, btlib.models; dir(btlib.models); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
