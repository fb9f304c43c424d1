"""A baseline file is sound, or `Baseline.load` says what is wrong with it; nothing else comes out of it."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from btlib import Baseline, fingerprint
from btlib.errors import BaselineError
from btlib.sample_table import SampleTable

Make = Callable[..., Baseline]
ROOT = Path(__file__).parents[2] / "baselines"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


def test_a_baseline_survives_its_file(tmp_path, measured_baseline: Make):
    baseline = measured_baseline()
    path = tmp_path / "made.json"
    baseline.save(path)
    assert Baseline.load(path) == Baseline.load(str(path)) == baseline
    text = path.read_text()
    baseline.save(path)
    assert path.read_text() == text
    assert list(json.loads(text)) == sorted(json.loads(text))


def edited(change: Callable[[dict], object], baseline: Baseline, path: Path) -> Path:
    baseline.save(path)
    value = json.loads(path.read_text())
    del value["digest"]
    change(value)
    path.write_text(json.dumps(value | {"digest": fingerprint.of(value)}))
    return path


def of_its_own(value: dict, **change: object) -> None:
    """The file's task under a name that btlib does not know, and otherwise changed."""
    value["task"].update(name="mine", **change)
    value["conditions"].update(origin="mine")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda b: b.update(schema="btlib-baseline/0"), "schema: expected btlib-baseline/1 or btlib-baseline/2, got"),
        (lambda b: b.pop("schema"), "schema: expected btlib-baseline/1 or btlib-baseline/2, got None"),
        (lambda b: b.pop("task"), "task: Field required"),
        (lambda b: of_its_own(b, classes=["a", "b", "c", "d"]), "test_class_counts: expected 4 numbers, got 3"),
        (lambda b: of_its_own(b, classes=["a", "b"]), "test_class_counts: expected 2 numbers, got 3"),
        (lambda b: of_its_own(b, structures=["tumour", "oedema"]), "columns: oedema/truth_area is missing"),
        (lambda b: of_its_own(b, structures=["lesion"]), "columns: lesion/truth_area is missing"),
        (lambda b: of_its_own(b, colour="red"), r"conditions\.task\.colour: Extra inputs"),
        (lambda b: b["task"].update(colour="red"), r"task\.colour: Extra inputs"),
        (lambda b: b["task"]["classes"].append("none"), r"task\.classes: expected .* for a built-in task"),
        (lambda b: b["task"].update(structures=["lesion"]), r"task\.structures: expected \['tumour'\] for a built-in"),
        (
            lambda b: b["task"].update(name="figshare"),
            r"task\.synthetic: expected False for a built-in task, got True",
        ),
        (lambda b: b.pop("samples"), "samples: missing, but there are runs"),
        (lambda b: b["samples"]["id"].__setitem__(0, ""), r"samples\.id\.0: expected text that is not blank"),
        (lambda b: b["samples"]["id"].__setitem__(0, 1), r"samples\.id\.0: expected text, got 1"),
        (lambda b: b["samples"]["id"].__setitem__(0, "2"), "id: a sample occurs more than once"),
        (lambda b: b["task"].update(name="mine"), "its name is 'mine', but conditions.origin is 'phantom'"),
        (
            lambda b: b["task"].update(name="figshare", synthetic=False),
            "its name is 'figshare', but conditions.origin is 'phantom'",
        ),
        (lambda b: b["conditions"].pop("origin"), "its name is 'phantom', but conditions.origin is None"),
        (lambda b: b.update(schema_version=2), "schema_version: Extra inputs"),
        (lambda b: b["samples"]["columns"]["tumour/truth_area"].__setitem__(0, 10**400), "does not follow"),
        (
            lambda b: b["conditions"].update(patients={"source": "files", "n_test": 61, "seen": 1}),
            "patients: expected n_test and seen of at most 60, the number of test samples, got 61 and 1",
        ),
        (
            lambda b: (
                b["conditions"].update(patients={"source": "files", "n_test": 9, "seen": 1}),
                b["samples"]["patient"].__setitem__(0, None),
            ),
            "a sample has no patient, but conditions.patients counts patients",
        ),
        (lambda b: b["samples"].update(volume=["v"] * 59), "volume: expected 60 values, got 59"),
        (lambda b: b["samples"].update(volume=[None] * 60), r"samples\.volume\.0: expected text"),
        (
            lambda b: b["samples"]["columns"].update({"tumour/pred_area": [1] * 60}),
            "columns: tumour/pred_area is both in samples and in a run",
        ),
        (
            lambda b: b["samples"]["columns"].update({"tumour/weight": [1] * 60}),
            "columns: 'tumour/weight' is neither a measure of a structure nor of a class",
        ),
        (lambda b: b["samples"].update(colour=[]), "samples.colour: Extra inputs"),
        (lambda b: b["cases"]["X"]["runs"][0].update(colour=1), r"cases\.X\.runs\.0\.colour: Extra inputs"),
        (
            lambda b: b["cases"]["X"]["runs"][0]["columns"].pop("probability/glioma"),
            "columns: probability/meningioma is present, but probability/glioma is missing",
        ),
        (
            lambda b: b["cases"]["X"]["runs"][0]["columns"].update(score=[1.0]),
            "score: expected 60 values, got 1",
        ),
        (lambda b: b.pop("conditions"), "conditions: Field required"),
        (lambda b: b.update(colour="red"), "colour: Extra inputs"),
        (lambda b: b["cases"].clear(), "cases: .*at least 1"),
        (
            lambda b: b["cases"]["X"]["figures"][0].update(value="0.9"),
            r"cases\.X\.figures\.0\.value: expected a number, got",
        ),
        (lambda b: b["cases"]["X"]["figures"][0].update(value=0.95), "dice is 0.95, but its samples give 0.9"),
        (lambda b: b["cases"]["X"]["figures"][0].update(margin=2), "margin 2 is wider than the range 0…1 of dice"),
        (lambda b: b["cases"]["X"]["figures"][0].update(margin=0), "margin: expected a number above 0"),
        (lambda b: b["cases"]["X"]["figures"][0].update(metric="hd95"), "hd95: expected the unit px, got 1"),
        (
            lambda b: b["cases"]["X"]["figures"][0].update(metric="hd95", unit="px"),
            "hd95 has a margin, but a run does not contain its values",
        ),
        (lambda b: b["cases"]["X"]["figures"][0].update(metric="macro_f1"), "expected the aggregation none"),
        (lambda b: b["cases"]["X"]["figures"][0].update(metric="speed"), "only a known metric"),
        (lambda b: b["cases"]["X"]["figures"][0].update(aggregation="class"), "must be a sample or batch mean"),
        (lambda b: b["cases"]["X"]["figures"][0].update(value=1.5), "within 0…1"),
        (lambda b: b["cases"]["X"]["runs"].append(b["cases"]["X"]["runs"][0]), "a seed occurs more than once"),
        (
            lambda b: b["cases"]["X"]["figures"].append(b["cases"]["X"]["figures"][0]),
            "more than one figure with a margin",
        ),
        (lambda b: b["cases"]["X"].update(runs=[]), "a measured baseline needs numbers per sample"),
        (lambda b: b["samples"]["id"].pop(), "expected"),
        (
            lambda b: b["cases"]["X"]["runs"][0]["columns"]["tumour/pred_area"].pop(),
            "pred_area: expected 60 values",
        ),
        (
            lambda b: b["conditions"].update(truth_fingerprint=None),
            "conditions.truth_fingerprint: required in a measured",
        ),
        (
            lambda b: b["conditions"].update(input_fingerprint=None),
            "conditions.input_fingerprint: required in a measured",
        ),
        (lambda b: b["conditions"].pop("truth_fingerprint"), "conditions.truth_fingerprint: Field required"),
        (
            lambda b: b["conditions"].update(split_fingerprint=None),
            "conditions.split_fingerprint: required in a measured",
        ),
        (lambda b: b["conditions"].update(n_test=61), "60 samples, but conditions.n_test is 61"),
    ],
)
def test_a_file_that_breaks_the_schema_is_refused_and_the_field_named(
    change: Callable[[dict], object], problem: str, tmp_path, measured_baseline: Make
):
    path = edited(change, measured_baseline(), tmp_path / "made.json")
    with pytest.raises(BaselineError, match=problem) as caught:
        Baseline.load(path)
    assert str(path) in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_no_number_that_is_none_gets_in(number: str, tmp_path, measured_baseline: Make):
    path = tmp_path / "made.json"
    measured_baseline().save(path)
    path.write_text(path.read_text().replace('"threshold": 0.65', f'"threshold": {number}'))
    with pytest.raises(BaselineError, match="threshold"):
        Baseline.load(path)


