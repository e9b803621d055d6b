"""The presets: of the official code, the paper, small machines, what ships.

Settings are those of `progan_tf.config.TrainConfig`; what a preset does not
name keeps its default there. Kimg are thousands of images seen. A table gives
a number for each resolution; a single number stands for all of them.
"""

from progan_tf.errors import UserError
from progan_tf.resolutions import HIGHEST_RESOLUTION, resolutions


def _by_resolution(*numbers):
    """A table from the numbers for 4x4, 8x8, ... 1024x1024."""
    return dict(zip(resolutions(HIGHEST_RESOLUTION), numbers, strict=True))


# Minibatch over all devices, by number of devices: the official code's
# presets v2-1gpu, v2-2gpus, v2-4gpus and v2-8gpus. Its limits for one GPU in
# float32 (16 at 256x256, 8 at 512x512, 4 at 1024x1024) hold in every row.
OFFICIAL_BATCH_SIZES = {
    1: _by_resolution(128, 128, 128, 64, 32, 16, 8, 4, 4),
    2: _by_resolution(256, 256, 128, 64, 32, 16, 8, 8, 8),
    4: _by_resolution(512, 256, 128, 64, 32, 16, 16, 16, 16),
    8: _by_resolution(512, 256, 128, 64, 32, 32, 32, 32, 32),
}
OFFICIAL_LEARNING_RATES = {
    1: _by_resolution(*[0.001] * 8, 0.0015),
    2: _by_resolution(*[0.001] * 7, 0.0015, 0.002),
    4: _by_resolution(*[0.001] * 6, 0.0015, 0.002, 0.003),
    8: _by_resolution(*[0.001] * 5, 0.0015, 0.002, 0.003, 0.003),
}

# Table 1 of the paper, at 128x128: each row adds one thing to the row before,
# so, from the last one back, each is the next one without it. The numbers are
# those of the paper's own program.
_ROW_G = {
    "resolution": 128,
    "fade_kimg": 800,
    "stable_kimg": 800,
    "total_kimg": 10000,
    "batch_size": _by_resolution(*[16] * 9),
    "learning_rate": 0.001,
    "fmap_base": 2048,
    "fused_scale": False,
    "minibatch_stddev_group": 16,
    "tick_kimg": 20,
    "sample_kimg": 40,
    "checkpoint_kimg": 200,
}
_ROW_F = {**_ROW_G, "pixelnorm": False}
_ROW_E = {**_ROW_F, "equalized": False, "learning_rate": 0.0001}
_ROW_D = {**_ROW_E, "minibatch_stddev_group": 0}
_ROW_C = {
    **_ROW_D,
    "latent_size": 128,
    "normalize_latents": False,
    "activation": "relu",
    "generator_norm": "batch",
    "tanh": True,
    "discriminator_norm": "layer",
    "discriminator_steps": 5,
    "adam_beta2": 0.9,
    "drift": 0.0,
    # The average is over images: 5 minibatches pass in one generator step.
    "average_decay": 0.999**5,
}
_ROW_B = {
    **_ROW_C,
    "batch_size": _by_resolution(*[64] * 9),
    "average_decay": 0.999**20,
}
_TABLE1 = {
    # Gulrajani et al. (2017).
    "table1-a": {**_ROW_B, "growing": False},
    # + progressive growing
    "table1-b": _ROW_B,
    # + small minibatch
    "table1-c": _ROW_C,
    # + revised training parameters
    "table1-d": _ROW_D,
    # + minibatch discrimination, of Salimans et al. (2016), instead of (e)
    "table1-estar": {**_ROW_D, "minibatch_discrimination": 100},
    # + minibatch standard deviation
    "table1-e": _ROW_E,
    # + equalized learning rate
    "table1-f": _ROW_F,
    # + pixelwise normalization: the paper's own networks, with fewer maps
    "table1-g": _ROW_G,
    # Converged: as many maps as elsewhere in the paper, and longer. It does
    # not say how long; this is as long as preset `paper`.
    "table1-h": {**_ROW_G, "fmap_base": 8192, "total_kimg": 19000},
}

# Half the paper's maps, a quarter of its arithmetic.
_SMALL_GPU = {
    "batch_size": _by_resolution(64, 64, 64, 64, 32, 32, 16, 8, 4),
    "learning_rate": _by_resolution(*[0.0015] * 6, *[0.001] * 3),
    "rampdown": 0.2,
    "fmap_base": 4096,
    "fmap_max": 256,
    "average_decay": _by_resolution(0.98, 0.99, 0.995, 0.998, *[0.999] * 5),
    "tick_kimg": 10,
    "sample_kimg": 40,
}

