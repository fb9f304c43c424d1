"""Reader of files of scores: every row is read exactly, or an error names the place and what to do."""

import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btlib.errors import BtlibError, DataError, MissingExtraError, UnknownNameError
from btlib.numbers import SampleScores, read_scores

ROWS = "id,speaker,wer\na,s1,0.5\nb,s1,0.25\nc,s2,1\n"


@pytest.fixture
def read(tmp_path: Path) -> Callable[..., SampleScores]:
    def of(content: str | bytes, scores: Sequence[str] = ("wer",), group: str | None = "speaker") -> SampleScores:
        path = tmp_path / "scores.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read_scores(path, scores, group)

    return of


@pytest.mark.parametrize(
    "content",
    [
        ROWS,
        ROWS.encode("utf-8-sig"),  # with a byte order mark, as spreadsheets write it
        ROWS.replace("\n", "\r\n"),
        ROWS.replace(",", ", "),
        ROWS + "\n\n",
        ROWS.replace("a,s1", '"a","s1"'),
        "wer,note,id,speaker\n0.5,x,a,s1\n0.25,,b,s1\n1,y,c,s2\n",
    ],
)
def test_a_file_is_read_exactly(read: Callable[..., SampleScores], content: str | bytes):
    found = read(content)
    assert (found.ids, found.groups, found.group, found.seeded) == (
        ["a", "b", "c"],
        ["s1", "s1", "s2"],
        "speaker",
        False,
    )
    assert found.values[0]["wer"].tolist() == [0.5, 0.25, 1.0]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("id,speaker,wer\n", "has a header, but no rows"),
        (ROWS.replace(",", ";"), "separated by semicolons"),
        (ROWS.replace(",", "\t"), "separated by tabs"),
        (ROWS.replace("wer", "WER"), "unknown column 'wer'.*\n.*did you mean 'WER'"),
        (ROWS.replace("id,", "key,"), "unknown column 'id'"),
        (ROWS.replace("speaker", "wer"), "column 'wer' occurs more than once"),
        (ROWS.replace("0.25", "good"), "line 3, id 'b': wer: expected a number, got 'good'"),
        (ROWS.replace("0.25", '"0,25"'), "write decimal numbers with a point"),
        (ROWS.replace("0.25", ""), "line 3, id 'b': wer: expected a number, got an empty cell"),
        (ROWS.replace("0.25", "nan"), "line 3, id 'b': wer: expected a finite number, got nan"),
        (ROWS.replace("0.25", "-inf"), "line 3, id 'b': wer: expected a finite number"),
        (ROWS.replace("0.25", "1_0"), "expected a number, got '1_0'"),
        (ROWS.replace("0.25", "0.25,7"), "line 3: expected 3 cells, got 4"),
        (ROWS.replace("b,", "a,"), "line 3: id 'a' occurs more than once"),
        (ROWS.replace("b,", ","), "line 3: id: expected text"),
        (ROWS.replace("b,s1", "b,"), "line 3: speaker: expected text"),
        (ROWS.replace("c,s2", 'c,"s2'), "not valid CSV"),
        (ROWS.encode("utf-16"), "not UTF-8"),
    ],
)
def test_a_fault_is_named_with_its_place(read: Callable[..., SampleScores], content: str | bytes, told: str):
    with pytest.raises(BtlibError, match=told):
        read(content)


def seeded(*rows: str) -> str:
    return "\n".join(["id,speaker,seed,wer", *rows])


def test_seeds_are_read_in_the_order_of_the_first(read: Callable[..., SampleScores]):
    found = read(seeded("a,s1,2,0.1", "b,s2,2,0.2", "b,s2,1,0.4", "a,s1,1,0.3"))
    assert found.seeded
    by_id = {seed: dict(zip(found.ids, columns["wer"].tolist(), strict=True)) for seed, columns in found.values.items()}
    assert by_id == {1: {"a": 0.3, "b": 0.4}, 2: {"a": 0.1, "b": 0.2}}
    assert dict(zip(found.ids, found.groups or [], strict=True)) == {"a": "s1", "b": "s2"}


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (("a,s1,1,0.1", "b,s1,1,0.1", "a,s1,2,0.1"), "seeds 1 and 2 have different samples: 1 ids .* is 'b'"),
        (("a,s1,1,0.1", "a,s1,1,0.1"), "line 3: id 'a' occurs more than once with seed 1"),
        (("a,s1,1,0.1", "a,s2,2,0.1"), "line 3: id 'a' has the speaker 's2', but 's1' above"),
        (("a,s1,1.5,0.1",), "line 2: seed: expected a whole number, got '1.5'"),
        (("a,s1,,0.1",), "line 2: seed: expected a whole number, got ''"),
    ],
)
def test_seeds_that_do_not_fit(read: Callable[..., SampleScores], rows: Sequence[str], told: str):
    with pytest.raises(DataError, match=told):
        read(seeded(*rows))


