"""Fine-tuning with frozen layers, and blended generators."""

import dataclasses
import types

import numpy as np
import pytest
from published_files import GOLDENS
from tiny import checkpoint_values, make_folder, make_run, tiny_config

from progan_tf.checkpoint import load_generator
from progan_tf.config import (
    NETWORK_SETTINGS,
    TrainConfig,
    load_config,
    overridden,
    resolve,
)
from progan_tf.data.order import held_out
from progan_tf.errors import UserError
from progan_tf.sampling import generate_images
from progan_tf.trainer import Trainer
from progan_tf.training.fine_tuning import notices, write_run
from progan_tf.weights import blended, read_published, read_run

# What the next run takes from a run by default.
NOT_OF_NETWORKS = [
    field.name
    for field in dataclasses.fields(TrainConfig)
    if field.metadata["flag"]
    and field.name not in (*NETWORK_SETTINGS, "preset")
]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_the_highest_layers_stay(tmp_path, count):
    old, new = make_run(tmp_path / "old"), tmp_path / "new"
    given = {
        "freeze_discriminator": count,
        "data": str(make_folder(tmp_path / "data")),
    }
    config = write_run(read_run(old), str(new), given)
    before = checkpoint_values(new)
    seen = before["images_seen"]
    config = dataclasses.replace(config, total_kimg=(seen + 32) / 1000)
    assert Trainer(config).train()
    after = checkpoint_values(new)
    assert after.keys() == before.keys()
    changed = {
        key.split("/")[2]
        for key, value in after.items()
        if key.startswith("discriminator/") and not key.endswith("alpha")
        if not np.array_equal(value, before[key])
    }
    assert changed == {"4x4", "8x8", "16x16"} - {*("16x16", "8x8")[:count]}
    for key, value in after.items():
        if key.startswith("generator/blocks/16x16/conv"):
            assert not np.array_equal(value, before[key])


def test_what_cannot_be_frozen(tmp_path):
    with pytest.raises(UserError, match="freeze_discriminator must be less"):
        resolve("laptop", {"freeze_discriminator": 4})
    config = tiny_config(tmp_path / "run", freeze_discriminator=1)
    with pytest.raises(UserError, match="begin the run with progan_tf.convert"):
        Trainer(config).train()
    old = make_run(tmp_path / "old", resolution=8)
    given = {"freeze_discriminator": 1, "resolution": 16}
    with pytest.raises(UserError, match="up to 8x8, not to 16x16: give --fr"):
        write_run(read_run(old), str(tmp_path / "new"), given)
    # Of a run's weights the setting is the default, too.
    frozen = {
        "freeze_discriminator": 1,
        "data": str(make_folder(tmp_path / "d")),
    }
    write_run(read_run(old), str(tmp_path / "frozen"), frozen)
    gan, grown = read_run(tmp_path / "frozen"), {"resolution": 16}
    with pytest.raises(UserError, match="give --freeze_discriminator=0"):
        write_run(gan, str(tmp_path / "new"), grown)
    config = write_run(
        gan, str(tmp_path / "new"), {**grown, "freeze_discriminator": 0}
    )
    assert (config.resolution, config.freeze_discriminator) == (16, 0)


def test_what_an_augmentation_is_tuned_with_goes_with_it():
    small = resolve("small")
    assert small.augment_p == 0.6
    assert resolve("small", {"augment": small.augment}).augment_p == 0.6
    assert resolve("small", {"augment": "color"}).augment_p == 0.6
    # No flag could take it back.
    assert resolve("small", {"augment": "none"}).augment_p is None
    follows = {"augment": "ada", "loss": "logistic", "penalty": "r1"}
    assert resolve("small", follows).augment_p is None
    given = {**follows, "augment_p": 0.3}
    assert resolve("small", given).augment_p == 0.3
    with pytest.raises(UserError, match="augment_p needs --augment"):
        resolve("small", {"augment": "none", "augment_p": 0.5})
    # Of a run, too, whose settings are the next one's defaults.
    run = {**follows, "ada_target": 0.4}
    kept = {name: x for name, x in run.items() if name != "ada_target"}
    assert overridden(run, {"augment": "none"}) == {**kept, "augment": "none"}
    assert overridden(run, {"seed": 3}) == {**run, "seed": 3}


