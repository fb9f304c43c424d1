"""A user's project: the real benchmark files, and toy cases that need no framework and no training."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import scipy.stats  # noqa: F401  # pytester forgets what a test imports first, and it cannot be imported twice

from btlib.data import write_phantoms

from ..spreads import with_spread
from .session_server import SessionServer

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

IMPORTED_ONCE = (
    *("scipy.stats", "scipy.ndimage", "scipy.optimize", "scipy.spatial", "pandas", "statsmodels.stats.multitest"),
    *("matplotlib.figure", "matplotlib.backends.backend_svg", "matplotlib.backends.backend_agg"),
    *("cv2", "h5py", "jinja2", "joblib", "pydantic", "rich.console", "tabulate", "xml.etree.ElementTree"),
    *("pytest", "asyncio", "ssl", "unittest.mock", "importlib.metadata", "pygments.lexers"),
    *("btlib.cases", "btlib.runs", "btlib.explain", "btlib.speed", "btlib.reporting.html.write"),
)
"""What sessions with benchmarks use, but for deep-learning frameworks and plugins of pytest."""

WITHOUT_PICTURES = ("-p", "without_pictures")
"""Few tests look at a run's page and figures, which are more than a second's work."""

IMPORTED_BEFORE = ("-W", "ignore:Module already imported so cannot be rewritten:pytest.PytestAssertRewriteWarning")
"""What pytest rightly says of a server's session, and of no other."""

CONFTEST = '''
import os
import signal
import time

import numpy as np
import pytest
from known_truth import Truth

from btlib.cases import CASES, Case, Prepared
from btlib.types import Predictions

REFERENCE = None


class Knows:
    """Knows the truth, and spoils it as the environment asks."""

    def __init__(self, name):
        self.truth, self.mood = Truth(), os.environ.get("MOOD_" + name, "good")

    def predict(self, images):
        masks, labels, ids = self.truth.of(images)
        if self.mood == "slow":
            time.sleep(0.1)
        if self.mood == "nan":
            masks = masks * np.nan
        if self.mood == "bad":
            masks, labels = masks * 0, (labels + 1) % 3
        if self.mood == "one wrong":
            labels = np.where(ids == self.truth.first, (labels + 1) % 3, labels)
        return Predictions(masks, np.eye(3)[labels])


def prepare(name):
    def ready(work):
        with open("prepared.txt", "a") as file:
            print(name, file=file)
        mood = os.environ.get("MOOD_" + name)
        if mood == "raise":
            raise RuntimeError("out of luck")
        if mood == "skip":
            pytest.skip("not today")
        if mood == "memory":
            raise MemoryError
        if mood == "sleep":
            time.sleep(60)
        if mood in ("SIGINT", "SIGTERM"):
            os.kill(os.getpid(), getattr(signal, mood))
            time.sleep(60)
        predictor = Knows(name)
        return Prepared(predictor, "given", training_step=lambda n: lambda: None)

    return ready


for name in ("toy1", "toy2"):
    CASES.add(name, Case(name, "a toy", True, True, prepare(name), speed_reference=REFERENCE))
'''

INSTANT = """
from btlib.speed.reference import Call

class Instant:
    name = kind = "instant reference"

    def call(self, job):
        return Call(0.01, 10.0)

    def start(self):
        pass

    def another(self):
        return Instant()

    def release(self):
        pass

    def close(self):
        pass

def REFERENCE(recipe, threads):
    return Instant()
"""
"""In place of `REFERENCE = None`: a speed reference of the toys that takes no time, and says that it took 10 ms."""


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty phantoms."""
    return write_phantoms(tmp_path_factory.mktemp("phantoms"), 40)


@pytest.fixture(scope="session")
def session_server() -> Iterator[SessionServer]:
    """Starts sessions that need not import what all of them use."""
    server = SessionServer(IMPORTED_ONCE)
    yield server
    server.close()


@pytest.fixture
def project(
    pytester: pytest.Pytester, phantoms: Path, session_server: SessionServer, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., pytest.RunResult]]:
    """Runs pytest on the toys of a fresh project; moods and options are given."""
    shutil.copytree(BENCHMARKS, pytester.path / "benchmarks", ignore=shutil.ignore_patterns("__pycache__"))
    pytester.makeconftest(CONFTEST)
    quiet = "-p no:cacheprovider -p no:randomly -p no:hypothesispytest"
    pytester.makeini(f"[pytest]\naddopts = --import-mode=importlib --strict-markers {quiet}")
    monkeypatch.setattr(pytester, "popen", session_server.popen)
    patch = pytest.MonkeyPatch()
    patch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the tests may run under xdist, the project does not

    def run(
        *args: str, select: str | None = "toy", data: Path | None = phantoms, pictures: bool = False, **moods: str
    ) -> pytest.RunResult:
        assert set(moods) <= {"toy1", "toy2"}
        for name in ("toy1", "toy2"):
            patch.setenv(f"MOOD_{name}", moods.get(name, "good"))
        options = ["--bt-image-size=32", *(["-k", select] if select else []), *([f"--bt-data={data}"] if data else [])]
        return pytester.runpytest_subprocess(*([] if pictures else WITHOUT_PICTURES), "benchmarks", *options, *args)

    yield run
    patch.undo()


@pytest.fixture
def edit_conftest(pytester: pytest.Pytester) -> Callable[..., None]:
    """Puts one text in place of another in the project's conftest, and another one at its end."""

    def edit(old: str = "", new: str = "", end: str = "") -> None:
        path = pytester.path / "conftest.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1) + end)

    return edit


