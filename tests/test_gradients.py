"""Which blocks of the networks are trained at which number of images seen."""

import numpy as np
import pytest
import tensorflow as tf

from progan_tf.config import resolve
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep

BATCH = 4
# 8 images to fade in and 8 stable ones for each resolution, 4 a step. "rgb" is
# to_rgb in the generator and from_rgb in the discriminator; the numbers are
# the other layers of a resolution. At the first step of a fade alpha is 0.
TRAINED = {
    0: {"4", "rgb 4"},
    4: {"4", "rgb 4"},
    8: {"4", "rgb 4"},
    12: {"4", "rgb 4", "8", "rgb 8"},
    16: {"4", "8", "rgb 8"},
    20: {"4", "8", "rgb 8"},
    24: {"4", "8", "rgb 8"},
    28: {"4", "8", "rgb 8", "16", "rgb 16"},
    32: {"4", "8", "16", "rgb 16"},
    36: {"4", "8", "16", "rgb 16"},
}


def values_by_part(family):
    """dict from the names in `TRAINED` to lists of arrays."""
    parts = {}
    for resolution in family.resolutions:
        for layer in family.block(resolution).layers:
            is_rgb = "rgb" in layer.name
            name = f"rgb {resolution}" if is_rgb else str(resolution)
            values = [weight.numpy() for weight in layer.trainable_weights]
            parts.setdefault(name, []).extend(values)
    return parts


def trained_parts(before, after):
    """Names of the parts of which every weight was changed."""
    changed = {
        name: [
            not np.array_equal(old, new)
            for old, new in zip(before[name], after[name], strict=True)
        ]
        for name in before
    }
    partly = {n for n, c in changed.items() if any(c) and not all(c)}
    assert not partly, "a part is trained as a whole"
    return {name for name, all_changed in changed.items() if all(all_changed)}


@pytest.fixture(scope="module")
def without_graphs():
    """Tracing five graphs would take longer than ten steps without them."""
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory, without_graphs):
    """dict from images seen to the parts that the step there changed."""
    config = resolve(
        "laptop",
        {
            "run_dir": str(tmp_path_factory.mktemp("run")),
            "resolution": 16,
            "fade_kimg": BATCH * 2 / 1000,
            "stable_kimg": BATCH * 2 / 1000,
            "batch_size": BATCH,
            "fmap_max": 4,
            "latent_size": 4,
            "precision": "float32",
        },
    )
    step = TrainingStep(config, make_strategy("CPU:0"))
    schedule = config.schedule()
    random = np.random.default_rng(0)
    found = {}
    while (seen := int(step.images_seen.numpy())) < schedule.total_images:
        size = schedule.at(seen).resolution
        reals = random.integers(0, 256, [1, BATCH, size, size, 3], "uint8")
        families = (step.generator, step.discriminator)
        before = [values_by_part(family) for family in families]
        alphas = np.array([schedule.alpha(seen)], "float32")
        step.run(tf.constant(reals), alphas, steps=1)
        found[seen] = [
            trained_parts(old, values_by_part(family))
            for old, family in zip(before, families, strict=True)
        ]
    return found


def test_blocks_of_the_generator(trained):
    assert {seen: parts[0] for seen, parts in trained.items()} == TRAINED


def test_blocks_of_the_discriminator(trained):
    assert {seen: parts[1] for seen, parts in trained.items()} == TRAINED
