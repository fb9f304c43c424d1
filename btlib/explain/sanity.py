"""Sanity check of maps: the weights of the model are randomised, layer by layer from the head backwards.

This is the cascading randomisation of Adebayo et al., 2018 (arXiv 1810.03292). If a map stays the same, it depends on
the sample and not on what the model has learnt.
"""

import copy
from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import nn

from btlib.adapters.devices import forked_rng, seed_rng
from btlib.adapters.torch import TorchPredictor
from btlib.errors import OptionError
from btlib.explain.explained import Sanity, SanityStep
from btlib.explain.explainer import Explainer
from btlib.explain.occlusion import occlusion_maps
from btlib.explain.probability import probability_of


def sanity_check(
    explainer: Explainer,
    images: NDArray[np.float32],
    labels: NDArray[np.int64],
    ids: NDArray[np.str_],
    draws: int = 3,
) -> Sanity:
    """Compute rank correlations of maps with those of the trained model, in plain fp32, one step per layer.

    The stride is always equal to the patch, whatever the explainer's stride is: many maps are computed, and the ranked
    drops are those of patches that do not overlap.

    Args:
        explainer: Explainer of a PyTorch model.
        images: Samples, float32 [n, channels, h, w].
        labels: Classes to explain, int64 [n].
        ids: Ids of the samples, text [n].
        draws: Number of draws of random weights, at least 1. A single draw may change a map's sign by chance.

    Raises:
        OptionError: `draws` is below 1, or the model is not a PyTorch module or has no parameters.
    """
    plain = _torch_predictor(explainer)
    if draws < 1:
        raise OptionError(f"expected at least 1 draw, got {draws}", where="sanity check")

    def drops_of(model: nn.Module) -> list[NDArray[np.float64]]:
        predictor = TorchPredictor(model, plain.device, "fp32", plain.outputs, plain.channels)
        return [
            occlusion_maps(
                probability_of(predictor, int(label)),
                image,
                patch=explainer.patch,
                stride=explainer.patch,
                fill=explainer.fill,
                batch_size=explainer.batch_size,
            ).drops
            for image, label in zip(images, labels, strict=True)
        ]

    assert isinstance(plain.model, nn.Module)  # checked by `_torch_predictor`
    learnt = drops_of(plain.model)
    found: dict[str, list[float]] = {}
    for seed in range(draws):
        for layer, model in cascade(plain.model, seed):
            agreement = [rank_correlation(a, b) for a, b in zip(learnt, drops_of(model), strict=True)]
            found.setdefault(layer, []).extend(agreement)
    steps = [
        SanityStep(layer=k, correlation=float(np.mean(v)), size=float(np.abs(v).mean()), correlations=v)
        for k, v in found.items()
    ]
    return Sanity(ids=ids.tolist(), draws=draws, patch=explainer.patch, steps=steps)


def cascade(model: nn.Module, seed: int = 0) -> Iterator[tuple[str, nn.Module]]:
    """Randomise the layers of a copy of a model one after the other, the last layer first.

    A layer is a submodule whose name has at most two parts ("backbone.layer4", "head.out"). Layers without parameters
    are left out.

    Yields:
        Name of the layer that was randomised last, and the copy; it is the same object each time.

    Raises:
        OptionError: The model has no parameters.
    """
    changed = copy.deepcopy(model).eval()
    layers = list(dict.fromkeys(".".join(name.split(".")[:-1][:2]) for name, _ in changed.named_parameters()))
    if not layers:
        raise OptionError("the model has no parameters to randomise", where="sanity check")
    cpu = torch.device("cpu")
    with forked_rng(cpu):
        seed_rng(seed, cpu)
        state = torch.random.get_rng_state()
    for layer in reversed(layers):
        with forked_rng(cpu):
            torch.random.set_rng_state(state)
            _randomise(changed.get_submodule(layer), whole=layer != "")
            state = torch.random.get_rng_state()
        yield layer, changed


def rank_correlation(a: NDArray[np.floating], b: NDArray[np.floating]) -> float:
    """Spearman's correlation of two maps of the same shape, −1…1; 0 if one of them is constant."""
    first, second = (rankdata(x.ravel()) for x in (a, b))
    if np.ptp(first) == 0 or np.ptp(second) == 0:
        return 0.0
    return float(np.corrcoef(first, second)[0, 1])


def _randomise(layer: nn.Module, *, whole: bool) -> None:
    """Reset each module with its `reset_parameters`; without this method, shuffle the values of its parameters."""
    for module in layer.modules() if whole else [layer]:
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
            continue
        for parameter in module.parameters(recurse=False):
            order = torch.randperm(parameter.numel(), device="cpu").to(parameter.device)
            parameter.data = parameter.data.flatten()[order].view_as(parameter)


def _torch_predictor(explainer: Explainer) -> TorchPredictor:
    for predictor in (explainer.plain, explainer.fast.predictor):
        if isinstance(predictor, TorchPredictor) and isinstance(predictor.model, nn.Module):
            return predictor
    raise OptionError(
        "only the weights of a PyTorch module can be randomised",
        where="sanity check",
        hint="leave the sanity check out for this case",
    )
