"""Learning curves are read as they were written, or not at all."""

from pathlib import Path

import pytest

from btlib.errors import RecordError
from btlib.runs.curves import load_curves

HEAD = "epoch,train_loss,val_loss,val_dice,val_accuracy\n"


def test_other_columns_may_hold_anything(tmp_path: Path):
    (tmp_path / "c.csv").write_text("epoch,remark\n1,warm-up\n")
    assert load_curves(tmp_path / "c.csv")["remark"].tolist() == ["warm-up"]
    with pytest.raises(RecordError, match="cannot be read"):
        load_curves(tmp_path / "nowhere.csv")


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
        (HEAD + "1,1.0,1.1,0.5,\n2,0.2", "incomplete"),
        ("a,b\n1,2\n", "expected a column epoch, got a, b"),
        *((f"epoch,{name}\n1,one\n", f"expected numbers in {name}") for name in HEAD.strip().split(",")[1:]),
        ("epoch,val_loss\none,1\n", "expected numbers in epoch"),
        (HEAD + "1,1.0,1.1,0.5,\n1,2,3,4,5,6,7,8\n", "cannot be read"),
    ],
)
def test_what_is_damaged_is_told(text: str, told: str, tmp_path: Path):
    path = tmp_path / "c.csv"
    path.write_text(text)
    with pytest.raises(RecordError, match=told) as caught:
        load_curves(path)
    assert str(path) in str(caught.value)
