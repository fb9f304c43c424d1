"""Batches of slices in an order that depends on seed and epoch alone, so that a resumed run sees the same."""

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader, Sampler

from btlib.data.dataset import Dataset

Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Images float32 [n, 1, h, w], masks float32 [n, 1, h, w] of 0 and 1, labels int64 [n]."""


class SliceBatches(torch.utils.data.Dataset[Batch]):
    """A whole batch by its positions: one read of the memory-mapped arrays instead of one for each slice."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Images, masks and labels at `at`."""
        images = torch.from_numpy(np.asarray(self.dataset.images[at], dtype=np.float32))
        masks = torch.from_numpy(np.asarray(self.dataset.masks[at], dtype=np.float32))
        return images[:, None], masks[:, None], torch.from_numpy(np.asarray(self.dataset.labels[at], dtype=np.int64))


class DeviceBatches(torch.utils.data.Dataset[Batch]):
    """The same batches from arrays that lie on the device: nothing is copied to it while it trains.

    Args:
        dataset: Its images and masks are all copied, in pieces.
        device: Where to.
    """

    _PIECE = 256  # slices copied at once

    def __init__(self, dataset: Dataset, device: torch.device) -> None:
        shape, pieces = (len(dataset), 1, *dataset.images.shape[1:]), range(0, len(dataset), self._PIECE)
        self.images = torch.empty(shape, dtype=torch.float32, device=device)
        self.masks = torch.empty(shape, dtype=torch.bool, device=device)
        for at in (slice(start, start + self._PIECE) for start in pieces):
            self.images[at, 0] = torch.from_numpy(np.array(dataset.images[at], dtype=np.float32)).to(device)
            self.masks[at, 0] = torch.from_numpy(np.array(dataset.masks[at])).to(device)
        self.labels = torch.from_numpy(np.array(dataset.labels, dtype=np.int64)).to(device)

    def __getitem__(self, at: NDArray[np.int64]) -> Batch:
        """Images, masks and labels at `at`."""
        positions = torch.from_numpy(at).to(self.images.device, non_blocking=True)
        return self.images[positions], self.masks[positions].float(), self.labels[positions]

    def close(self) -> None:
        """Let the arrays go at once; a trainer keeps its loaders in reference cycles."""
        del self.images, self.masks, self.labels


def batches_of(dataset: Dataset, device: torch.device) -> torch.utils.data.Dataset[Batch]:
    """Batches from the device where all slices take less than half of its free memory, else from their files.

    On the CPU the memory-mapped files are already the array that lies in memory.
    """
    if device.type != "cuda":
        return SliceBatches(dataset)
    free, _ = torch.cuda.mem_get_info(device)
    needed = dataset.images.size * (np.dtype(np.float32).itemsize + 1)
    return DeviceBatches(dataset, device) if needed < free / 2 else SliceBatches(dataset)


class EpochOrder(Sampler[NDArray[np.int64]]):
    """Positions in batches; shuffled anew each epoch where there is a seed. The last batch may be short.

    Args:
        positions: Positions in the data set.
        batch_size: Slices in a batch.
        seed: None keeps the given order.
        epoch: The first epoch; a resumed run starts later. (Lightning tells the epoch too late for the first one.)
    """

    def __init__(self, positions: NDArray[np.int64], batch_size: int, seed: int | None, epoch: int = 0) -> None:
        self.positions = positions
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = epoch

    def set_epoch(self, epoch: int) -> None:
        """Called by Lightning before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        return -(-len(self.positions) // self.batch_size)

    def __iter__(self) -> Iterator[NDArray[np.int64]]:
        order = self.positions
        if self.seed is not None:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(order)
        for start in range(0, len(order), self.batch_size):
            yield order[start : start + self.batch_size]


def loader(
    batches: torch.utils.data.Dataset[Batch],
    positions: NDArray[np.int64],
    batch_size: int,
    seed: int | None,
    epoch: int = 0,
) -> DataLoader[Batch]:
    """A loader that yields whole batches in this process: slicing memory-mapped arrays needs no workers."""
    return DataLoader(batches, sampler=EpochOrder(positions, batch_size, seed, epoch), batch_size=None)
