"""The official code's pickles: its own images, scores and bytes."""

import re

import numpy as np
import pytest
from numpy_reference import downscale, upscale
from published_files import (
    GOLDENS,
    assert_close,
    assert_official_weights,
    golden_arrays,
    official_states,
    random_states,
    save_official,
)

from progan_tf.errors import UserError
from progan_tf.weights import read_official, read_published

NAMES = ["official_16_fused", "official_16_separate", "official_16_labels"]
# Networks of 4,545 and 4,129 numbers.
SMALL = {"fmap_base": 64, "fmap_max": 8, "latent_size": 12}


LODS = [
    (name, float(key.removeprefix("images_lod")))
    for name in NAMES
    for key in golden_arrays(name)
    if key.startswith("images_lod")
]


def resized(images, size):
    """Box-downscaled or nearest-upscaled images."""
    while images.shape[1] > size:
        images = downscale(images)
    while images.shape[1] < size:
        images = upscale(images)
    return images


@pytest.fixture(scope="module")
def published():
    return {name: read_official(GOLDENS / f"{name}.pkl") for name in NAMES}


@pytest.mark.parametrize(("name", "lod"), LODS)
def test_images_and_scores_are_the_originals(published, name, lod):
    gan, golden = published[name], golden_arrays(name)
    resolution = 16 >> int(lod)
    if resolution > 4:
        gan.average.set_alpha(resolution, 1 - lod % 1)
        gan.discriminator.set_alpha(resolution, 1 - lod % 1)
    inputs = [golden["latents"], golden["labels"]]
    if not golden["labels"].size:
        inputs = inputs[0]
    expected = golden[f"images_lod{lod}"]
    images = gan.average.at(resolution)(inputs).numpy()
    assert_close(resized(images, 16), expected)
    scores = gan.discriminator.at(resolution)(resized(expected[:4], resolution))
    if golden["labels"].size:
        scores, logits = scores
        assert_close(logits, golden[f"label_logits_lod{lod}"])
    assert_close(scores, golden[f"scores_lod{lod}"])


def test_every_golden_has_levels_of_detail():
    # A check of the check above.
    assert LODS[:5] == [(NAMES[0], lod) for lod in (0.0, 0.25, 1.0, 1.5, 2.0)]
    assert {name for name, _ in LODS} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_same_to_the_bit(published, name):
    assert_same_weights(
        published[name], official_states(GOLDENS / f"{name}.pkl")
    )


def assert_same_weights(gan, states):
    families = gan.generator, gan.discriminator, gan.average
    for family, state in zip(families, states, strict=True):
        assert_official_weights(family, dict(state["variables"]))


def test_generator_and_average_are_not_confused(published):
    gan = published["official_16_fused"]
    arrays = dict(
        official_states(GOLDENS / "official_16_fused.pkl")[0]["variables"]
    )
    kernel = gan.generator.block(8).conv1.kernel
    assert np.array_equal(kernel, arrays["8x8/Conv1/weight"])
    assert not np.array_equal(kernel, gan.average.block(8).conv1.kernel)


def test_what_was_read_is_told(published):
    text = published["official_16_labels"].describe()
    expected = ["official", "16x16, 3 channels", "4,929", "4,156", "CC BY-NC"]
    assert [part for part in expected if part not in text] == []
    assert re.search(r"labels +3\n", text)


def he_constant(name, shape):
    """What the official code multiplies a weight by when it is used."""
    if not name.endswith("/weight"):
        return 1
    gain = 2**0.5
    if name.startswith("ToRGB") or name == "4x4/Dense1/weight":
        gain = 1
    if name == "4x4/Dense/weight":
        gain = 2**0.5 / 4
    return gain / np.sqrt(np.prod(shape[:-1]))


def test_the_networks_of_the_ablations(tmp_path):
    options = {"normalize_latents": False, "use_pixelnorm": False}
    options |= {"use_leakyrelu": False, "fused_scale": False, **SMALL}
    scaled = random_states(8, **options)
    path = save_official(tmp_path / "x.pkl", scaled)
    gan = read_official(path)
    a = gan.generator.architecture
    assert (a.normalize_latents, a.pixelnorm, a.activation, a.equalized) == (
        False,
        False,
        "relu",
        True,
    )
    # Weights that are not scaled when used are stored with that scale.
    plain = random_states(8, **options, use_wscale=False)
    for state in plain:
        state["variables"] = [
            (name, array * np.float32(he_constant(name, array.shape)))
            for name, array in state["variables"]
        ]
    other = read_official(save_official(tmp_path / "y.pkl", plain))
    assert not other.generator.architecture.equalized
    z = np.random.default_rng(0).normal(size=(2, SMALL["latent_size"]))
    images = gan.generator.at(8)(z.astype("float32"))
    assert_close(other.generator.at(8)(z.astype("float32")), images)
    scores = gan.discriminator.at(8)(images)
    assert_close(other.discriminator.at(8)(images), scores)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_every_protocol_of_pickle(tmp_path, protocol):
    states = random_states(8, **SMALL)
    path = save_official(tmp_path / "x.pkl", states, protocol)
    gan = read_published(path)
    kernel = dict(states[1]["variables"])["8x8/Conv0/weight"]
    assert np.array_equal(gan.discriminator.block(8).conv0.kernel, kernel)


def test_the_names_of_numpy_1(tmp_path):
    path = save_official(tmp_path / "x.pkl", random_states(8, **SMALL), 3)
    data = path.read_bytes()
    older = data.replace(b"numpy._core.", b"numpy.core.")
    assert len(older) < len(data)
    path.write_bytes(older)
    assert read_official(path).generator.resolution == 8


