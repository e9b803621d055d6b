"""pytorch_GAN_zoo's checkpoints: its own images, scores and bytes."""

import numpy as np
import pytest
from published_files import (
    GOLDENS,
    BaseConfig,
    assert_close,
    assert_gan_zoo_weights,
    assert_refused_by,
    gan_zoo_content,
    golden_arrays,
    save_gan_zoo,
)

from progan_tf.weights import read_gan_zoo
from progan_tf.weights.tensors import feature_map_settings

torch = pytest.importorskip("torch", reason="these are files of PyTorch")

NAMES = ["gan_zoo_16", "gan_zoo_16_legacy"]


@pytest.fixture(scope="module")
def published():
    return {name: read_gan_zoo(GOLDENS / f"{name}.pth") for name in NAMES}


@pytest.mark.parametrize("name", NAMES)
def test_images_and_scores_are_the_originals(published, name):
    gan, golden = published[name], golden_arrays(name)
    latents, average = golden["latents"], golden["images_average"]
    assert_close(gan.average.at(16)(latents), average)
    assert_close(gan.generator.at(16)(latents), golden["images_latest"])
    assert_close(gan.discriminator.at(16)(average), golden["scores"])
    # A check of the check: the two generators are two.
    assert np.abs(average - golden["images_latest"]).max() > 0.1


@pytest.mark.parametrize("name", NAMES)
def test_weights_are_the_same_to_the_bit(published, name):
    content, gan = gan_zoo_content(name), published[name]
    assert_gan_zoo_weights(gan.generator, content["netG"])
    assert_gan_zoo_weights(gan.discriminator, content["netD"])
    assert_gan_zoo_weights(gan.average, content["avgG"])


def random_state(depths, latents, labels=0, stddev=True):
    """A file's content with random weights, names and shapes by hand."""
    generator = torch.Generator().manual_seed(0)
    first, top = depths[0], len(depths) - 1
    g = {"formatLayer": (16 * first, latents + labels)}
    g |= {"groupScale0.0": (first, first, 3, 3)}
    d = {"groupScaleZero.0": (first, first + stddev, 3, 3)}
    d |= {"groupScaleZero.1": (first, 16 * first)}
    d |= {"decisionLayer": (1 + labels, first)}
    for i, depth in enumerate(depths):
        g[f"toRGBLayers.{i}"] = (3, depth, 1, 1)
        d[f"fromRGBLayers.{i}"] = (depth, 3, 1, 1)
    for i in range(top):
        below, depth = depths[i], depths[i + 1]
        g[f"scaleLayers.{i}.0"] = (depth, below, 3, 3)
        g[f"scaleLayers.{i}.1"] = (depth, depth, 3, 3)
        d[f"scaleLayers.{i}.0"] = (depth, depth, 3, 3)
        d[f"scaleLayers.{i}.1"] = (below, depth, 3, 3)

    def state(shapes):
        tensors = {}
        for name, shape in shapes.items():
            for part, size in (("weight", shape), ("bias", shape[:1])):
                tensors[f"{name}.{part}"] = torch.randn(
                    size, generator=generator
                )
        return tensors

    config = BaseConfig()
    config.__dict__.update(categoryVectorDim=labels, lossCriterion="WGANGP")
    return {"config": config, "netG": state(g), "netD": state(d)}


@pytest.mark.parametrize(
    ("depths", "fmap_base", "fmap_max"),
    [
        ((8, 8, 6), 48, 8),
        ((8, 4, 2), 16, 8),
        ((5,), 10, 5),
        ((6, 9, 2), 36, {4: 6, 8: 9, 16: 2}),
    ],
)
def test_any_depths_without_an_average(tmp_path, depths, fmap_base, fmap_max):
    # Without ".module" in the names, as old files are.
    content = random_state(depths, 7, stddev=False)
    gan = read_gan_zoo(save_gan_zoo(tmp_path / "x.pth", content))
    assert gan.generator.architecture.fmap_base == fmap_base
    assert gan.generator.architecture.fmap_max == fmap_max
    assert not gan.info.has_average
    assert "no average" in gan.describe()
    for family in (gan.generator, gan.average):
        assert_gan_zoo_weights(family, content["netG"])
    assert_gan_zoo_weights(gan.discriminator, content["netD"])


def test_the_released_depths_are_those_of_the_paper():
    depths = (512, 512, 512, 512, 256, 128, 64, 32, 16)
    maps = {4 << i: depth for i, depth in enumerate(depths)}
    assert feature_map_settings(maps) == (8192, 512)


