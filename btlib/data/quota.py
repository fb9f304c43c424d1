"""Proportional division of n items among classes."""

from collections.abc import Sequence


def shares(weights: Sequence[int], n: int) -> list[int]:
    """Divide n in proportion to `weights` by largest remainder; each weight above 0 gets at least 1 if n allows it.

    Ties go to the earlier class. No share exceeds its weight if n ≤ sum(weights).

    >>> shares([23, 47, 30], 10)
    [2, 5, 3]
    """
    total = sum(weights)
    quotas = [n * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda k: -(n * weights[k] % total))
    for k in by_remainder[: n - sum(quotas)]:
        quotas[k] += 1
    present = [k for k, weight in enumerate(weights) if weight]
    for k in present if n >= len(present) else []:
        if quotas[k] == 0:
            quotas[quotas.index(max(quotas))] -= 1
            quotas[k] = 1
    return quotas
