from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from btlib.data.dataset import Dataset
from btlib.data.task import Task
from btlib.thesis.training import batches as batches_room
from btlib.thesis.training.batches import DeviceBatches, EpochOrder, SampleBatches, batches_of, loader

Make = Callable[..., Dataset]


def test_a_batch_is_the_samples_it_names(make_dataset: Make):
    dataset = make_dataset(9)
    at = np.array([5, 0, 7])
    part = np.array([8, 2, 3, 5, 0, 1, 4, 7])
    for samples, named in ((dataset, at), (dataset.part(part), part[at])):
        images, masks, labels = SampleBatches(samples)[at]
        assert np.array_equal(images.numpy(), dataset.images[named])
        assert np.array_equal(masks.numpy(), dataset.masks[named].astype(np.float32))
        assert labels.tolist() == dataset.labels[named].tolist()
        assert (images.dtype, masks.dtype, labels.dtype) == (torch.float32, torch.float32, torch.int64)


def test_batches_from_the_device_are_the_same(make_dataset: Make, monkeypatch: pytest.MonkeyPatch):
    """In pieces that do not divide the number of samples."""
    monkeypatch.setattr(DeviceBatches, "_PIECE", 4)
    dataset = make_dataset(11)
    at = np.array([5, 0, 8, 5])
    for samples in (dataset, dataset.part(np.arange(9)[::-1] + 1)):
        found = DeviceBatches(samples, torch.device("cpu"))[at]
        for ours, theirs in zip(found, SampleBatches(samples)[at], strict=True):
            assert ours.dtype == theirs.dtype
            assert torch.equal(ours, theirs)


def test_samples_stay_in_their_files_where_they_do_not_fit(make_dataset: Make, monkeypatch: pytest.MonkeyPatch):
    """Training and validation samples together."""
    train, val = make_dataset(9), make_dataset(4)
    needed = (train.images.size + val.images.size) * 5
    monkeypatch.setattr(batches_room, "DeviceBatches", lambda samples, device: ("on the device", samples))
    for free, fits in ((2 * needed, False), (2 * needed + 2, True)):
        monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device, free=free: (free, free))
        found = batches_of(train, val, torch.device("cuda"))
        assert (found == (("on the device", train), ("on the device", val))) is fits
    for part, samples in zip(batches_of(train, val, torch.device("cpu")), (train, val), strict=True):
        assert isinstance(part, SampleBatches)
        assert part.samples is samples


def test_a_task_without_classes_has_labels_that_nobody_learns(make_dataset: Make):
    whole = make_dataset(5)
    bare = replace(whole, task=Task(name="masks", structures=("tumour",)), labels=None)
    for batches in (SampleBatches(bare), DeviceBatches(bare, torch.device("cpu"))):
        assert batches[np.array([4, 1])][2].tolist() == [0, 0]


def test_each_epoch_has_every_sample_once_in_an_order_of_its_own():
    order = EpochOrder(11, 4, seed=3)
    epochs = []
    for epoch in range(3):
        order.set_epoch(epoch)
        batches = list(order)
        assert [len(b) for b in batches] == [4, 4, 3] == [4, 4, 3][: len(order)]
        epochs.append(np.concatenate(batches).tolist())
    assert all(sorted(e) == list(range(11)) for e in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != epochs[0]
    again = EpochOrder(11, 4, seed=3)
    again.set_epoch(2)
    assert np.concatenate(list(again)).tolist() == epochs[2]


def test_without_a_seed_the_order_stays():
    assert [batch.tolist() for batch in EpochOrder(3, 2, None)] == [[0, 1], [2]]


@pytest.mark.parametrize("size", [1, 4, 50])
def test_a_loader_yields_whole_batches(make_dataset: Make, size: int):
    got = list(loader(SampleBatches(make_dataset(9)), 9, size, None))
    assert torch.cat([labels for _, _, labels in got]).tolist() == [0, 1, 2] * 3