def test_a_missing_file_offers_the_nearest(tmp_path, measured_baseline: Make):
    measured_baseline().save(tmp_path / "smoke.json")
    with pytest.raises(BaselineError, match=r"smok\.json: no such baseline file\n.*did you mean smoke"):
        Baseline.load(tmp_path / "smok.json")


def test_a_path_that_is_none_is_no_baseline():
    with pytest.raises(BaselineError, match="cannot be read"):
        Baseline.load("a\0b")


def test_a_folder_or_no_text_is_no_baseline(tmp_path):
    (tmp_path / "bytes.json").write_bytes(b"\xff\xfe\x00")
    for name in ("bytes.json", "."):
        with pytest.raises(BaselineError, match="cannot be read"):
            Baseline.load(tmp_path / name)


def test_an_interrupted_save_leaves_the_old_file(tmp_path, measured_baseline: Make, monkeypatch):
    path = tmp_path / "made.json"
    measured_baseline().save(path)
    before = path.read_bytes()
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        measured_baseline(margin=0.3).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("change", [lambda b: b.pop("digest"), lambda b: b.update(reason="another"), lambda b: b])
def test_an_edit_by_hand_is_noticed(change: Callable[[dict], object], tmp_path, measured_baseline: Make):
    path = tmp_path / "made.json"
    measured_baseline().save(path)
    value = json.loads(path.read_text())
    told = change(value)
    path.write_text(json.dumps(value))
    if told is value:  # another layout is not another content
        assert Baseline.load(path) == measured_baseline()
    else:
        with pytest.raises(BaselineError, match="digest: does not match the content"):
            Baseline.load(path)


