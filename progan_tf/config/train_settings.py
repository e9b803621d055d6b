"""The settings of a training run: what each is, its default and its limits.

Each setting is declared once, here or in `NetworkSettings`: its flag, its
checks and its entry in config.json are made from the declaration. What follows
from the settings stands in `TrainConfig`.
"""

import dataclasses
import functools

from progan_tf.architecture import NetworkSettings
from progan_tf.augmentation import ALONE, COMBINED
from progan_tf.config import presets
from progan_tf.config.precision import PRECISIONS
from progan_tf.losses import LOSSES, PENALTIES
from progan_tf.settings import setting

_OFFICIAL = presets.PRESETS["official"]
_table = functools.partial(setting, table=True)
# What may change when a run is resumed, and what the trainer finds in the data.
_free = functools.partial(setting, free=True)
_counted = functools.partial(setting, free=True, flag=False)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainSettings(NetworkSettings):
    """What may be chosen of a training: fields of `TrainConfig`.

    The defaults are the official code's.
    """

    preset: str = setting("official", "settings to start from", presets.PRESETS)
    data: str = setting(
        "cats", "cats, a folder of pictures or of prepared data, or tfds:NAME"
    )
    run_dir: str = _free(
        "",
        "folder for everything the run writes; by default "
        "runs/DATA-PRESET-RESOLUTION",
    )
    seed: int = setting(
        1000, "seed of the weights, latents and data order", low=0, below=2**31
    )
    labels: bool = setting(False, "learn the classes of the data (AC-GAN)")
    num_images: int = _counted(
        0, "pictures of the data; the trainer counts them", low=0, below=2**40
    )
    empty_classes: str = _counted(
        "", "numbers of the classes without pictures; the trainer finds them"
    )
    class_names: str = _counted(
        "", "names of the classes, one a line; the trainer reads them"
    )
    mirror: bool = setting(False, "show half of the pictures mirrored")
    hold_out: float = setting(
        0.0,
        "share of the pictures kept out of training, to see whether the "
        "discriminator overfits",
        low=0,
        below=1,
    )

    fade_kimg: dict[int, float] = _table(
        600, "thousands of images to fade a resolution in over", low=0
    )
    stable_kimg: dict[int, float] = _table(
        600, "thousands of images to then train a resolution on its own", low=0
    )
    total_kimg: float | None = _free(
        None,
        "thousands of images to train on; the last resolution fills what "
        "fade_kimg and stable_kimg leave of it",
        above=0,
    )
    batch_size: dict[int, int] = _table(
        _OFFICIAL["batch_size"], "images a step, all devices together", low=1
    )
    learning_rate: dict[int, float] = _table(
        _OFFICIAL["learning_rate"],
        "learning rate of both Adam optimizers",
        above=0,
    )
    rampup_kimg: float = setting(
        0,
        "thousands of images over which the learning rate rises from 0, at "
        "the beginning and from both ends of each fade",
        low=0,
    )
    rampdown: float = setting(
        0,
        "share of all images, the last ones, over which the learning rate "
        "falls to 0, which cleans the pictures",
        low=0,
        below=1,
        free=True,
    )
    growing: bool = setting(
        True,
        "begin with 4x4; --nogrowing trains the full resolution from the "
        "first image",
    )

    average_decay: dict[int, float] = _table(
        0.999,
        "decay of the generator's moving average, in each of its steps",
        low=0,
        below=1,
    )
    loss: str = setting(
        "wgan", f"adversarial loss: {', '.join(LOSSES)}", LOSSES
    )
    penalty: str = setting(
        "wgan_gp",
        f"penalty on the discriminator's gradients: {', '.join(PENALTIES)}",
        PENALTIES,
    )
    gradient_penalty: dict[int, float] = _table(
        None,
        "weight of the penalty; by default 10, and 0 of none",
        low=0,
    )
    penalty_every: int = setting(
        1,
        "N: take the penalty only in every N-th minibatch, with N times the "
        "weight",
        low=1,
    )
    wgan_target: float = setting(
        1.0, "gradient norm that wgan_gp asks for", above=0
    )
    drift: float | None = setting(
        None,
        "weight of the squared scores of real images; by default 0.001, of "
        "other losses than wgan 0",
        low=0,
    )
    label_weight: float = setting(1.0, "weight of the class losses", low=0)
    discriminator_steps: int = setting(
        1, "steps of the discriminator for each step of the generator", low=1
    )
    adam_beta2: float = setting(
        0.99,
        "decay of Adam's second moments, for both networks",
        low=0,
        below=1,
    )
    reset_optimizers: bool = setting(
        True,
        "reset both Adam optimizers at the start and at the end of each fade",
    )

    augment: str = setting(
        "none",
        "change what the discriminator sees, for few pictures: a list of "
        f"{','.join(COMBINED)}, or {', '.join(ALONE)}",
    )
    augment_p: float | None = setting(
        None,
        "probability of each change, 0 to 1; by default 1, and for ada adapted "
        "to how far the discriminator overfits",
        low=0,
    )
    ada_target: float | None = setting(
        None,
        "mean sign of the real scores that ada adapts p to; by default 0.6",
        above=0,
    )

    freeze_discriminator: int = setting(
        0,
        "number of resolutions, from the highest down, whose layers of the "
        "discriminator are not trained, in a run that convert began",
        low=0,
    )

    precision: str = setting(
        "float32",
        "number format to compute in; auto: bfloat16 where the hardware has "
        "it, else float32",
        # A stored configuration holds what auto was resolved to.
        ("auto", *PRECISIONS),
    )
    deterministic: bool = setting(False, "repeatable to the bit, but slower")
    devices: str = _free(
        "",
        "such as GPU:0,GPU:1 or CPU:0; by default all local GPUs, or the CPU",
    )
    xla: str = _free("auto", "compile the step with XLA", ("auto", "on", "off"))
    replicas: int = setting(
        1, "devices the minibatches were chosen for", low=1, flag=False
    )

    tick_kimg: float = _free(
        20, "thousands of images between two log lines", above=0
    )
    sample_kimg: float = _free(
        40, "thousands of images between two sample grids", above=0
    )
    eval_kimg: float = _free(
        0, "thousands of images between evaluations; 0: none", low=0
    )
    eval_images: int = _free(
        2048, "images of an evaluation while training", low=2
    )
    checkpoint_kimg: float = _free(
        200, "thousands of images between checkpoints", above=0
    )
    keep_checkpoints: int = _free(3, "newest checkpoints to keep", low=1)