PRESETS = {
    # The official code's default, with the minibatches for one device.
    "official": {
        "resolution": 1024,
        "fade_kimg": 600,
        "stable_kimg": 600,
        "total_kimg": 12000,
        "batch_size": OFFICIAL_BATCH_SIZES[1],
        "learning_rate": OFFICIAL_LEARNING_RATES[1],
        "minibatch_stddev_group": 4,
        "tick_kimg": 20,
        "sample_kimg": 40,
        "checkpoint_kimg": 200,
    },
    # Appendix A.1 of the paper; the official code's v1-1gpu, but with the
    # paper's discriminator, which activates before it downscales.
    "paper": {
        "resolution": 1024,
        "fade_kimg": 800,
        "stable_kimg": 800,
        "total_kimg": 19000,
        "batch_size": _by_resolution(16, 16, 16, 16, 16, 16, 14, 6, 3),
        "learning_rate": 0.001,
        "fused_scale": False,
        "minibatch_stddev_group": 16,
        "tick_kimg": 20,
        "sample_kimg": 40,
        "checkpoint_kimg": 200,
    },
    **_TABLE1,
    # The paper's CIFAR-10, as its original code has it, without labels.
    "cifar10": {
        "data": "tfds:cifar10",
        "resolution": 32,
        "fade_kimg": 400,
        "stable_kimg": 400,
        "total_kimg": 20000,
        "batch_size": _by_resolution(*[16] * 9),
        "learning_rate": 0.001,
        "latent_size": 128,
        "fmap_base": 4096,
        "fmap_max": 128,
        "fused_scale": False,
        "minibatch_stddev_group": 16,
        "wgan_target": 750.0,
        "tick_kimg": 20,
        "sample_kimg": 40,
        "checkpoint_kimg": 200,
    },
    # Recognisable pictures from two CPU cores while one waits.
    "laptop": {
        "resolution": 32,
        "fade_kimg": _by_resolution(0, 8, 12, 12, 40, 40, 40, 40, 40),
        "stable_kimg": _by_resolution(8, 12, 20, 168, 80, 80, 80, 80, 80),
        "total_kimg": None,
        "batch_size": _by_resolution(32, 32, 16, 16, 8, 4, 4, 4, 4),
        # Above 32x32, with smaller minibatches, a rate that was tried nowhere
        # would be too bold.
        "learning_rate": _by_resolution(*[0.004] * 4, *[0.002] * 5),
        "rampdown": 0.25,
        "penalty_every": 4,
        "fmap_max": _by_resolution(64, 64, 48, *[32] * 6),
        # The average forgets quickly where there are few minibatches: otherwise
        # it would still be the noise that it began with.
        "average_decay": _by_resolution(0.98, 0.99, 0.995, *[0.998] * 6),
        "precision": "auto",
        "tick_kimg": 2,
        "sample_kimg": 10,
        "checkpoint_kimg": 20,
    },
    "laptop-wgan": {
        "resolution": 32,
        "fade_kimg": _by_resolution(0, 16, 20, 24, 40, 40, 40, 40, 40),
        "stable_kimg": _by_resolution(16, 16, 24, 64, 80, 80, 80, 80, 80),
        "total_kimg": None,
        "batch_size": _by_resolution(32, 32, 16, 16, 8, 4, 4, 4, 4),
        "learning_rate": 0.002,
        "fmap_max": 64,
        "average_decay": _by_resolution(0.98, 0.99, 0.995, *[0.998] * 6),
        "precision": "auto",
        "tick_kimg": 2,
        "sample_kimg": 10,
        "checkpoint_kimg": 20,
    },
    # A consumer's GPU of 8 GB. On a CPU a training step at 256x256 took 0.12 GB
    # a picture in float32, so 16 of them leave the GPU its room.
    "gpu-8gb": {
        "resolution": 256,
        "fade_kimg": _by_resolution(0, 40, 60, 100, 200, 300, *[400] * 3),
        "stable_kimg": _by_resolution(40, 40, 60, 100, 200, 300, *[600] * 3),
        "total_kimg": 4000,
        **_SMALL_GPU,
        "precision": "auto",
        "checkpoint_kimg": 100,
    },
    # A free Colab GPU: a T4 of 16 GB, which has float16 units, but none for
    # bfloat16.
    "colab": {
        "resolution": 128,
        "fade_kimg": _by_resolution(0, 40, 60, 100, 150, *[200] * 4),
        "stable_kimg": _by_resolution(40, 40, 60, 100, 150, *[400] * 4),
        "total_kimg": 1500,
        **_SMALL_GPU,
        "precision": "float16",
        # Colab may end a session at any time.
        "checkpoint_kimg": 20,
    },
    # For 100 to 2,000 pictures, on one GPU; see docs/small-data.md.
    "small": {
        "resolution": 128,
        "mirror": True,
        "hold_out": 0.1,
        "augment": "color,translation,cutout",
        "augment_p": 0.6,  # So that generated pictures do not show it.
        "penalty_every": 4,
        "fade_kimg": _by_resolution(0, 16, 20, 24, 40, 60, 80, 100, 120),
        "stable_kimg": _by_resolution(16, 16, 24, 64, 80, 140, 240, 300, 400),
        "total_kimg": None,
        "batch_size": _by_resolution(32, 32, 16, 16, 16, 16, 8, 4, 4),
        "learning_rate": 0.002,
        "fmap_max": 128,
        "average_decay": _by_resolution(0.98, 0.99, 0.995, *[0.998] * 6),
        "precision": "auto",
        "tick_kimg": 2,
        "sample_kimg": 10,
        "checkpoint_kimg": 20,
        "keep_checkpoints": 10,
    },
    # The networks that come with the program, trained on one GPU.
    "cats-128": {
        "data": "cats",
        "resolution": 128,
        "labels": True,
        "fade_kimg": _by_resolution(0, 40, 48, 64, 96, *[128] * 4),
        "stable_kimg": _by_resolution(32, 40, 48, 96, 96, *[400] * 4),
        "total_kimg": 2880,
        "batch_size": _by_resolution(64, 64, 64, 64, 32, 32, 16, 8, 4),
        "learning_rate": _by_resolution(*[0.002] * 5, *[0.0015] * 4),
        "rampdown": 0.2,
        "penalty_every": 4,
        # Few at 128x128, where most of the arithmetic is, and at 4x4, where
        # most of the discriminator's numbers would be.
        "fmap_max": _by_resolution(72, 128, 128, 128, 128, *[64] * 4),
        "average_decay": _by_resolution(0.98, 0.99, 0.995, 0.998, *[0.999] * 5),
        "precision": "bfloat16",
        "tick_kimg": 10,
        "sample_kimg": 40,
        "checkpoint_kimg": 100,
    },
}


