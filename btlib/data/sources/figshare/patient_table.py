"""Table of patient, person and fold of each of the 3064 slices of Figshare article 1512427.

`figshare_patients.json` contains numbers only. The 233 patients are the codes of the public files, numbered by first
appearance. Eighteen glioma codes also occur with letter suffixes (MR040240, MR040240B, …), which are probably repeat
scans of one person. This is not verified. To be safe, these codes are merged, which gives 209 persons.
"""

import base64
import json
from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from btlib import fingerprint
from btlib.errors import DataError

_FILE = "figshare_patients.json"
_SCHEMA = "btlib-patients/1"


@dataclass(frozen=True, eq=False)
class PatientTable:
    """Known slices 1…n, in file order.

    Attributes:
        patients: Patient of every slice, int64 [n], 1…233.
        persons: Person of every slice, int64 [n], 1…209.
        folds: Fold of every person, int64 [209], 1…5: the splits `patient-5fold-1` … `-5`.
        labels: Class of every slice, int64 [n], 0…2; all slices of a patient have one class.
        signatures: Signatures of the masks (`btlib.data.sources.figshare.recognise`), uint64 [n].
        areas: Tumour pixels at 256×256, int64 [n].
        source: Source of the table.
        licence: Licence of the source.
    """

    patients: NDArray[np.int64]
    persons: NDArray[np.int64]
    folds: NDArray[np.int64]
    labels: NDArray[np.int64]
    signatures: NDArray[np.uint64]
    areas: NDArray[np.int64]
    source: str
    licence: str


@cache
def figshare_patients() -> PatientTable:
    """Read the table that is part of btlib.

    Raises:
        DataError: The file is missing or damaged.
    """
    file = resources.files("btlib.data.sources.figshare") / _FILE
    hint = "install btlib again"
    try:
        value = json.loads(file.read_text(encoding="utf-8"))
        digest = value.pop("digest")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"cannot be read: {error}", where=file, hint=hint) from error
    if value.get("schema") != _SCHEMA or digest != fingerprint.of(value):
        raise DataError(
            "the content does not match the digest: the file was edited or is damaged", where=file, hint=hint
        )
    lengths, patients = np.array(value["runs"], dtype=np.int64).T
    of_slice = np.repeat(patients, lengths)
    return PatientTable(
        patients=of_slice,
        persons=np.array(value["persons"], dtype=np.int64)[of_slice - 1],
        folds=np.array([int(fold) for fold in value["folds"]], dtype=np.int64),
        labels=np.array([int(label) for label in value["labels"]], dtype=np.int64)[of_slice - 1],
        signatures=np.frombuffer(base64.b64decode(value["signatures"]), dtype=">u8").astype(np.uint64),
        areas=np.frombuffer(base64.b64decode(value["areas"]), dtype=">u2").astype(np.int64),
        source=value["source"],
        licence=value["licence"],
    )