@pytest.mark.parametrize(
    "options",
    [
        {"fused_scale": False, "num_channels": 1},
        {"label_size": 2, "mbstd_group_size": 2, "pixelnorm_epsilon": 1e-4},
        {"mbstd_group_size": 0, "latent_size": None},
        {"fmap_base": 24, "fmap_max": 64, "structure": "linear"},
        {"fmap_base": 200, "fmap_decay": 2.0, "fmap_max": 20},
        {"fmap_base": 64, "fmap_decay": 0.0},
        {"resolution": np.int64(8), "dtype": "float32", "use_wscale": True},
    ],
)
def test_options_are_honoured(tmp_path, options):
    options = {"resolution": 16, **SMALL, **options}
    states = random_states(**options)
    gan = read_official(save_official(tmp_path / "x.pkl", states))
    assert_same_weights(gan, states)
    group = options.get("mbstd_group_size", 4)
    assert gan.discriminator.architecture.minibatch_stddev_group == group
    epsilon = options.get("pixelnorm_epsilon", 1e-8)
    assert gan.generator.architecture.pixelnorm_epsilon == epsilon


def test_fused_or_not_is_told_by_the_names(tmp_path):
    states = random_states(8, **SMALL, fused_scale=False)
    for state in states:
        del state["static_kwargs"]["fused_scale"]
    gan = read_official(save_official(tmp_path / "x.pkl", states))
    assert not gan.discriminator.architecture.fused_scale


def test_a_file_of_the_middle_of_a_fade(tmp_path):
    states = official_states(GOLDENS / "official_16_fused.pkl")
    for state in states:
        assert state["variables"][0][0] == "lod"
        state["variables"][0] = ("lod", np.float32(1.5))
    gan = read_official(save_official(tmp_path / "x.pkl", states))
    golden = golden_arrays("official_16_fused")
    images = gan.average.at(8)(golden["latents"]).numpy()
    assert_close(upscale(images), golden["images_lod1.5"])
    assert gan.finished_resolution == 4
    assert gan.finished().output_shape == (None, 4, 4, 3)
    assert "trained to 4x4" in gan.describe()
    with pytest.raises(UserError, match="no finished resolution 8; .* 4$"):
        gan.finished(8)


def changed(state, **changes):
    """A state with other options, or other entries for double underscores."""
    options = {k: v for k, v in changes.items() if not k.startswith("_")}
    entries = {
        k.removeprefix("_"): v for k, v in changes.items() if k[0] == "_"
    }
    return {
        **state,
        "static_kwargs": {**state["static_kwargs"], **options},
        **entries,
    }


def renamed(state):
    variables = [*state["variables"]]
    variables[1] = ("4x4/Dense/kernel", variables[1][1])
    return changed(state, _variables=variables)


def transposed(state):
    variables = [*state["variables"]]
    variables[1] = (variables[1][0], variables[1][1].T)
    return changed(state, _variables=variables)


def doubled(state):
    variables = [(n, np.asarray(a, "float64")) for n, a in state["variables"]]
    return changed(state, _variables=variables)


WRONG = [
    (lambda s: changed(s, use_wscale=False), "G and Gs with the same options"),
    (lambda s: changed(s, fmap_max=10**6), "a network of its options has"),
    (lambda s: changed(s, resolution=12), "power of two"),
    (lambda s: changed(s, resolution="8"), "resolution is no whole number"),
    (lambda s: changed(s, fmap_max=-1), "fmap_max is no whole number from 1"),
    (lambda s: changed(s, fmap_base=float("nan")), "fmap_base is no whole"),
    (lambda s: changed(s, fmap_decay=-2), "fmap_decay is no number"),
    (lambda s: changed(s, fmap_base=2), "fmap_base 2 leaves no feature maps"),
    (lambda s: changed(s, _version=3), "expected version 2"),
    (lambda s: changed(s, _build_func_name="G_mine"), "expected G_paper, D_"),
    (lambda s: changed(s, _variables=None), "cannot read the variables"),
    (lambda s: changed(s, _variables=s["variables"][1:]), "number lod from 0"),
    (lambda s: changed(s, _static_kwargs=[]), "expected a dict of options"),
    (renamed, "has '4x4/Dense/kernel', which is unexpected"),
    (transposed, r"'4x4/Dense/weight' of the shape \(128, 12\)"),
    (doubled, "is not of float32"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_other_networks_are_refused_in_one_line(tmp_path, change, message):
    states = random_states(8, **SMALL)
    states[0] = change(states[0])
    path = save_official(tmp_path / "x.pkl", states)
    with pytest.raises(UserError, match=message) as caught:
        read_official(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_few_maps_with_a_decay_are_refused(tmp_path):
    # The discriminator's dense layer would have 64 units, its maps are 32.
    options = {"fmap_base": 64, "fmap_max": 99, "fmap_decay": 1.5}
    states = random_states(8, latent_size=12, **options)
    with pytest.raises(UserError, match="made with fmap_decay=1.5"):
        read_official(save_official(tmp_path / "x.pkl", states))


class TextArray:
    """An array of 4 MB whose bytes are text, as Python 2 wrote them."""

    text = "\0" * 4 * 10**6

    def __reduce__(self):
        make = np.ones(1).__reduce__()[0]
        state = (1, (10**6,), np.dtype("float32"), False, self.text)
        return make, (np.ndarray, (0,), b"b"), state


def test_one_text_for_many_arrays(tmp_path):
    states = random_states(8, **SMALL)
    many = [(f"x{number}", TextArray()) for number in range(100)]
    states[0] = changed(states[0], _variables=many)
    path = save_official(tmp_path / "x.pkl", states)
    assert path.stat().st_size < 10_000_000
    with pytest.raises(UserError, match="more bytes than the file"):
        read_official(path)
