"""Batches of samples in an order that depends on seed and epoch alone, so that a resumed run sees the same."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from btlib.data.dataset import Samples

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Images float32 [n, channels, h, w], masks float32 [n, structures, h, w] of 0 and 1, labels int64 [n]."""

Batches = torch.utils.data.Dataset[Batch]
"""Whole batches, by the positions of their samples."""


class SampleBatches(Batches):
    """A whole batch by its positions: one read of the memory-mapped arrays instead of one for each sample."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Images, masks and labels at `at`."""
        images = torch.from_numpy(np.array(self.samples.images[at], dtype=np.float32))
        masks = torch.from_numpy(np.asarray(self.samples.masks[at], dtype=np.float32))
        return images, masks, torch.from_numpy(np.array(self.samples.strata[at], dtype=np.int64))


class DeviceBatches(Batches):
    """The same batches from arrays that lie on the device: nothing is copied to it while it trains.

    Args:
        samples: Their images and masks are all copied, in pieces.
        device: Where to.
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
        """Images, masks and labels at `at`."""
        positions = torch.from_numpy(at).to(self.images.device, non_blocking=True)
        return self.images[positions], self.masks[positions].float(), self.labels[positions]

    def close(self) -> None:
        """Let the arrays go at once; a trainer keeps its loaders in reference cycles."""
        del self.images, self.masks, self.labels


def batches_of(train: Samples, val: Samples, device: torch.device) -> tuple[Batches, Batches]:
    """Batches of both from the device where they take less than half of its free memory, else from their files.

    On the CPU the memory-mapped files are already the array that lies in memory.
    """
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        needed = sum(s.images.size * np.dtype(np.float32).itemsize + s.masks.size for s in (train, val))
        if needed < free / 2:
            return DeviceBatches(train, device), DeviceBatches(val, device)
    return SampleBatches(train), SampleBatches(val)


class EpochOrder(Sampler[NDArray[np.int64]]):
    """Positions 0…n-1 in batches; shuffled anew each epoch where there is a seed. The last batch may be short.

    Args:
        n: How many samples there are.
        batch_size: Samples in a batch.
        seed: None keeps the given order.
        epoch: The first epoch; a resumed run starts later. (Lightning tells the epoch too late for the first one.)
    """

    def __init__(self, n: int, batch_size: int, seed: int | None, epoch: int = 0) -> None:
        self.n = n
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
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
    """A loader that yields whole batches in this process: slicing memory-mapped arrays needs no workers."""
    return DataLoader(batches, sampler=EpochOrder(n, batch_size, seed, epoch), batch_size=None)
