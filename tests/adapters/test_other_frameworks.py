"""JAX, Keras and scikit-learn behind the protocol say what the model itself says."""

import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from btlib import evaluate
from btlib.adapters import JaxPredictor, KerasPredictor, Outputs, SklearnPredictor, load_keras
from btlib.adapters.device_choice import torch_name
from btlib.data.dataset import Dataset
from btlib.errors import ModelError, PredictionError

from .conftest import WEIGHTS, mask_logits, sigmoid


def test_jax(same: Callable[..., None]):
    from jax import numpy as jnp

    def apply(params: dict, x: object) -> dict:
        rows = jnp.linspace(-1, 1, x.shape[1])[:, None, None]
        pooled = jnp.stack([x.mean(axis=(1, 2, 3)), x.max(axis=(1, 2, 3))], axis=1)
        return {"mask": x * params["scale"] - 2 + rows, "classes": pooled @ params["weights"]}

    same(JaxPredictor(apply, {"scale": 4.0, "weights": WEIGHTS}, Outputs("mask", "classes")), tolerance=1e-5)


def test_jax_in_bfloat16_gives_numbers_of_numpy(images: np.ndarray):
    from jax import numpy as jnp

    said = JaxPredictor(lambda p, x: x.astype(jnp.bfloat16), None, Outputs(0)).predict(images)
    assert said.mask_prob.dtype == np.float32
    assert said.mask_prob == pytest.approx(sigmoid(images[:, 0]), abs=0.01)


@pytest.fixture(scope="module")
def keras(tmp_path_factory: pytest.TempPathFactory) -> object:
    """Keras on JAX, its settings outside the user's home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_BACKEND", "jax")
        patch.setenv("KERAS_HOME", str(tmp_path_factory.mktemp("keras")))
        import keras

        yield keras


@pytest.fixture
def model(keras: object) -> object:
    """A convolution for the mask, pooling and a dense layer for the classes."""
    x = keras.Input((None, None, 1))
    mask = keras.layers.Conv2D(1, 3, padding="same", name="mask")(x)
    types = keras.layers.Dense(3, activation="softmax", name="types")(keras.layers.GlobalMaxPooling2D()(x))
    return keras.Model(x, {"mask": mask, "types": types})


OUTPUTS = Outputs("mask", "types", class_kind="probabilities")


def test_keras(model: object, images: np.ndarray, tmp_path: Path):
    direct = {name: np.asarray(part) for name, part in model(np.moveaxis(images, 1, 3)).items()}
    with warnings.catch_warnings():  # of Keras's own arrays, to Keras itself
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        model.save(tmp_path / "net.keras")
    for predictor in (KerasPredictor(model, OUTPUTS), load_keras(tmp_path / "net.keras", OUTPUTS)):
        said = predictor.predict(images)
        assert said.mask_prob == pytest.approx(sigmoid(direct["mask"][..., 0]), abs=1e-6)
        assert said.class_prob == pytest.approx(direct["types"], abs=1e-6)


def test_a_keras_file_that_is_none(keras: object, tmp_path: Path):
    (tmp_path / "net.keras").write_text("lost")
    with pytest.raises(ModelError, match=r"net\.keras: Keras cannot load it"):
        load_keras(tmp_path / "net.keras", OUTPUTS)
    with pytest.raises(ModelError, match="Keras cannot load it"):
        load_keras(tmp_path / "nix.keras", OUTPUTS)


def brightness(images: np.ndarray) -> np.ndarray:
    return np.stack([images.mean(axis=(1, 2, 3)), images.max(axis=(1, 2, 3))], axis=1)


def test_a_classifier_of_scikit_learn(images: np.ndarray):
    model = LogisticRegression().fit(brightness(images), [0, 1, 2, 0, 1])
    said = SklearnPredictor(model, brightness, lambda x: sigmoid(mask_logits(x[:, 0]))).predict(images)
    assert said.class_prob == pytest.approx(model.predict_proba(brightness(images)))
    assert said.mask_prob == pytest.approx(sigmoid(mask_logits(images[:, 0])))


def test_a_class_that_was_never_seen_has_probability_zero(images: np.ndarray):
    model = LogisticRegression().fit(brightness(images), [2, 0, 2, 0, 2])
    said = SklearnPredictor(model, brightness).predict(images)
    assert said.mask_prob is None
    assert (said.class_prob[:, 1] == 0).all()
    assert said.class_prob[:, [0, 2]] == pytest.approx(model.predict_proba(brightness(images)))


def test_labels_of_the_files_are_refused(images: np.ndarray, make_dataset: Callable[..., Dataset]):
    """At once where the number of classes is told, else when they are scored."""
    model = LogisticRegression().fit(brightness(images), [1, 2, 3, 1, 2])
    with pytest.raises(ModelError, match=r"has \[1, 2, 3\](.|\n)*fit the classifier on work\.train\.labels"):
        SklearnPredictor(model, brightness, classes=3)
    with pytest.raises(PredictionError, match=r"class_prob: expected shape \(6, 3\), got \(6, 4\)"):
        evaluate(SklearnPredictor(model, brightness), make_dataset(6))
    for labels in (["a", "b", "a", "b", "a"], [0.5, 1, 0.5, 1, 0.5], [-1, 0, 1, 0, 1]):
        odd = SimpleNamespace(classes_=np.unique(labels))
        with pytest.raises(ModelError, match="expected labels among 0…"):
            SklearnPredictor(odd, brightness)
    fitted = LogisticRegression().fit(brightness(images), [0, 1, 2, 1, 2])
    with pytest.raises(PredictionError, match="no images"):
        SklearnPredictor(fitted, brightness).predict(images[:0])


def test_every_adapter_says_where_it_computes(model: object, images: np.ndarray, monkeypatch: pytest.MonkeyPatch):
    import jax

    assert torch_name(str(JaxPredictor(lambda p, x: x * p, np.float32(2), Outputs(0)).device)) == "cpu"
    assert torch_name(str(JaxPredictor(lambda p, x: x, None, Outputs(0)).device)) == "cpu"
    assert torch_name(str(KerasPredictor(model, Outputs(0)).device)) == "cpu"
    classifier = LogisticRegression().fit(images.reshape(len(images), -1), [0, 1, 2, 0, 1][: len(images)])
    assert SklearnPredictor(classifier, lambda x: x.reshape(len(x), -1)).device == "cpu"

    class Gpu:
        platform, id = "gpu", 1

    monkeypatch.setattr(jax, "devices", lambda: [Gpu()])
    assert torch_name(str(JaxPredictor(lambda p, x: x, None, Outputs(0)).device)) == "cuda:1"
