"""Pretrained weights from real files in torch's hub cache, and every way of not getting them. No network."""

import gc
import socket
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models import ResNet50_Weights, resnet50
from torchvision.models.segmentation import FCN_ResNet50_Weights, fcn_resnet50

from btlib.errors import ModelError, UnknownNameError
from btlib.thesis.models import create, pretrained

COCO = FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1
IMAGENET = ResNet50_Weights.IMAGENET1K_V1
State = dict[str, Tensor]


def marked(shapes: State) -> State:
    """Every tensor filled with a number of its own; one stored number each, so the files are small."""
    return {k: torch.tensor(i + 1).to(v.dtype).expand(v.shape) for i, (k, v) in enumerate(shapes.items())}


@pytest.fixture(scope="module")
def states() -> dict[str, State]:
    """What torchvision's files hold, by weights: the right names and shapes."""
    with torch.device("meta"):
        coco = fcn_resnet50(weights=None, weights_backbone=None, num_classes=21, aux_loss=True).state_dict()
        imagenet = resnet50(weights=None).state_dict()
    return {"coco": marked(coco), "imagenet": marked(imagenet)}


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of torch's, and no memory of what "auto" came to."""
    with tempfile.TemporaryDirectory() as home:
        monkeypatch.setenv("TORCH_HOME", home)
        monkeypatch.setattr(torch.hub, "_hub_dir", None)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        folder = Path(home) / "hub" / "checkpoints"
        folder.mkdir(parents=True)
        pretrained._coco_or_none.cache_clear()
        yield folder
        pretrained._coco_or_none.cache_clear()


@pytest.fixture
def cached(hub: Path, states: dict[str, State]) -> Path:
    """A cache that holds COCO's and ImageNet's files."""
    torch.save(states["coco"], hub / Path(COCO.url).name)
    torch.save(states["imagenet"], hub / Path(IMAGENET.url).name)
    return hub


def from_file(state: State, stored: State, names: dict[str, str]) -> set[str]:
    """Which of a model's tensors are, bit by bit, those of the file; `names`: our prefixes → the file's."""
    pairs = {k: names[room] + rest for k in state for room, _, rest in [k.partition(".")] if room in names}
    return {k for k, theirs in pairs.items() if theirs in stored and torch.equal(state[k], stored[theirs])}


@pytest.mark.parametrize("variant", ["A", "B", "C", "D"])
def test_coco_fills_all_but_the_new_last_convolutions(variant: str, cached: Path, states: dict[str, State]) -> None:
    state = create(variant, "coco").state_dict()
    names = {"backbone": "backbone.", "decoder": "classifier.", "aux": "aux_classifier."}
    new = {
        "A": {"decoder.4.weight", "decoder.4.bias"},
        "B": set(),
        "C": {"decoder.4.weight", "decoder.4.bias"},
        "D": {"decoder.4.weight", "decoder.4.bias", "aux.4.weight", "aux.4.bias"},
    }[variant]
    left = set(state) - from_file(state, states["coco"], names)
    assert left == new | {k for k in state if k.startswith(("head.", "coupling."))}


def test_imagenet_fills_the_backbone_alone(cached: Path, states: dict[str, State]) -> None:
    torch.manual_seed(0)
    fresh = create("E").state_dict()
    torch.manual_seed(0)
    state = create("E", "imagenet").state_dict()
    assert from_file(state, states["imagenet"], {"backbone": ""}) == {k for k in state if k.startswith("backbone.")}
    assert all(torch.equal(state[k], fresh[k]) for k in state if not k.startswith("backbone."))


def test_what_the_file_does_not_fill_keeps_its_own_finite_initialisation(cached: Path) -> None:
    torch.manual_seed(0)
    fresh = create("D").state_dict()
    torch.manual_seed(0)
    state = create("D", "coco").state_dict()
    for key in ("decoder.4.weight", "aux.4.weight", "head.out.weight"):
        assert torch.equal(state[key], fresh[key])
    assert not torch.equal(state["decoder.0.weight"], fresh["decoder.0.weight"])


@pytest.mark.parametrize("weights", [None, "none"])
def test_none_asks_neither_cache_nor_network(weights: str | None, hub: Path, unreachable: None) -> None:
    assert create("B", weights, backbone="resnet50").backbone_name == "resnet50"


def test_a_file_that_lacks_tensors_of_the_backbone_is_refused(hub: Path, states: dict[str, State]) -> None:
    partial = {k: v for k, v in states["coco"].items() if not k.startswith("backbone.layer4.2.conv3")}
    torch.save(partial, hub / Path(COCO.url).name)
    with pytest.raises(
        ModelError, match=r"lack 1 of the backbone's tensors, such as 'backbone\.layer4\.2\.conv3\.weight'"
    ):
        create("A", "coco")