def tuned_on(given, **before):
    """The settings of a run that goes on from one with other settings."""
    run = resolve("laptop", before)
    settings = {name: getattr(run, name) for name in NOT_OF_NETWORKS}
    return resolve("laptop", overridden(settings, given))


def test_a_loss_and_a_penalty_begin_without_the_weights_of_the_last():
    r1 = {"loss": "logistic", "penalty": "r1"}
    config = tuned_on(r1, drift=0.1, gradient_penalty=3.0, wgan_target=750.0)
    assert (config.drift, config.wgan_target) == (0.0, 1.0)
    assert set(config.gradient_penalty.values()) == {10.0}
    assert config.penalty_every == 4  # As of any other.
    # One that was trained with neither.
    none = {"loss": "hinge", "penalty": "none"}
    back = tuned_on({"loss": "wgan", "penalty": "wgan_gp"}, **none)
    assert (back.drift, back.penalty_every) == (0.001, 4)
    assert set(back.gradient_penalty.values()) == {10.0}
    assert tuned_on(none).penalty_every == 1
    # The same ones keep them.
    kept = tuned_on({"loss": "wgan"}, drift=0.1, gradient_penalty=3.0)
    assert (kept.drift, kept.gradient_penalty[4]) == (0.1, 3.0)
    with pytest.raises(UserError, match="drift belongs to --loss=wgan"):
        tuned_on({**r1, "drift": 0.1})


def test_a_p_is_fixed_or_follows():
    ada = {"augment": "ada", "loss": "hinge"}
    config = tuned_on({"augment_p": 0.3}, **ada, ada_target=0.4)
    assert (config.augment_p, config.ada_target) == (0.3, None)
    config = tuned_on({"ada_target": 0.4}, **ada, augment_p=0.3)
    assert (config.augment_p, config.ada_target) == (None, 0.4)
    with pytest.raises(UserError, match="ada_target needs"):
        tuned_on({"augment_p": 0.3, "ada_target": 0.4}, **ada)


def test_another_augmentation_begins_without_the_numbers_of_the_first(tmp_path):
    old = make_run(tmp_path / "old", augment="cutout", augment_p=0.3)
    given = {"data": str(make_folder(tmp_path / "data"))}
    for name, more, p in (
        ("same", {}, 0.3),
        ("none", {"augment": "none"}, None),
    ):
        config = write_run(read_run(old), str(tmp_path / name), given | more)
        assert config.augment_p == p


@pytest.mark.parametrize(
    ("before", "given", "told"),
    [
        ({}, {"hold_out": 0.1}, True),
        ({"hold_out": 0.1}, {"hold_out": 0.1}, False),
        ({"hold_out": 0.2}, {"hold_out": 0.1}, False),
        ({"hold_out": 0.1}, {"hold_out": 0.2}, True),
        ({"hold_out": 0.1}, {"hold_out": 0.1, "seed": 3}, True),
        ({"data": "tfds:other"}, {"hold_out": 0.1}, False),
        ({}, {}, False),
    ],
)
def test_held_out_pictures_that_the_weights_have_seen(before, given, told):
    settings = dataclasses.asdict(resolve("laptop", before))
    info = types.SimpleNamespace(settings=settings, class_names=())
    gan = types.SimpleNamespace(info=info)
    assert len(notices(gan, resolve("laptop", given))) == told
    # Nothing is known of a file's data.
    info.settings = {}
    assert notices(gan, resolve("laptop", given)) == []


def test_classes_of_other_names_are_told(tmp_path):
    old = make_run(tmp_path / "old", labels=True, num_classes=2)
    given = {"data": str(make_folder(tmp_path / "data"))}
    config = write_run(read_run(old), str(tmp_path / "one"), given)
    assert config.names_of_classes() == ("even", "odd")
    strange = dataclasses.replace(config, class_names="\x1b[2J\nodd")
    assert strange.names_of_classes() == ("\ufffd[2J", "odd")
    # Names that are not known, the same ones, and numbers.
    for names in ("", "even\nodd", "0\n1"):
        dataclasses.replace(load_config(old), class_names=names).save_config()
        assert notices(read_run(old), config) == []
    other = dataclasses.replace(load_config(old), class_names="odd\neven")
    other.save_config()
    (notice,) = notices(read_run(old), config)
    assert "Class 0 was 'odd'" in notice
    assert "and is 'even' in" in notice and "and 1 more have" in notice


