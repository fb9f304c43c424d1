"""Batches of samples. Their order depends only on seed and epoch, so that a resumed run has the same order."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from btlib.data.dataset import Samples

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Images float32 [n, channels, h, w], masks float32 [n, structures, h, w] of 0 and 1, labels int64 [n]."""

Batches = torch.utils.data.Dataset[Batch]
"""Data set of complete batches, indexed by the positions of their samples."""


class SampleBatches(Batches):
    """Batches from memory-mapped arrays, with one read for a batch instead of one for each sample."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Return images, masks and labels at the positions `at`."""
        images = torch.from_numpy(np.array(self.samples.images[at], dtype=np.float32))
        masks = torch.from_numpy(np.asarray(self.samples.masks[at], dtype=np.float32))
        return images, masks, torch.from_numpy(np.array(self.samples.strata[at], dtype=np.int64))


class DeviceBatches(Batches):
    """Batches from arrays on the device: nothing is copied to it during training.

    Args:
        samples: Samples; all images and masks are copied, in pieces.
        device: Target device.
    """

    _PIECE = 256  # samples copied at once

    def __init__(self, samples: Samples, device: torch.device) -> None:
        pieces = range(0, len(samples), self._PIECE)
        self.images = torch.empty(samples.images.shape, dtype=torch.float32, device=device)
        self.masks = torch.empty(samples.masks.shape, dtype=torch.bool, device=device)
        for at in (slice(start, start + self._PIECE) for start in pieces):
            self.images[at] = torch.from_numpy(np.array(samples.images[at], dtype=np.float32)).to(device)
            self.masks[at] = torch.from_numpy(np.array(samples.masks[at])).to(device)
        self.labels = torch.from_numpy(np.array(samples.strata, dtype=np.int64)).to(device)

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Return images, masks and labels at the positions `at`."""
        positions = torch.from_numpy(at).to(self.images.device, non_blocking=True)
        return self.images[positions], self.masks[positions].float(), self.labels[positions]

    def close(self) -> None:
        """Release the arrays immediately; a trainer holds its loaders in reference cycles."""
        del self.images, self.masks, self.labels


def batches_of(train: Samples, val: Samples, device: torch.device) -> tuple[Batches, Batches]:
    """Return batches of both parts, on the device if they take less than half of its free memory, else from files.

    On the CPU the memory-mapped files are used directly.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        needed = sum(s.images.size * np.dtype(np.float32).itemsize + s.masks.size for s in (train, val))
        if needed < free / 2:
            return DeviceBatches(train, device), DeviceBatches(val, device)
    return SampleBatches(train), SampleBatches(val)


class EpochOrder(Sampler[NDArray[np.int64]]):
    """Positions 0…n-1 in batches; with a seed, shuffled again in each epoch. The last batch may be shorter.

    Args:
        n: Number of samples.
        batch_size: Samples in a batch.
        seed: Seed of the shuffling; None: no shuffling.
        epoch: First epoch; a resumed run starts later. (Lightning calls `set_epoch` too late for the first epoch.)
    """

    def __init__(self, n: int, batch_size: int, seed: int | None, epoch: int = 0) -> None:
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch; Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-self.n // self.batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        order = np.arange(self.n)
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]


def loader(batches: Batches, n: int, batch_size: int, seed: int | None, epoch: int = 0) -> DataLoader[Batch]:
    """Return a loader of complete batches without workers: indexing memory-mapped arrays does not need any."""
    return DataLoader(batches, sampler=EpochOrder(n, batch_size, seed, epoch), batch_size=None)