@pytest.mark.parametrize("weights", ["coco", "imagenet"])
def test_tiny_has_no_pretrained_weights(weights: str, hub: Path) -> None:
    with pytest.raises(ModelError, match=f"no pretrained weights '{weights}' for the backbone 'tiny'") as caught:
        create("A", weights, backbone="tiny")
    assert caught.value.hint == "use weights none"


def test_unknown_weights_are_answered_with_the_nearest(hub: Path) -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'coco'"):
        create("A", "koko", backbone="tiny")


class Elsewhere:
    """torchvision's entry for some weights, at another address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def get_state_dict(self, **options: bool) -> State:
        return torch.hub.load_state_dict_from_url(self.url, **options)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights at a port of this machine where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    entry = Elsewhere(f"http://127.0.0.1:{port}/{Path(COCO.url).name}")
    monkeypatch.setattr(pretrained.models, "get_weight", lambda _name: entry)


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[bytes], None]]:
    """Weights at a server of this machine; call it with the raw answer, none for a server that never answers."""
    stop, answer = threading.Event(), bytearray()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if answer:
                self.wfile.write(answer)
            else:
                stop.wait(30)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    entry = Elsewhere(f"http://127.0.0.1:{server.server_port}/{Path(COCO.url).name}")
    monkeypatch.setattr(pretrained.models, "get_weight", lambda _name: entry)
    yield answer.extend
    stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


def refused() -> pretrained.WeightsUnavailableError:
    """The error. Torch does not close its connection: it goes with the traceback, here and not in some later test."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            with torch.device("meta"):  # no numbers are drawn for a model that comes to nothing
                create("B", "coco")
        except pretrained.WeightsUnavailableError as error:
            found = error.with_traceback(None)
            found.__cause__ = found.__context__ = None
        else:
            pytest.fail("the weights were had")
        gc.collect()
    assert "FCN_ResNet50_Weights.COCO_WITH_VOC_LABELS_V1" in found.problem
    assert "weights none" in str(found.hint)
    return found


def test_without_network_the_error_says_what_to_do(hub: Path, unreachable: None) -> None:
    assert "hub cache" in str(refused().hint)
    assert list(hub.iterdir()) == []


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.0 404 Not Found\r\n\r\n",
        b"HTTP/1.0 202 Accepted\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.0 200 OK\r\n\r\n<html>log in first</html>",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1000\r\n\r\nbroken off",
        b"SSH-2.0-nonsense\r\n\r\n",
    ],
    ids=["404", "202 and nothing", "a portal's page", "broken off", "not HTTP"],
)
def test_a_download_that_is_not_the_file_is_refused_and_not_kept(
    answer: bytes, hub: Path, served: Callable[[bytes], None]
) -> None:
    served(answer)
    refused()
    assert list(hub.iterdir()) == []


def test_a_server_that_never_answers_does_not_hang(
    hub: Path, served: Callable[[bytes], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pretrained, "TIMEOUT", 0.2)
    before = socket.getdefaulttimeout()
    assert "timed out" in refused().problem
    assert socket.getdefaulttimeout() == before


@pytest.mark.parametrize("damage", ["truncated", "empty", "text"])
def test_a_damaged_file_in_the_cache_is_named(damage: str, cached: Path) -> None:
    file = cached / Path(COCO.url).name
    whole = file.read_bytes()
    file.write_bytes({"truncated": whole[: len(whole) // 2], "empty": b"", "text": b"<html>" * 99}[damage])
    assert "cache" in str(refused().hint)


def test_auto_takes_coco_where_it_can_be_had(cached: Path) -> None:
    assert pretrained.resolve_weights("auto", "resnet50") == ("coco", ())


def test_auto_goes_on_without_and_says_so(hub: Path, unreachable: None) -> None:
    weights, notes = pretrained.resolve_weights("auto", "resnet50")
    assert weights == "none"
    assert len(notes) == 2
    assert "cannot get FCN_ResNet50_Weights" in notes[0]
    assert "from scratch" in notes[1]


@pytest.mark.parametrize(
    ("asked", "backbone", "resolved", "remarks"),
    [
        ("auto", "tiny", "none", 0),
        ("none", "tiny", "none", 0),
        ("coco", "tiny", "coco", 0),
        ("none", "resnet50", "none", 1),
        ("imagenet", "resnet50", "imagenet", 0),
        ("coco", "resnet101", "coco", 0),
    ],
)
def test_named_weights_stay_as_they_are(
    asked: str, backbone: str, resolved: str, remarks: int, hub: Path, unreachable: None
) -> None:
    weights, notes = pretrained.resolve_weights(asked, backbone)
    assert (weights, len(notes)) == (resolved, remarks)


def test_settling_unknown_weights_names_the_option(hub: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"--bt-weights: unknown weights 'cocoa'\n.*did you mean 'coco'"):
        pretrained.resolve_weights("cocoa", "tiny")
