"""Adapter for JAX (Flax, Equinox, Haiku …)."""

from collections.abc import Callable
from typing import Any

from btlib import extras
from btlib.adapters.arrays import CallablePredictor, Layout
from btlib.adapters.outputs import Outputs


class JaxPredictor(CallablePredictor):
    """Predictor made from a pure function and its parameters.

    Args:
        apply: Function `(params, images)` → any value that `outputs` can read. It is compiled once per image shape.
        params: Tree of arrays.
        outputs: Mapping that finds masks and classes in the returned value.
        layout: Layout of images and mask.
        channels: Number of channels that the function expects. An image with one channel is repeated; None passes
            images unchanged.

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
