from collections.abc import Callable

import numpy as np
import pytest
import torch

from btlib.data.dataset import Dataset
from btlib.training import batches as batches_room
from btlib.training.batches import DeviceBatches, EpochOrder, SliceBatches, batches_of, loader

Make = Callable[..., Dataset]


def test_a_batch_is_the_slices_it_names(make_dataset: Make):
    dataset = make_dataset(9)
    at = np.array([5, 0, 7])
    images, masks, labels = SliceBatches(dataset)[at]
    assert np.array_equal(images[:, 0].numpy(), dataset.images[at])
    assert np.array_equal(masks[:, 0].numpy(), dataset.masks[at].astype(np.float32))
    assert labels.tolist() == dataset.labels[at].tolist()
    assert (images.dtype, masks.dtype, labels.dtype) == (torch.float32, torch.float32, torch.int64)


def test_batches_from_the_device_are_the_same(make_dataset: Make, monkeypatch: pytest.MonkeyPatch):
    """In pieces that do not divide the number of slices."""
    monkeypatch.setattr(DeviceBatches, "_PIECE", 4)
    dataset = make_dataset(9)
    at = np.array([5, 0, 8, 5])
    for ours, theirs in zip(DeviceBatches(dataset, torch.device("cpu"))[at], SliceBatches(dataset)[at], strict=True):
        assert ours.dtype == theirs.dtype
        assert torch.equal(ours, theirs)


def test_slices_stay_in_their_files_where_they_do_not_fit(make_dataset: Make, monkeypatch: pytest.MonkeyPatch):
    dataset = make_dataset(9)
    needed = dataset.images.size * 5
    monkeypatch.setattr(batches_room, "DeviceBatches", lambda *args: "on the device")
    for free, fits in ((2 * needed, False), (2 * needed + 2, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        assert (batches_of(dataset, torch.device("cuda")) == "on the device") is fits
    assert isinstance(batches_of(dataset, torch.device("cpu")), SliceBatches)


def test_each_epoch_has_every_slice_once_in_an_order_of_its_own():
    order = EpochOrder(np.arange(10, 21), 4, seed=3)
    epochs = []
    for epoch in range(3):
        order.set_epoch(epoch)
        batches = list(order)
        assert [len(b) for b in batches] == [4, 4, 3] == [4, 4, 3][: len(order)]
        epochs.append(np.concatenate(batches).tolist())
    assert all(sorted(e) == list(range(10, 21)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    again = EpochOrder(np.arange(10, 21), 4, seed=3)
    again.set_epoch(2)
    assert np.concatenate(list(again)).tolist() == epochs[2]


def test_without_a_seed_the_order_stays():
    assert np.concatenate(list(EpochOrder(np.array([4, 2, 9]), 2, None))).tolist() == [4, 2, 9]


@pytest.mark.parametrize("size", [1, 4, 50])
def test_a_loader_yields_whole_batches(make_dataset: Make, size: int):
    got = list(loader(SliceBatches(make_dataset(9)), np.arange(9), size, None))
    assert torch.cat([labels for _, _, labels in got]).tolist() == [0, 1, 2] * 3
