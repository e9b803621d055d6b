"""The presets of the paper's table 1 are those of the official code."""

import pytest

from progan_tf.config import PRESETS, resolve

OLD = {  # Rows (a) to (c): the networks and training of Gulrajani et al.
    "learning_rate": 0.0001,
    "adam_beta2": 0.9,
    "discriminator_steps": 5,
    "drift": 0.0,
    "latent_size": 128,
    "normalize_latents": False,
    "activation": "relu",
    "tanh": True,
    "generator_norm": "batch",
    "discriminator_norm": "layer",
    "equalized": False,
    "pixelnorm": False,
    "minibatch_stddev_group": 0,
    "minibatch_discrimination": 0,
}
NEW = {  # Row (g).
    "learning_rate": 0.001,
    "adam_beta2": 0.99,
    "discriminator_steps": 1,
    "drift": 0.001,
    "latent_size": 512,
    "normalize_latents": True,
    "activation": "leaky_relu",
    "tanh": False,
    "generator_norm": "none",
    "discriminator_norm": "none",
    "equalized": True,
    "pixelnorm": True,
    "minibatch_stddev_group": 16,
    "minibatch_discrimination": 0,
}
REVISED = {
    **NEW,
    "learning_rate": 0.0001,
    "equalized": False,
    "pixelnorm": False,
    "minibatch_stddev_group": 0,
}
# Row: settings, minibatch, decay of the average, feature maps, kimg.
ROWS = {
    "a": (OLD, 64, 0.999**20, 2048, 10000),
    "b": (OLD, 64, 0.999**20, 2048, 10000),
    "c": (OLD, 16, 0.999**5, 2048, 10000),
    "d": (REVISED, 16, 0.999, 2048, 10000),
    "estar": (
        {**REVISED, "minibatch_discrimination": 100},
        16,
        0.999,
        2048,
        10000,
    ),
    "e": ({**REVISED, "minibatch_stddev_group": 16}, 16, 0.999, 2048, 10000),
    "f": ({**NEW, "pixelnorm": False}, 16, 0.999, 2048, 10000),
    "g": (NEW, 16, 0.999, 2048, 10000),
    "h": (NEW, 16, 0.999, 8192, 19000),
}


def test_every_row_has_a_preset():
    rows = {name for name in PRESETS if name.startswith("table1-")}
    assert rows == {f"table1-{row}" for row in ROWS}


@pytest.mark.parametrize("row", ROWS)
def test_row_is_that_of_the_papers_program(row):
    settings, batch, decay, fmap_base, kimg = ROWS[row]
    config = resolve(f"table1-{row}")
    sizes = (4, 8, 16, 32, 64, 128)
    expected = {
        **settings,
        "resolution": 128,
        "loss": "wgan",
        "penalty": "wgan_gp",
        "gradient_penalty": dict.fromkeys(sizes, 10.0),
        "penalty_every": 1,
        "wgan_target": 1.0,
        "fused_scale": False,
        "mirror": False,
        "rampup_kimg": 0,
        "growing": row != "a",
        "fmap_base": fmap_base,
        "total_kimg": kimg,
        "fade_kimg": {4: 0, **dict.fromkeys(sizes[1:], 800)},
        "stable_kimg": dict.fromkeys(sizes, 800),
        "batch_size": dict.fromkeys(sizes, batch),
        "learning_rate": dict.fromkeys(sizes, settings["learning_rate"]),
        "average_decay": dict.fromkeys(sizes, pytest.approx(decay)),
    }
    assert {name: getattr(config, name) for name in expected} == expected
    # 2 * fmap_base / resolution maps, at most 512.
    maps = [config.architecture.feature_maps(size) for size in sizes]
    assert maps == [min(512, 2 * fmap_base // size) for size in sizes]


def test_only_row_a_does_not_grow():
    first = {row: resolve(f"table1-{row}").schedule().phases[0] for row in ROWS}
    begins = {row: phase.resolution for row, phase in first.items()}
    assert begins == {**dict.fromkeys(ROWS, 4), "a": 128}