@pytest.fixture
def latest(pytester: pytest.Pytester) -> Callable[[], Path]:
    """The folder of the latest run."""
    return lambda: max((pytester.path / "reports").iterdir(), key=lambda path: path.stat().st_mtime_ns)


@pytest.fixture(scope="session")
def baseline_of_toys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first test that needs it keeps it: measuring the toys takes ten seconds, and it is the same for all."""
    return tmp_path_factory.mktemp("accepted") / "smoke.json"


@pytest.fixture
def accepted(
    project: Callable[..., pytest.RunResult],
    latest: Callable[[], Path],
    pytester: pytest.Pytester,
    baseline_of_toys: Path,
) -> Callable[..., pytest.RunResult]:
    """The project, with its own numbers accepted as the smoke baseline, and a small spread between trainings."""
    from btlib.gate.acceptance import propose

    if not baseline_of_toys.exists():
        project("--benchmark-disable")
        margins = {"dice": 0.05, "accuracy": 0.05}
        with_spread(propose(latest(), "smoke", "for a test", margins).new).save(baseline_of_toys)
        shutil.rmtree(pytester.path / "reports")
        (pytester.path / "prepared.txt").unlink()
    (pytester.path / "baselines").mkdir()
    shutil.copy(baseline_of_toys, pytester.path / "baselines")
    return project


@pytest.fixture
def written(pytester: pytest.Pytester) -> Callable[[dict[str, str]], None]:
    """Writes files into the project, by path and text."""

    def write(files: dict[str, str]) -> None:
        for name, text in files.items():
            (pytester.path / name).parent.mkdir(parents=True, exist_ok=True)
            (pytester.path / name).write_text(text)

    return write


@pytest.fixture
def run(
    pytester: pytest.Pytester, session_server: SessionServer, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., pytest.RunResult]:
    """Runs pytest in the folder; nothing of the session around it is inherited."""
    monkeypatch.setattr(pytester, "popen", session_server.popen)
    for name in [name for name in os.environ if name.startswith("PYTEST_")]:
        monkeypatch.delenv(name)

    def inner(*args: str, pictures: bool = False) -> pytest.RunResult:
        shuffled = () if "randomly" in args else ("-p", "no:randomly")
        quick = ("-p", "no:benchmark", "-p", "no:hypothesispytest")  # what has no part in it and takes long to import
        return pytester.runpytest_subprocess(
            *([] if pictures else WITHOUT_PICTURES), *quick, *shuffled, *args, *IMPORTED_BEFORE
        )

    return inner


@pytest.fixture
def measure(run: Callable[..., pytest.RunResult], phantoms: Path) -> Callable[..., pytest.RunResult]:
    """Runs pytest in the folder: what is measured is so on a few small samples, and compared with nothing."""
    return lambda *args: run("--bt-baseline=none", f"--bt-data={phantoms}", "--bt-image-size=32", *args)


@pytest.fixture
def empty_cache(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of btlib in the folder: what is read or written of btlib's own is then seen there."""
    folder = pytester.path / "cache-of-btlib"
    monkeypatch.setenv("BTLIB_CACHE", str(folder))
    return folder
