"""Folds of whole patients: a frozen algorithm, so that the same data give the same folds in every version of btlib.

Libraries change theirs: scikit-learn 1.7 and 1.9 cut different folds under one name and seed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def assign_folds(patients: Sequence[str], labels: NDArray[np.int64], k: int) -> Mapping[str, int]:
    """Fold 1…k of every patient, balanced by class in samples and in patients.

    Patients with the most samples are placed first, each into the fold that least raises the sum over folds and classes
    of the squared shares of samples and of patients (longest processing time first, doi 10.1137/0117039). The result
    depends on which patient has how many samples of which class, and not on the order of the samples.

    Args:
        patients: Patient of every sample.
        labels: Class of every sample, int64 [n].
        k: How many folds.
    """
    samples: dict[str, Counter[int]] = defaultdict(Counter)
    for patient, label in zip(patients, labels.tolist(), strict=True):
        samples[patient][label] += 1
    total = Counter(labels.tolist())
    holders = Counter(label for counts in samples.values() for label in counts)
    load = [dict.fromkeys(total, (0, 0)) for _ in range(k)]  # by fold and class: samples, patients
    folds: dict[str, int] = {}
    for patient in sorted(samples, key=lambda name: (-samples[name].total(), name)):
        counts = sorted(samples[patient].items())

        def rise(at: int, counts: list[tuple[int, int]] = counts) -> float:
            return sum(
                (2 * load[at][c][0] + m) * m / total[c] ** 2 + (2 * load[at][c][1] + 1) / holders[c] ** 2
                for c, m in counts
            )

        chosen = min(range(k), key=rise)
        for c, m in counts:
            load[chosen][c] = (load[chosen][c][0] + m, load[chosen][c][1] + 1)
        folds[patient] = chosen + 1
    return folds
