"""Tables of numbers that a test writes down itself."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from btlib.data.sources.tasks import PHANTOM
from btlib.sample_table import SampleTable, sample_table


@pytest.fixture
def of_numbers() -> Callable[..., SampleTable]:
    """A table of tumours: ids, and a measure's value for each sample under the measure's short name."""

    def make(
        ids: Sequence[int],
        *,
        label: Sequence[int] | None = None,
        patient: Sequence[str | None] | None = None,
        class_prob: Sequence[Sequence[float]] | None = None,
        **measures: Any,
    ) -> SampleTable:
        return sample_table(
            PHANTOM,
            [str(one) for one in ids],
            [None] * len(ids) if patient is None else patient,
            labels=[0] * len(ids) if label is None else label,
            measures={name: np.array(values)[:, None] for name, values in measures.items()},
            class_prob=None if class_prob is None else np.array(class_prob),
        )

    return make
