"""Patient-disjoint folds by a frozen algorithm, so that the same data give the same folds in every version of btlib.

Algorithms of libraries change: scikit-learn 1.7 and 1.9 make different folds with the same class name and seed.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

_ALL = -1  # key for all classes together, in addition to the classes


def assign_folds(patients: Sequence[str], labels: NDArray[np.int64], k: int) -> Mapping[str, int]:
    """Assign every patient a fold 1…k, balancing the numbers of samples and of patients, per class and in total.

    Patients with the most samples are assigned first. Each patient is assigned to the fold that increases the sum of
    the squared shares of samples and of patients least (longest processing time first, doi 10.1137/0117039). The result
    depends on the number of samples of each patient and class, but not on the order of the samples.

    Args:
        patients: Patient of every sample.
        labels: Class of every sample, int64 [n].
        k: Number of folds.
    """
    samples: dict[str, Counter[int]] = defaultdict(Counter)
    for patient, label in zip(patients, labels.tolist(), strict=True):
        samples[patient][label] += 1
    for counts in samples.values():
        counts[_ALL] = counts.total()
    total = Counter[int]()
    holders = Counter[int]()
    for counts in samples.values():
        total.update(counts)
        holders.update(counts.keys())
    # numbers of samples and patients by fold and class (a constant added to all folds would change no choice)
    load = [dict.fromkeys(total, (0, 0)) for _ in range(k)]  # pragma: no mutate
    folds: dict[str, int] = {}
    for patient in sorted(samples, key=lambda name: (-samples[name][_ALL], name)):
        own = sorted(samples[patient].items())

        def rise(at: int, own: list[tuple[int, int]] = own) -> float:
            return sum(
                (2 * load[at][c][0] + m) * m / total[c] ** 2 + (2 * load[at][c][1] + 1) / holders[c] ** 2
                for c, m in own
            )

        chosen = min(range(k), key=rise)
        for c, m in own:
            load[chosen][c] = (load[chosen][c][0] + m, load[chosen][c][1] + 1)
        folds[patient] = chosen + 1
    return folds