def test_labels(tmp_path):
    content = random_state((8, 8), 7, labels=3)
    values = {"order": 0, "values": ["a", "b", "c"]}
    content["config"].attribKeysOrder = {"kind": values}
    gan = read_gan_zoo(save_gan_zoo(tmp_path / "x.pth", content, legacy=True))
    assert gan.info.attributes == (3,)
    z, labels = np.zeros([4, 7], "float32"), np.eye(4, 3, dtype="float32")
    scores, logits = gan.discriminator.at(8)(gan.generator.at(8)([z, labels]))
    assert (scores.shape, logits.shape) == ((4, 1), (4, 3))


def test_a_file_of_the_middle_of_a_fade(tmp_path):
    # Its alpha is the share of the old path.
    content = gan_zoo_content("gan_zoo_16")
    content["config"].alpha = 0.25
    gan = read_gan_zoo(save_gan_zoo(tmp_path / "x.pth", content))
    z = golden_arrays("gan_zoo_16")["latents"]
    new = gan.average.at(16, fade=False)(z).numpy()
    old = gan.average.at(8)(z).numpy().repeat(2, axis=1).repeat(2, axis=2)
    assert_close(gan.average.at(16)(z), 0.75 * new + 0.25 * old)
    assert gan.finished_resolution == 8


def remove(key):
    def change(content):
        del content[key]

    return change


def set_config(**settings):
    def change(content):
        content["config"].__dict__.update(settings)

    return change


def set_tensor(key, tensor):
    def change(content):
        content["netD"][key] = tensor

    return change


WRONG = [
    (
        remove("netG"),
        "checkpoint of pytorch_GAN_zoo; .* holds no netG and netD",
    ),
    (remove("netD"), "holds no netG and netD"),
    (lambda c: c["netG"].pop("formatLayer.module.weight"), "another network"),
    (lambda c: c["netD"].clear(), "netD holds 0 numbers"),
    (set_config(leakyReluLeak=0.1), "leakyReluLeak=0.1"),
    (set_config(equalizedlR=False), "equalizedlR=False"),
    (set_config(perChannelNormalization=False), "perChannelNormalization=F"),
    (set_config(lossCriterion="MSE"), "lossCriterion=MSE.* WGANGP or Logis"),
    (set_config(lossCriterion=[]), "lossCriterion=list"),
    (set_config(alpha=2), "expected an alpha from 0 to 1"),
    (set_config(categoryVectorDim=3), "attribKeysOrder"),
    (set_config(attribKeysOrder=[1]), "cannot read attribKeysOrder"),
    (
        set_tensor("decisionLayer.module.bias", torch.zeros(9)),
        "holds 3,731 numbers; a network of its options has 3,723",
    ),
    (
        set_tensor("decisionLayer.module.bias", torch.zeros(1).double()),
        "something else than float32",
    ),
    (
        set_tensor("decisionLayer.module.bias", torch.zeros(1, 1)),
        r"'decisionLayer.bias' of the shape \(1, 1\); expected \(1,\)",
    ),
    (set_tensor("x", torch.zeros(0)), "netD has 'x', which is unexpected"),
    (
        set_tensor("decisionLayer.module.bias", "text"),
        "something else than float32",
    ),
    (
        lambda content: content["netG"].update(
            {"formatLayer.module.weight": torch.tensor(1.0)}
        ),
        "expected a formatLayer with latents",
    ),
    (
        set_config(attribKeysOrder=torch.ones(3)),
        "cannot read attribKeysOrder",
    ),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_other_networks_are_refused_in_one_line(tmp_path, change, message):
    content = gan_zoo_content("gan_zoo_16")
    change(content)
    assert_refused_by(
        read_gan_zoo, save_gan_zoo(tmp_path / "x.pth", content), message
    )


def test_tensors_of_one_number_repeated(tmp_path):
    # 400 GB of kernels by a stride of 0.
    content = random_state((8, 8), 7)
    huge = torch.zeros(1, 1).expand(16 * 10**6, 7)
    content["netG"]["formatLayer.weight"] = huge
    content["netG"]["toRGBLayers.0.weight"] = torch.zeros(1).expand(
        3, 10**6, 1, 1
    )
    path = save_gan_zoo(tmp_path / "x.pth", content)
    assert path.stat().st_size < 1_000_000
    assert_refused_by(
        read_gan_zoo, path, "numbers; a network of its options has"
    )