@given(data=st.data())
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_changed_byte_is_noticed(data, tmp_path, measured_baseline: Make):
    """Whatever one byte of a sound file becomes: the same content comes out, or nothing does."""
    path = tmp_path / "made.json"
    baseline = measured_baseline()
    baseline.save(path)
    raw = bytearray(path.read_bytes())
    raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(raw)
    try:
        loaded = Baseline.load(path)
    except BaselineError:
        return
    assert loaded == baseline


@given(value=JSON)
@settings(max_examples=80)
def test_any_json_is_refused_by_name(value, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.json"
    path.write_text(json.dumps(value))
    with pytest.raises(BaselineError):
        Baseline.load(path)


@given(cut=st.floats(0, 0.999), noise=st.binary(max_size=3))
@settings(max_examples=60)
def test_a_damaged_file_is_refused_by_name(cut, noise, tmp_path_factory):
    whole = (ROOT / "thesis.json").read_bytes()
    path = tmp_path_factory.getbasetemp() / "cut.json"
    path.write_bytes(whole[: int(len(whole) * cut)] + noise)
    with pytest.raises(BaselineError):
        Baseline.load(path)


def test_deep_nesting_is_refused_by_name(tmp_path):
    (tmp_path / "deep.json").write_text("[" * 100_000)
    with pytest.raises(BaselineError):
        Baseline.load(tmp_path / "deep.json")


def test_the_committed_baselines_are_sound():
    names = {path.stem: Baseline.load(path) for path in ROOT.glob("*.json")}
    assert {"smoke", "thesis"} <= set(names)
    for name, baseline in names.items():
        assert baseline.name == name


def test_smoke_means_something():
    """A broken model must fall short of it: that needs numbers well above chance."""
    smoke = Baseline.load(ROOT / "smoke.json")
    assert sorted(smoke.cases) == list("ABCDEFG")
    for name, case in smoke.cases.items():
        for run in case.runs:
            assert isinstance(run.samples, SampleTable)
        dice, accuracy = smoke.figure(name, "dice"), smoke.figure(name, "accuracy")
        assert (dice is not None, accuracy is not None) == (name != "B", name != "A")
        assert dice is None or dice.value >= 0.6
        assert accuracy is None or accuracy.value >= (0.5 if name == "C" else 0.8)
