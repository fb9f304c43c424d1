"""The table as spreadsheets and programs write it."""

import csv
import io
from contextlib import suppress
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from btlib.data.sources.table.metadata import outside, read_table
from btlib.data.sources.table.row import Row
from btlib.errors import DataError

PLAIN = "file_name,mask,label,patient\na/1.png,m/1.png,yes,P1\n\na/2.png,,no,P2\n"


@pytest.mark.parametrize(
    "content",
    [
        PLAIN.encode(),
        PLAIN.encode("utf-8-sig"),
        PLAIN.replace(",", ";").encode(),
        PLAIN.replace(",", "\t").encode(),
        PLAIN.replace("\n", "\r\n").encode(),
        PLAIN.replace(",", " , ").encode(),
        PLAIN.replace("yes", '"yes"').encode(),
    ],
    ids=["plain", "BOM", "semicolons", "tabs", "Windows", "spaces", "quotes"],
)
def test_dialects(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes(content)
    table = read_table(path)
    assert table.rows == (
        Row(2, "a/1.png", ("m/1.png",), "yes", "P1"),
        Row(4, "a/2.png", ("",), "no", "P2"),
    )
    assert (table.has_mask, table.has_labels, table.structures) == (True, True, ())


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_refused(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "metadata.csv"
    path.write_bytes("file_name,label\n0.png,é\n".encode(encoding))
    with pytest.raises(DataError, match="expected UTF-8"):
        read_table(path)


def test_slices_of_a_file_are_samples_of_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "metadata.csv"
    path.write_text("file_name,label,slice,axis\na.nii,x,3,\na.nii,x,3,0\nb.nii,y,0,1\n")
    rows = read_table(path).rows
    assert [row.id for row in rows] == ["a.nii slice 3", "a.nii 0:3", "b.nii 1:0"]
    assert [(row.slice, row.axis, row.volume) for row in rows] == [(3, None, "a.nii"), (3, 0, "a.nii"), (0, 1, "b.nii")]


CELL = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp", "Cf"]), min_size=1, max_size=8)
NAME = CELL.filter(lambda text: outside(text) is None and PurePosixPath(text).as_posix() == text)


@given(st.dictionaries(NAME, st.tuples(CELL, CELL), min_size=1, max_size=9), st.sampled_from(",;\t"), st.booleans())
def test_what_was_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, rows: dict[str, tuple[str, str]], separator: str, bom: bool
) -> None:
    path = tmp_path_factory.mktemp("table") / "metadata.csv"
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=separator)
    writer.writerow(["file_name", "patient", "label"])
    writer.writerows([name, *more] for name, more in rows.items())
    path.write_bytes(text.getvalue().encode("utf-8-sig" if bom else "utf-8"))
    found = read_table(path).rows
    assert [(row.file, row.patient, row.label) for row in found] == [(name, *more) for name, more in rows.items()]
    assert [Row.from_key(row.as_key()) for row in found] == list(found)


@given(st.binary(max_size=200), st.sampled_from([b"", b"file_name,label\n", b"file_name;label;slice\n"]))
def test_any_bytes_end_in_rows_or_a_clear_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, header: bytes
) -> None:
    path = tmp_path_factory.mktemp("table") / "metadata.csv"
    path.write_bytes(header + content)
    with suppress(DataError):
        assert all(outside(row.file) is None for row in read_table(path).rows)