def test_fewer_held_out_pictures_are_some_of_more():
    _, more = held_out(3, 50, 10)
    _, fewer = held_out(3, 50, 4)
    assert set(fewer) < set(more)
    assert not set(fewer) <= set(held_out(4, 50, 10)[1])


def test_coarse_layers_of_one_and_fine_ones_of_another(tmp_path):
    one, other = (
        make_run(tmp_path / name, seed=seed)
        for name, seed in (("one", 1), ("other", 2))
    )
    gan = blended(read_run(one), read_run(other), 8)
    below, above = load_generator(one, 4), load_generator(other, 16)
    seeds = [1, 2, 3]
    np.testing.assert_array_equal(
        generate_images(gan.finished(4), seeds), generate_images(below, seeds)
    )
    # Layer by layer: those of 4x4 are of the one, all others of the other.
    names = {layer.name: layer for layer in gan.finished(16).layers}
    for source, sizes in ((load_generator(one, 16), "4"), (above, "8 16")):
        for layer in source.layers:
            if layer.weights and layer.name.split("_")[-1] in sizes.split():
                for x, y in zip(
                    layer.weights, names[layer.name].weights, strict=True
                ):
                    np.testing.assert_array_equal(x, y)
    write_run(gan, str(tmp_path / "run"), {})
    np.testing.assert_array_equal(
        generate_images(load_generator(tmp_path / "run"), seeds),
        generate_images(gan.finished(), seeds),
    )


@pytest.mark.parametrize(
    ("file", "precision"),
    [("official_16_fused.pkl", "float16"), ("gan_zoo_16.pth", "float32")],
)
def test_a_file_and_what_was_tuned_from_it(tmp_path, file, precision):
    given = {"fade_kimg": 0, "stable_kimg": 0, "total_kimg": 1}
    given["precision"] = precision
    given["data"] = str(make_folder(tmp_path / "data"))
    one, run = read_published(GOLDENS / file), tmp_path / "run"
    write_run(one, str(run), given)
    other = read_run(run)
    for weight in other.average.trainable_weights:
        weight.assign(weight / 2)
    before = {r: one.average.block(r).conv0.kernel + 0 for r in (8, 16)}
    first = one.average.block(4).conv.kernel + 0
    gan = blended(one, other, 8)
    np.testing.assert_array_equal(gan.average.block(4).conv.kernel, first)
    for r, kernel in before.items():
        np.testing.assert_array_equal(
            gan.average.block(r).conv0.kernel, kernel / 2
        )


@pytest.mark.parametrize(
    ("settings", "resolution", "message"),
    [
        ({}, 4, "expected --blend_from of 8, 16; received 4"),
        ({}, 32, "expected --blend_from of 8, 16; received 32"),
        (
            {"latent_size": 8},
            8,
            "latent_size is 16 in --weights and 8 in --blend",
        ),
        (
            {"fmap_max": {4: 8, 8: 8, 16: 4}},
            8,
            "from 4x4 up, is 8, 8, 8 in --weights and 8, 8, 4 in --blend",
        ),
    ],
)
def test_what_cannot_be_blended(tmp_path, settings, resolution, message):
    one = read_run(make_run(tmp_path / "one"))
    other = read_run(make_run(tmp_path / "other", **settings))
    with pytest.raises(UserError, match=message):
        blended(one, other, resolution)


def test_a_preset_takes_the_place_of_the_settings_of_a_run(tmp_path):
    data = str(make_folder(tmp_path / "data"))
    old = make_run(tmp_path / "old", data=data, learning_rate=0.5, drift=0.1)
    config = write_run(read_run(old), str(tmp_path / "as it was"), {})
    assert (config.preset, config.drift) == ("laptop-wgan", 0.1)
    given = {"preset": "small", "seed": 3, "precision": "float32"}
    config = write_run(read_run(old), str(tmp_path / "new"), given)
    preset = resolve("small", {"resolution": 16})
    for name in ("hold_out", "augment", "augment_p", "learning_rate", "drift"):
        assert getattr(config, name) == getattr(preset, name)
    assert (config.data, config.seed, config.fmap_max[16]) == (data, 3, 8)
