"""A small U-Net in Flax, trained with Optax, without any other framework than JAX.

pip install 'btlib[jax]'
btlib check examples/flax_unet.py::flax
pytest benchmarks -m smoke --bt-case examples/flax_unet.py::flax
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
from flax import linen as nn
from flax.serialization import msgpack_restore, msgpack_serialize
from jax import numpy as jnp

from btlib.adapters import JaxPredictor, Outputs
from btlib.cases import Prepared, Work, case, fit_or_load


class Block(nn.Module):
    """Two convolutions with group norm, so that an image does not depend on the other images of the batch."""

    channels: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Compute features [n, h, w, c] → [n, h, w, channels]."""
        for _ in range(2):
            x = nn.relu(nn.GroupNorm(num_groups=4)(nn.Conv(self.channels, (3, 3), use_bias=False)(x)))
        return x


class Unet(nn.Module):
    """U-Net: images [n, h, w, 1] → a dict with "mask", logits [n, h, w, 1], and "classes", logits [n, 3]."""

    widths: tuple[int, ...]

    @nn.compact
    def __call__(self, images: jax.Array) -> dict[str, jax.Array]:
        """Pad the images so that each pooling halves them exactly; crop the mask to the original size."""
        height, width = images.shape[1:3]
        mean, spread = images.mean(axis=(1, 2, 3), keepdims=True), images.std(axis=(1, 2, 3), keepdims=True)
        side = 2 ** (len(self.widths) - 1)
        x = jnp.pad((images - mean) / (spread + 1e-6), ((0, 0), (0, -height % side), (0, -width % side), (0, 0)))
        skips = []
        for channels in self.widths[:-1]:
            skips.append(Block(channels)(x))
            x = nn.max_pool(skips[-1], (2, 2), (2, 2))
        x = Block(self.widths[-1])(x)
        pooled = jnp.concatenate([x.mean(axis=(1, 2)), x.max(axis=(1, 2))], axis=1)
        for channels, skip in zip(self.widths[-2::-1], skips[::-1], strict=True):
            x = jnp.repeat(jnp.repeat(x, 2, axis=1), 2, axis=2)
            x = Block(channels)(jnp.concatenate([x, skip], axis=3))
        return {"mask": nn.Conv(1, (1, 1))(x)[:, :height, :width], "classes": nn.Dense(3)(pooled)}


def loss_of(output: dict[str, jax.Array], masks: jax.Array, labels: jax.Array) -> jax.Array:
    """Compute the loss: soft Dice by sample, and cross-entropy of pixels and of classes."""
    logits, share = output["mask"][..., 0], jax.nn.sigmoid(output["mask"][..., 0])
    overlap, area = (share * masks).sum(axis=(1, 2)), (share + masks).sum(axis=(1, 2))
    dice = 1 - (2 * overlap + 1) / (area + 1)
    pixels = optax.sigmoid_binary_cross_entropy(logits, masks)
    types = optax.softmax_cross_entropy_with_integer_labels(output["classes"], labels)
    return dice.mean() + pixels.mean() + 0.5 * types.mean()


def stepper(model: nn.Module, optimizer: optax.GradientTransformation) -> Callable[..., tuple[Any, Any, jax.Array]]:
    """Return a compiled step of the optimiser: (params, state, images, masks, labels) → (params, state, loss)."""

    @jax.jit
    def step(params: Any, state: Any, images: jax.Array, masks: jax.Array, labels: jax.Array) -> Any:
        loss, slope = jax.value_and_grad(lambda p: loss_of(model.apply(p, images), masks, labels))(params)
        updates, state = optimizer.update(slope, state, params)
        return optax.apply_updates(params, updates), state, loss

    return step


def fit(work: Work, model: nn.Module) -> Any:
    """Train on randomly mirrored training samples; return the parameters after the last step."""
    recipe, train = work.recipe, work.train
    size = min(recipe.batch_size, len(train))  # one size for all batches: each size is compiled separately
    steps = recipe.epochs * (len(train) // size)
    optimizer = optax.adamw(optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, max(1, steps // 20), steps))
    key = jax.random.key(work.seed, impl="rbg")  # compiles five times as fast as the default
    params = jax.jit(model.init)(key, jnp.zeros((1, train.image_size, train.image_size, 1)))
    state, step, rng = optimizer.init(params), stepper(model, optimizer), np.random.default_rng(work.seed)
    for epoch in range(recipe.epochs):
        order = rng.permutation(len(train))[: len(train) // size * size]
        for chosen in order.reshape(-1, size):
            turn = (slice(None), *(slice(None, None, rng.choice([1, -1])) for _ in range(2)))
            images, masks = train.images[chosen][:, 0][turn], train.masks[chosen][:, 0][turn]
            params, state, loss = step(params, state, images[..., None], masks.astype(np.float32), train.labels[chosen])
        work.report(f"flax, seed {work.seed}: epoch {epoch + 1} of {recipe.epochs}, loss {float(loss):.4f}")
    return jax.device_get(params)


def load(folder: Path) -> Any:
    """Load the stored parameters."""
    return msgpack_restore((folder / "params.msgpack").read_bytes())


@case("flax", "small U-Net in Flax", has_mask=True, has_classes=True, scaling="percentile")
def prepare(work: Work) -> Prepared:
    """Train the model, or load it if it was already trained on the same data with the same settings."""
    model = Unet(widths=(8, 16, 32) if work.recipe.quick else (32, 64, 128, 256))
    fitted = fit_or_load(
        work,
        "flax",
        lambda folder: fit(work, model),
        save=lambda params, folder: (folder / "params.msgpack").write_bytes(msgpack_serialize(params)),
        load=load,
    )
    predictor = JaxPredictor(model.apply, fitted.model, Outputs(mask="mask", classes="classes"))
    return fitted.prepared(predictor, details={"device": jax.default_backend()})
