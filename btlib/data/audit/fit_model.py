"""Model that tells from pixels whether a mask belongs to an image, learnt from the data set itself.

Positive examples are the masks on their own images, negative examples are masks of other samples on the same images.
Few wrong masks among the positive examples do little harm. Features are those of `mask_fit`, and the overlap with the
masks of the most similar images, which helps where neighbouring slices are in the data set.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from btlib.data.audit.logistic import Doubles, Logistic, area_under_curve
from btlib.data.audit.mask_fit import MaskShape, Picture, fit
from btlib.data.audit.thumbnail import Floats, shrunk

if TYPE_CHECKING:
    from btlib.data.audit.examine import Examined

LEAST = 60
"""Smallest number of masks from which the model can be learnt."""

_NEGATIVES = 3000
_FOLDS = 5
_ROUGH = 16  # side at which masks of similar images are compared


@dataclass(frozen=True, eq=False)
class FitModel:
    """Model for one structure.

    Attributes:
        data: The data set.
        structure: Number of the structure.
        at: Positions of the readable samples whose mask is not empty, int64 [n].
    """

    data: "Examined"
    structure: int
    at: NDArray[np.int64]

    @property
    def learnable(self) -> bool:
        """Whether each fold has masks of other patients to learn from."""
        images, _, _ = self._negative
        folds = self._fold
        return len(images) >= LEAST // 2 and len(set(folds[self.at].tolist())) == _FOLDS

    @cached_property
    def own(self) -> Doubles:
        """Log odds that the mask of each sample in `at` belongs to its image, from models that did not learn on it."""
        return np.array([float(self._of(i).log_odds(row[None])[0]) for i, row in zip(self.at, self._own, strict=True)])

    @cached_property
    def discrimination(self) -> float:
        """Area under the ROC curve for own masks against masks of other samples; 0.5 is chance."""
        images, _, rows = self._negative
        others = [float(self._of(i).log_odds(row[None])[0]) for i, row in zip(images, rows, strict=True)]
        return area_under_curve(self.own, np.array(others))

    def log_odds(self, image: int, mask: int) -> float:
        """Log odds that the mask of one sample belongs to the image of another one."""
        return float(self._of(image).log_odds(self._features(image, mask)[None])[0])

    @cached_property
    def _fold(self) -> NDArray[np.int64]:
        """Fold of each readable sample; samples of a patient have one fold."""
        groups = self.data.groups
        return np.asarray(np.random.default_rng(0).permutation(groups.max() + 1)[groups] % _FOLDS)

    @cached_property
    def _own(self) -> Doubles:
        return np.array(
            [(*self.data.samples[i].fits[self.structure], *self._among_similar(i, i)) for i in self.at.tolist()]
        )

    @cached_property
    def _negative(self) -> tuple[list[int], list[int], Doubles]:
        """Images, masks of other samples, and their features."""
        rng = np.random.default_rng(0)
        images = rng.permutation(self.at)[:_NEGATIVES]
        masks = rng.permutation(self.at)[: len(images)]
        groups = self.data.groups
        pairs = [(int(i), int(j)) for i, j in zip(images, masks, strict=True) if groups[i] != groups[j]]
        return [i for i, _ in pairs], [j for _, j in pairs], np.array([self._features(i, j) for i, j in pairs])

    @cached_property
    def _models(self) -> list[Logistic]:
        images, _, negative = self._negative
        features = np.vstack([self._own, negative])
        positive = np.arange(len(features)) < len(self._own)
        folds = self._fold[np.concatenate([self.at, np.array(images, np.int64)])]
        return [Logistic.fitted(features[folds != k], positive[folds != k]) for k in range(_FOLDS)]

    def _of(self, image: int) -> Logistic:
        return self._models[int(self._fold[image])]

    def _features(self, image: int, mask: int) -> Doubles:
        return np.array((*fit(self._picture(image), self._shape(mask)), *self._among_similar(image, mask)))

    @cached_property
    def _picture(self) -> Callable[[int], Picture]:
        store, rows = self.data.store, self.data.rows
        return lru_cache(maxsize=400)(lambda i: Picture.of(store.image(rows[i])))

    @cached_property
    def _shape(self) -> Callable[[int], MaskShape]:
        store, rows = self.data.store, self.data.rows
        return lru_cache(maxsize=400)(lambda i: MaskShape.of(store.mask(rows[i], self.structure)))

    def _among_similar(self, image: int, mask: int) -> tuple[float, float, float]:
        """Overlap of a mask with the masks of the images most similar to `image`."""
        found, scores = self.data.similar.nearest[image], self.data.similar.nearest_scores[image]
        overlaps = [float(self._soft[j] @ self._soft[mask]) if j >= 0 and j != mask else 0.0 for j in found.tolist()]
        weighted = max(overlap * max(float(score), 0) for overlap, score in zip(overlaps, scores, strict=True))
        return max(overlaps), weighted, float(scores[0])

    @cached_property
    def _soft(self) -> Floats:
        """Blurred small masks of norm 1, so that a product is their overlap, float32 [n, _ROUGH²]."""
        import cv2

        rows, store = self.data.rows, self.data.store
        found = np.zeros((len(rows), _ROUGH * _ROUGH), np.float32)
        for i in self.at.tolist():
            small = shrunk(store.mask(rows[i], self.structure).astype(np.float32), _ROUGH)
            soft = np.asarray(cv2.GaussianBlur(small, (0, 0), 0.8)).reshape(-1)
            found[i] = soft / max(float(np.linalg.norm(soft)), 1e-9)
        return found
