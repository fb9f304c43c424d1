"""Learning curves are read as they were written, or not at all."""

from pathlib import Path

import pytest

from btlib.errors import RecordError
from btlib.runs.curves import load_curves

HEAD = "epoch,train_loss,val_loss,val_dice,val_accuracy\n"


def test_what_a_case_has_is_read(tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text(HEAD + "1,1.0,1.1,0.5,\n2,0.25,nan,0.7,\n")
    curves = load_curves(path)
    assert curves["train_loss"].tolist() == [1.0, 0.25]
    assert curves["val_accuracy"].isna().all()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read"),
        (HEAD + "1,1.0,1.1,0.5,\n2,0.2", "cut short"),
        ("a,b\n1,2\n", "expected a column epoch, got a, b"),
        (HEAD + "1,one,1.1,0.5,\n", "expected numbers in train_loss"),
        (HEAD + "1,1.0,1.1,0.5,\n1,2,3,4,5,6,7,8\n", "cannot be read"),
    ],
)
def test_what_is_damaged_is_told(text: str, told: str, tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(RecordError, match=told) as caught:
        load_curves(path)
    assert str(path) in str(caught.value)
