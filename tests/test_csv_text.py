"""Cells of a CSV are text and numbers, whatever names and patients are called."""

import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.csv_text import csv_text, inert

FORMULAS = ["=1+1", "=cmd|' /C calc'!A0", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "-", "=", "-0.5x", "−0.5"]
FORMULAS += ["＝1+1", "＠SUM(A1)", "  =1+1", "\u200b=1", "\ufeff=1", "\xa0+1+1", "\v=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_cell_and_no_heading_is_a_formula(text: str):
    (heading, *rows) = list(
        pd.read_csv(io.StringIO(csv_text([{text: text, "n": 1}])), header=None).itertuples(index=False)
    )
    for cell in (heading[0], rows[0][0]):
        assert cell in (f"'{text}", text)
        assert (
            not str(cell).lstrip("\v \u200b\ufeff\xa0").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＠"))
        )


@pytest.mark.parametrize("value", [-0.5, 0, None, np.float64(-1), "-0.5", "+1e-3", "-inf", "glioma", "", "a=b", "'"])
def test_numbers_and_other_text_stay(value: Any):
    assert inert(value) == value


@given(
    st.lists(
        st.dictionaries(
            st.just("case"), st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1), min_size=1
        ),
        min_size=1,
        max_size=4,
    )
)
def test_whatever_text_comes_back(rows: list[dict[str, str]]):
    text = io.StringIO(csv_text(rows), newline="")
    found = pd.read_csv(text, dtype=str, keep_default_na=False, skip_blank_lines=False)  # a space is a value
    assert [inert(row["case"]) for row in rows] == found["case"].tolist()
