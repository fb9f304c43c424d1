"""Small logistic regression with a ridge penalty, in NumPy, so that the audit needs no machine-learning package."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

_STEPS = 25
_QUADRATIC_FROM = 30  # samples per coefficient; with fewer, only linear terms are used


@dataclass(frozen=True, eq=False)
class Logistic:
    """Fitted model of the probability that a row belongs to the positive class.

    Attributes:
        centre: Mean of each feature.
        scale: Standard deviation of each feature.
        quadratic: Whether products of features are used too.
        weights: Coefficients, the intercept first.
    """

    centre: Doubles
    scale: Doubles
    quadratic: bool
    weights: Doubles

    @classmethod
    def fitted(cls, features: Doubles, positive: NDArray[np.bool_], ridge: float = 3.0) -> Self:
        """Fit the model by Newton's method.

        Args:
            features: Features [n, k].
            positive: Class of each row [n].
            ridge: Penalty of the squared coefficients of standardised features.
        """
        k = features.shape[1]
        centre, scale = features.mean(axis=0), features.std(axis=0) + 1e-9
        quadratic = len(features) > _QUADRATIC_FROM * (k + k * (k + 1) // 2)
        x = _terms((features - centre) / scale, quadratic)
        weights, target = np.zeros(x.shape[1]), positive.astype(np.float64)
        penalty = np.full(x.shape[1], ridge)
        penalty[0] = 1e-6
        for _ in range(_STEPS):
            chance = _sigmoid(x @ weights)
            gradient = x.T @ (chance - target) + penalty * weights
            curvature = (x * np.maximum(chance * (1 - chance), 1e-6)[:, None]).T @ x + np.diag(penalty)
            step = np.linalg.solve(curvature, gradient)
            weights -= step * min(1.0, 5 / max(float(np.abs(step).max()), 1e-12))
            if np.abs(step).max() < 1e-6:
                break
        return cls(centre, scale, quadratic, weights)

    def log_odds(self, features: Doubles) -> Doubles:
        """Return the log odds of the positive class for rows [n, k]."""
        bounded = np.clip((features - self.centre) / self.scale, -4, 4)  # no extrapolation of the quadratic terms
        return np.asarray(_terms(bounded, self.quadratic) @ self.weights)


def _terms(x: Doubles, quadratic: bool) -> Doubles:
    ones = np.ones((len(x), 1))
    if not quadratic:
        return np.hstack([ones, x])
    first, second = np.triu_indices(x.shape[1])
    return np.hstack([ones, x, x[:, first] * x[:, second] - (first == second)])


def _sigmoid(values: Doubles) -> Doubles:
    return np.asarray(1 / (1 + np.exp(-np.clip(values, -30, 30))))


def area_under_curve(positive: Doubles, negative: Doubles) -> float:
    """Return the probability that a positive value is above a negative one; ties count half."""
    ordered = np.sort(negative)
    below, upto = np.searchsorted(ordered, positive), np.searchsorted(ordered, positive, side="right")
    return float((below + upto).mean() / (2 * len(negative)))
