"""Models of a family work like other Keras models."""

import dataclasses

import keras
import numpy as np
import pytest
from pages import ROOT, fenced_blocks

from progan_tf.architecture import Architecture
from progan_tf.checkpoint import load_generator
from progan_tf.networks import Discriminator, Generator

SMALL = {"fmap_base": 32, "fmap_max": 8, "seed": 1}


def families(num_classes=0, **options):
    """A generator and a discriminator to 16x16, in mid-fade at each level."""
    pair = (
        Generator(16, 6, num_classes, **SMALL, **options),
        Discriminator(16, num_classes, **SMALL, **options),
    )
    random = np.random.default_rng(0)
    for family in pair:
        for r in (8, 16):
            family.set_alpha(r, 0.3)
        for weight in family.trainable_weights:
            if weight.name == "bias":
                weight.assign(random.normal(size=weight.shape))
    return pair


def models(**options):
    """Every model of two families, made one after the other."""
    return [
        family.at(resolution, fade)
        for family in families(**options)
        for resolution in (4, 8, 16)
        for fade in (True, False)
    ]


OPTIONS = [
    {},
    {"num_classes": 3},
    {"fused_scale": False},
    {"dtype": "mixed_bfloat16"},
]


def inputs_of(model):
    random = np.random.default_rng(1)
    inputs = [
        random.normal(size=(4, *tensor.shape[1:])).astype("float32")
        for tensor in model.inputs
    ]
    return inputs if len(inputs) > 1 else inputs[0]


def assert_same(model, other):
    x = inputs_of(model)
    for ours, theirs in zip(
        keras.tree.flatten(model(x)),
        keras.tree.flatten(other(x)),
        strict=True,
    ):
        np.testing.assert_array_equal(ours, theirs)


# Keras saves a variable by `np.array`, which NumPy 2 wants another argument of.
@pytest.mark.filterwarnings("ignore:__array__ implementation")
@pytest.mark.parametrize("options", OPTIONS)
def test_saved_and_loaded(tmp_path, options):
    for model in models(**options):
        model.save(tmp_path / "model.keras")
        assert_same(model, keras.saving.load_model(tmp_path / "model.keras"))


@pytest.mark.parametrize("options", OPTIONS)
def test_cloned(options):
    for model in models(**options):
        clone = keras.models.clone_model(model)
        clone.set_weights(model.get_weights())
        assert_same(model, clone)
        assert not {id(w) for w in clone.weights} & {
            id(w) for w in model.weights
        }


def assert_layers_can_be_taken(model):
    """Each layer's output is a function of the model's inputs."""
    x = inputs_of(model)
    outputs = [layer.output for layer in model.layers]
    features = keras.Model(model.input, outputs)(x)
    np.testing.assert_array_equal(
        features[0], x[0] if isinstance(x, list) else x
    )
    assert len(features) == len(model.layers) > 5


@pytest.mark.parametrize("options", OPTIONS[:3])
def test_layers_of_each_model_can_be_taken(options):
    for model in models(**options):
        assert_layers_can_be_taken(model)


@pytest.mark.filterwarnings("ignore:__array__ implementation")
def test_layers_of_a_loaded_model_can_be_taken(tmp_path):
    model = families()[0].at(16, fade=False)
    model.save(tmp_path / "generator.keras")
    loaded = load_generator(tmp_path / "generator.keras")
    assert_layers_can_be_taken(loaded)
    x = inputs_of(model)
    for name in ("conv1_16", "conv1_pixel_norm_8"):
        ours, theirs = (
            keras.Model(m.input, m.get_layer(name).output)(x)
            for m in (model, loaded)
        )
        np.testing.assert_array_equal(ours, theirs)


def test_names_of_layers_do_not_depend_on_what_was_made_before():
    first, second = (
        [layer.name for m in models() for layer in m.layers] for _ in range(2)
    )
    assert first == second


def test_quantization_leaves_out_what_keras_leaves_out():
    # As with Keras' own convolutions: told, and as before.
    for model in models(num_classes=3):
        x = inputs_of(model)
        before = keras.tree.flatten(model(x))
        with pytest.warns(UserWarning, match="`quantize` method") as told:
            model.quantize("int8")
        names = {type(layer).__name__ for layer in model.layers}
        messages = " ".join(str(one.message) for one in told)
        assert "EqualizedConv2D" in names
        assert all(name in messages for name in names - {"GetItem"})
        for ours, theirs in zip(
            before, keras.tree.flatten(model(x)), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)


def test_trained_with_keras_own_methods():
    generator, discriminator = families()
    model, other = discriminator.at(16), discriminator.at(8)
    before = other(inputs_of(other)).numpy()
    model.compile("adam", "mse")
    model.fit(inputs_of(model), np.ones([4, 1]), verbose=0)
    assert np.abs(other(inputs_of(other)) - before).max() > 0
    assert all(w.trainable for w in generator.trainable_weights)


def test_the_loop_of_the_docs_trains():
    text = (ROOT / "docs" / "training.md").read_text()
    (block,) = (b for b in fenced_blocks(text, "python") if "def step" in b)
    names = {}
    exec(block.replace("32", "8").replace("fmap_max=64", "fmap_max=8"), names)
    pair = names["generator"], names["discriminator"]
    before = [model.get_weights() for model in pair]
    losses = names["step"](np.zeros([4, 8, 8, 3], "float32"))
    assert np.isfinite(losses).all()
    for model, weights in zip(pair, before, strict=True):
        kernels = zip(weights, model.get_weights(), strict=True)
        assert any((old != new).any() for old, new in kernels)


def test_networks_of_another_shape():
    wide = Architecture(
        lowest=(4, 6), resolution=16, latent_size=5, fmap_base=32, fmap_max=8
    )
    generator = Generator.of(wide, seed=1)
    discriminator = Discriminator.of(wide, seed=2)
    assert generator.count_params() == wide.generator_parameters()
    assert discriminator.count_params() == wide.discriminator_parameters()
    for r, size in ((4, (4, 6)), (8, (8, 12)), (16, (16, 24))):
        images = generator.at(r)(np.ones([2, 5], "float32"))
        assert images.shape == (2, *size, 3)
        assert discriminator.at(r)(images).shape == (2, 1)
    square = dataclasses.replace(wide, lowest=(4, 4))
    assert Generator.of(square).at(16).output_shape == (None, 16, 16, 3)


@pytest.mark.parametrize("family", [Generator, Discriminator])
def test_a_family_of_an_architecture_is_that_of_its_settings(family):
    ours = family(8, num_classes=3, **SMALL, minibatch_stddev_group=2)
    theirs = family.of(ours.architecture, seed=SMALL["seed"])
    assert theirs.architecture == ours.architecture
    for one, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_array_equal(one, other)
