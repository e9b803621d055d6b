"""Runs small enough for tests: they train to the end in seconds."""

import numpy as np
import tensorflow as tf
from PIL import Image

from progan_tf.checkpoint import Checkpoints
from progan_tf.config import resolve
from progan_tf.training.devices import make_strategy
from progan_tf.training.step import TrainingStep


def tiny_config(run_dir, **overrides):
    """A config that grows from 4x4 to 8x8 in 96 images, 8 per step."""
    settings = {
        "run_dir": str(run_dir),
        "resolution": 8,
        "fmap_max": 8,
        "latent_size": 8,
        "batch_size": 8,
        "fade_kimg": 0.032,
        "stable_kimg": 0.032,
        "tick_kimg": 0.032,
        "sample_kimg": 1.0,
        "checkpoint_kimg": 1.0,
        "precision": "float32",
        "seed": 7,
        **overrides,
    }
    return resolve("laptop-wgan", settings)


def make_folder(path, count=20, size=16, seed=0):
    """A folder of `count` PNG pictures of random blocks, in two classes."""
    random = np.random.default_rng(seed)
    for i in range(count):
        folder = path / ("even" if i % 2 == 0 else "odd")
        folder.mkdir(parents=True, exist_ok=True)
        blocks = random.integers(0, 256, (4, 4, 3), np.uint8)
        pixels = blocks.repeat(size // 4, 0).repeat(size // 4, 1)
        Image.fromarray(pixels).save(folder / f"{i:03d}.png")
    return path


def checkpoint_values(run_dir):
    """dict from key to array of the newest checkpoint, without bookkeeping."""
    path = tf.train.latest_checkpoint(str(run_dir / "checkpoints"))
    reader = tf.train.load_checkpoint(path)
    return {
        key.removesuffix("/.ATTRIBUTES/VARIABLE_VALUE"): reader.get_tensor(key)
        for key in reader.get_variable_to_shape_map()
        if not key.startswith(("_CHECKPOINTABLE", "save_counter"))
    }


def make_run(run_dir, images_seen=None, **overrides):
    """A run directory with a checkpoint of untrained networks.

    The average has other weights than the networks, as in a trained run.

    Args:
        run_dir: path, which is created.
        images_seen: int, by default those of the whole run.
        **overrides: settings.
    """
    settings = {"resolution": 16, "fmap_max": 8, "latent_size": 16}
    settings |= {"run_dir": str(run_dir), "precision": "float32"}
    config = resolve("laptop-wgan", settings | overrides)
    config.save_config()
    state = TrainingStep(config, make_strategy("CPU:0"))
    for weight in state.average.trainable_weights:
        weight.assign(weight * 0.5)
    if images_seen is None:
        images_seen = config.schedule().total_images
    state.images_seen.assign(images_seen)
    Checkpoints(state, run_dir).save()
    return run_dir


def make_growing_run(run_dir):
    """A run to 16x16 with three checkpoints of its last phase.

    In the first, 16x16 is about to fade in; in the second, it has half done so.
    """
    settings = {"resolution": 16, "fmap_max": 8, "latent_size": 16}
    settings |= {"run_dir": str(run_dir), "precision": "float32"}
    config = resolve("laptop-wgan", settings)
    config.save_config()
    state = TrainingStep(config, make_strategy("CPU:0"))
    checkpoints = Checkpoints(state, run_dir)
    phase = config.schedule().phases[-1]
    middle = (phase.start + phase.fade_end) // 2
    for images_seen in (phase.start, middle, phase.end):
        for weight in state.average.trainable_weights:
            weight.assign(weight * 0.8)
        state.images_seen.assign(images_seen)
        checkpoints.save()
    return run_dir
