"""Intervals cover, and tests reject, as often as they say: 400 simulated comparisons, all with no true difference.

One call compares all of them: they share samples and patients, as `paired_many` wants. The standard error of a share of
95 % of 400 is 1.1 points, and the bounds are three of them wide.
"""

import numpy as np
import pytest

from btlib import stats

N = 400


def normals(rng, groups, within, n=N):
    """Standard normal numbers [n, samples] whose correlation within a group is `within`."""
    of_group = rng.normal(size=(n, groups.max() + 1))[:, groups]
    return np.sqrt(within) * of_group + np.sqrt(1 - within) * rng.normal(size=(n, len(groups)))


def pairs(groups, within, seed):
    """Two measurements of every sample with correlation 0.64, as the thesis's E and A."""
    rng = np.random.default_rng(seed)
    common, *own = (normals(rng, groups, within) for _ in range(3))
    return [0.8 * common + 0.6 * x for x in own]


def dice(latent):
    """Many near 0.9 and 8 % of misses at 0."""
    from scipy.stats import beta, norm

    share = norm.cdf(latent)
    return np.where(share < 0.08, 0.0, beta.ppf(np.clip((share - 0.08) / 0.92, 0, 1), 9, 1.5))


def covered(result):
    return np.mean((result.low <= 0) & (result.high >= 0))


@pytest.mark.parametrize("shape", [lambda x: 0.25 * x, dice], ids=["normal", "dice"])
@pytest.mark.parametrize(
    ("groups", "within"), [(np.arange(612), 0.0), (np.repeat(np.arange(47), 13), 0.5)], ids=["samples", "patients"]
)
def test_coverage_and_size(shape, groups, within):
    a, b = (shape(x) for x in pairs(groups, within, seed=1))
    result = stats.paired_many(a - b, groups.tolist(), n_resamples=2000)
    assert 0.917 <= covered(result) <= 0.983
    assert 0.017 <= np.mean(result.p <= 0.05) <= 0.083


def test_slices_taken_as_independent_cover_far_less():
    """Thirteen samples of a patient that correlate at 0.5 are worth less than two."""
    groups = np.repeat(np.arange(47), 13)
    a, b = pairs(groups, 0.5, seed=2)
    result = stats.paired_many(a - b, n_resamples=500)
    assert covered(result) < 0.7
    assert np.mean(result.p <= 0.05) > 0.3


@pytest.mark.parametrize("patients", [2, 4, 10, 19, 20, 47])
def test_any_number_of_patients_covers(patients):
    """At most 6 % of equal pairs look different. With percentiles it was half with 2 patients, and 13 % with 4."""
    groups = np.repeat(np.arange(patients), 3)
    rng, n = np.random.default_rng(3), 4000
    result = stats.paired_many(normals(rng, groups, 0.5, n), groups.tolist(), n_resamples=1000)
    assert 0.04 <= 1 - covered(result) <= 0.06
    assert max(np.mean(result.high < 0), np.mean(result.low > 0)) <= 0.035


@pytest.mark.parametrize(("ours", "theirs"), [(2, 2), (4, 4), (4, 47), (20, 10), (47, 200)])
def test_unpaired_clusters_cover(ours, theirs):
    """Each side has patients of its own, whose three samples correlate at 0.5."""
    rng, wrong = np.random.default_rng(4), 0
    for _ in range(1000):
        a, b = (normals(rng, np.repeat(np.arange(k), 3), 0.5, 1)[0] for k in (ours, theirs))
        found = stats.unpaired(a, b, np.arange(3 * ours) // 3, np.arange(3 * theirs) // 3)
        wrong += not found.low <= 0 <= found.high
    assert wrong / 1000 <= 0.07


def test_the_corrected_t_keeps_its_size_where_the_plain_one_does_not():
    """Means of repeated random tests of a fifth of the same samples: the plain t takes them for new ones."""
    from scipy.stats import ttest_1samp

    rng = np.random.default_rng(4)
    chosen = np.stack([rng.permutation(100)[:20] for _ in range(10)])
    splits = np.stack([rng.normal(size=100)[chosen].mean(axis=1) for _ in range(N)])  # [N, 10]
    corrected = np.array([stats.corrected_t(row, n_train=80, n_test=20).p for row in splits])
    assert np.mean(ttest_1samp(splits, 0, axis=1).pvalue <= 0.05) > 0.15
    assert np.mean(corrected <= 0.05) < 0.083
