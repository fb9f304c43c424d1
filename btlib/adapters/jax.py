"""JAX (Flax, Equinox, Haiku …) behind the predictor protocol."""

from collections.abc import Callable
from typing import Any

from btlib import extras
from btlib.adapters.arrays import CallablePredictor, Layout
from btlib.adapters.outputs import Outputs


class JaxPredictor(CallablePredictor):
    """A pure function and its parameters as a predictor.

    Args:
        apply: `(params, images)` → anything that `outputs` understands; compiled once for each shape of images.
        params: Any tree of arrays.
        outputs: Where masks and classes are in what it returns.
        layout: Of its images and its mask.
        channels: How many it wants: an image of one channel is repeated; None takes images as they are.

    Raises:
        MissingExtraError: JAX is not installed.
    """

    def __init__(
        self,
        apply: Callable[[Any, Any], Any],
        params: Any,
        outputs: Outputs,
        *,
        layout: Layout = "nhwc",
        channels: int | None = None,
    ) -> None:
        with extras.named():
            import jax
        compiled = jax.jit(apply)
        self.params = jax.device_put(params)
        leaves = [leaf for leaf in jax.tree.leaves(self.params) if isinstance(leaf, jax.Array)]
        place = next(iter(leaves[0].devices())) if leaves else jax.devices()[0]
        self.device = f"{place.platform}:{place.id}"
        super().__init__(lambda images: compiled(self.params, images), outputs, layout=layout, channels=channels)