def test_without_groups_and_with_several_scores(read: Callable[..., SampleScores]):
    found = read("id,seconds,bytes\n7,0.5,10\n8,0.25,20\n", ("bytes", "seconds"), None)
    assert (found.ids, found.groups) == (["7", "8"], None)
    assert {name: column.tolist() for name, column in found.values[0].items()} == {
        "bytes": [10.0, 20.0],
        "seconds": [0.5, 0.25],
    }


@pytest.mark.parametrize("kind", ["missing", "folder"])
def test_no_file(tmp_path: Path, kind: str):
    path = tmp_path / "scores.csv"
    if kind == "folder":
        path.mkdir()
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(path, ["wer"], None)


NAMES = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=8)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.dictionaries(
        NAMES,
        st.tuples(NAMES, st.floats(allow_nan=False, allow_infinity=False, width=64)),
        min_size=1,
        max_size=12,
    )
)
def test_what_is_written_is_read(tmp_path: Path, rows: Mapping[str, tuple[str, float]]):
    """Ids, groups and values of any kind, in the order of the file."""
    path = tmp_path / "scores.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["id", "g", "x"])
        writer.writerows((one, group, repr(value)) for one, (group, value) in rows.items())
    found = read_scores(path, ["x"], "g")
    assert found.ids == list(rows)
    assert found.groups == [group for group, _ in rows.values()]
    assert found.values[0]["x"].tolist() == [value for _, value in rows.values()]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=60), st.text(alphabet='id,x;\n"01.-\t ', max_size=40).map(str.encode)))
def test_any_other_content_is_an_error_of_btlib_or_finite(tmp_path: Path, content: bytes):
    path = tmp_path / "scores.csv"
    path.write_bytes(content)
    with suppress(BtlibError):
        assert np.isfinite(read_scores(path, ["x"], None).values[0]["x"]).all()


def parquet(path: Path, **columns: Any) -> Path:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(columns), path)
    return path


def test_parquet(tmp_path: Path):
    path = parquet(tmp_path / "x.parquet", id=[1, 2], site=["a", "b"], error=[0.5, 2.0], seed=[3, 3])
    found = read_scores(path, ["error"], "site")
    assert (found.ids, found.groups, list(found.values)) == (["1", "2"], ["a", "b"], [3])
    assert found.values[3]["error"].tolist() == [0.5, 2.0]


@pytest.mark.parametrize(
    ("error", "told"),
    [([0.5, None], "row 2, id '2': error: expected a number"), ([0.5, float("nan")], "expected a finite number")],
)
def test_parquet_without_a_value(tmp_path: Path, error: list[Any], told: str):
    with pytest.raises(DataError, match=told):
        read_scores(parquet(tmp_path / "x.parquet", id=[1, 2], error=error), ["error"], None)


def test_parquet_with_faults(tmp_path: Path):
    with pytest.raises(UnknownNameError, match="did you mean 'error'"):
        read_scores(parquet(tmp_path / "x.parquet", id=[1], error=[1.0]), ["eror"], None)
    (tmp_path / "y.parquet").write_text("no parquet")
    with pytest.raises(DataError, match="cannot be read"):
        read_scores(tmp_path / "y.parquet", ["error"], None)


def test_parquet_needs_an_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'btlib\[parquet\]'"):
        read_scores(tmp_path / "x.parquet", ["error"], None)


def test_whole_numbers_that_pandas_wrote_as_floats(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,site,m,seed\na,1,0.5,9.0\nb,2,0.6,9.\n")
    assert list(read_scores(path, ["m"], "site").values) == [9]
    for bad in ("9.5", "9e0", "1_0", "", "nan"):
        path.write_text(f"id,site,m,seed\na,1,0.5,{bad}\n")
        with pytest.raises(DataError, match="seed: expected a whole number"):
            read_scores(path, ["m"], "site")
    parquet = pytest.importorskip("pyarrow.parquet")
    table = pytest.importorskip("pyarrow").table(
        {"id": [1.0, 2.0], "site": [3.0, 4.0], "m": [0.5, 0.6], "seed": [9.0, 9.0]}
    )
    parquet.write_table(table, tmp_path / "a.parquet")
    found = read_scores(tmp_path / "a.parquet", ["m"], "site")
    assert (found.ids, found.groups, list(found.values)) == (["1", "2"], ["3", "4"], [9])
    half = pytest.importorskip("pyarrow").table({"id": [1.0, 2.0], "site": [3.5, 4.0], "m": [0.5, 0.6]})
    parquet.write_table(half, tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"site: expected text or a whole number, got 3\.5"):
        read_scores(tmp_path / "b.parquet", ["m"], "site")


def test_an_unlike_column_is_not_suggested(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_text("id,speaker,m\na,1,0.5\n")
    with pytest.raises(UnknownNameError) as far:
        read_scores(path, ["wer"], "speaker")
    assert "did you mean" not in str(far.value)
    with pytest.raises(UnknownNameError, match="did you mean 'speaker'"):
        read_scores(path, ["m"], "speakr")