# What a preset was: a run that was begun with it goes on by the same command.
FORMER_PRESETS = {"laptop": "laptop-wgan"}


def preset_settings(preset, replicas=1):
    """The settings of a preset for a number of devices.

    The official preset has a row of minibatches and learning rates for each
    number of devices; the largest row of not more devices is taken. Where a
    minibatch cannot be shared out evenly it is made a little smaller, to a
    number that each device can split into groups for the minibatch standard
    deviation.

    Args:
        preset: str, a name in `PRESETS`.
        replicas: int, devices that share a minibatch.

    Returns:
        dict from setting to value.

    Raises:
        UserError: for an unknown preset or fewer than one replica.
    """
    if preset not in PRESETS:
        known = ", ".join(PRESETS)
        raise UserError(f"preset must be one of {known}, not {preset!r}")
    if replicas < 1:
        raise UserError(f"replicas must be 1 or more, not {replicas!r}")
    settings = dict(PRESETS[preset])
    if preset == "official":
        row = max(r for r in OFFICIAL_BATCH_SIZES if r <= replicas)
        settings["batch_size"] = OFFICIAL_BATCH_SIZES[row]
        settings["learning_rate"] = OFFICIAL_LEARNING_RATES[row]
    group = settings.get("minibatch_stddev_group", 4) or 1
    settings["batch_size"] = {
        resolution: _shared_evenly(batch, replicas, group)
        for resolution, batch in settings["batch_size"].items()
    }
    return settings


def check_shared_evenly(batch_sizes, replicas):
    """Raise UserError unless every minibatch can be shared by the devices.

    Args:
        batch_sizes: dict from resolution to int.
        replicas: int, devices that share a minibatch.
    """
    for resolution, batch in batch_sizes.items():
        if batch % replicas:
            raise UserError(
                f"batch_size {batch} at {resolution}x{resolution} cannot be "
                f"shared evenly by {replicas} devices; give --batch_size a "
                f"multiple of {replicas} or choose other --devices"
            )


def _shared_evenly(batch, replicas, group):
    """The nearest minibatch that devices can share, never less than two each.

    Groups of the minibatch standard deviation are as large as divides a
    device's share, so a share such as 85 would have groups of one sample, and
    a share of one sample has no deviation at all.
    """
    share = max(2, batch // replicas)
    if share > group:
        share -= share % group
    return share * replicas
