"""The configuration of a training run: a frozen dataclass, resolved once.

A preset and the settings that the user gave explicitly become a `TrainConfig`,
which is stored as `config.json` in the run directory and read back by every
other command. The settings are declared in `TrainSettings`; here is what
follows from them. No TensorFlow here.
"""

import dataclasses
import functools
import json
import pathlib
import re

from progan_tf import settings
from progan_tf.architecture import (
    FLOAT16_EPSILON,
    Architecture,
    NetworkSettings,
)
from progan_tf.augmentation import check_augmentation
from progan_tf.config.precision import fastest_precision
from progan_tf.config.presets import check_shared_evenly
from progan_tf.config.train_settings import TrainSettings
from progan_tf.errors import UserError
from progan_tf.files import write_text_atomically, writing
from progan_tf.losses import PENALTIES, check_objective, passes
from progan_tf.reading import parse_json
from progan_tf.resolutions import LOWEST_RESOLUTION, resolutions
from progan_tf.schedule import Cadences, GrowthSchedule
from progan_tf.text import printable

CONFIG_FILE = "config.json"

# The flags that say what the networks are, but for the resolution, to which
# they may grow on.
NETWORK_SETTINGS = tuple(
    field.name
    for field in dataclasses.fields(NetworkSettings)
    if field.metadata["flag"] and field.name != "resolution"
)


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainConfig(TrainSettings):
    """Every setting of a training run; the defaults are the official code's.

    `preset` is only the name under which the settings are stored: made here, a
    config has the official code's defaults whatever it says. For the numbers of
    another preset call `resolve("laptop", {"total_kimg": 60})`.

    Tables are dicts from resolution to number for 4, 8, ... `resolution`; a
    single number given for one stands for all resolutions. An empty `run_dir`
    becomes runs/DATA-PRESET-RESOLUTION. A folder of `data` is kept with its
    whole path, so that the run is found again from another folder.

    Raises:
        UserError: for a value that is not of its setting's kind or range.
    """

    def __post_init__(self):
        sizes = resolutions(self.resolution)
        # The dataclass is frozen for its users, not yet for itself.
        put = functools.partial(object.__setattr__, self)
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if field.name == "gradient_penalty":
                value = self._penalty_weights(value, sizes)
            elif field.name == "drift" and value is None:
                value = 0.001 if self.loss == "wgan" else 0.0
            put(field.name, settings.checked(field, value, sizes))
        # There is nothing below 4x4 to fade from.
        self.fade_kimg[LOWEST_RESOLUTION] = 0
        put("data", _data_kind(self.data).absolute(self.data))
        if self.precision == "auto":
            put("precision", fastest_precision(self.devices))
        check_objective(self)
        check_augmentation(self)
        if self.freeze_discriminator >= len(sizes):
            raise UserError(
                f"freeze_discriminator must be less than {len(sizes)}, the "
                f"number of resolutions up to {self.resolution}x"
                f"{self.resolution}, not {self.freeze_discriminator}"
            )
        if self.channels not in (1, 3):
            raise UserError(f"channels must be 1 or 3, not {self.channels}")
        if self.num_classes and not self.drawn_classes():
            raise UserError(
                "expected a class with pictures; empty_classes lists all"
            )
        check_shared_evenly(self.batch_size, self.replicas)
        # They check themselves.
        self.schedule()
        _ = self.architecture
        if not self.run_dir:
            put("run_dir", _default_run_dir(self))

    def schedule(self):
        """The `GrowthSchedule` of this run, whose unit is one image."""

        def images(table):
            return {size: round(1000 * kimg) for size, kimg in table.items()}

        total = self.total_kimg
        total = None if total is None else round(1000 * total)
        fades, stable = images(self.fade_kimg), images(self.stable_kimg)
        if not self.growing:
            if total is None:
                total = sum(fades.values()) + sum(stable.values())
            fades = stable = dict.fromkeys(fades, 0)
        return GrowthSchedule(
            self.resolution,
            fades,
            stable,
            self.batch_size,
            self.learning_rate,
            total,
            round(1000 * self.rampup_kimg),
            self.rampdown,
        )

    def step_flops_per_image(self, resolution):
        """Floating-point operations of a training step for each image of it.

        They are those of convolutions and dense layers, a multiply-add as
        two; of what is not done in every step it is the mean.
        """
        flops = self.architecture.forward_flops
        return sum(
            number * flops(network, resolution)
            for network, number in passes(self).items()
        )

    def _penalty_weights(self, given, sizes):
        """Those that were given, and for the others the penalty's own."""
        if given is not None and not isinstance(given, dict):
            return given
        usual = dict.fromkeys(map(str, sizes), PENALTIES[self.penalty].weight)
        given = {str(k): x for k, x in (given or {}).items() if x is not None}
        return usual | given

    @property
    def architecture(self):
        """The `Architecture` of the networks."""
        fields = dataclasses.fields(NetworkSettings)
        values = {field.name: getattr(self, field.name) for field in fields}
        if self.precision == "float16" and not self.pixelnorm_epsilon:
            # Of the average, too, which is computed in float32.
            values["pixelnorm_epsilon"] = FLOAT16_EPSILON
        return Architecture(**values)

    def drawn_classes(self):
        """The classes that have pictures, list of ints; none without labels."""
        empty = set(self.empty_classes.split(","))
        return [n for n in range(self.num_classes) if str(n) not in empty]

    def names_of_classes(self):
        """One name per class, tuple of str; empty where they are not known."""
        # Those of another person's file may have control characters.
        names = map(printable, filter(None, self.class_names.split("\n")))
        names = tuple(names)
        return names if len(names) == self.num_classes else ()

    def cadences(self):
        """The `Cadences` of this run."""

        def images(kimg):
            return max(1, round(1000 * kimg)) if kimg else None

        return Cadences(
            images(self.tick_kimg),
            images(self.sample_kimg),
            images(self.eval_kimg),
            images(self.checkpoint_kimg),
        )

    def to_json(self):
        """The configuration as JSON text; `from_json` reads it back."""
        return json.dumps(dataclasses.asdict(self), indent=2) + "\n"

    @classmethod
    def from_json(cls, text):
        """The configuration that `to_json` wrote; of other text, UserError."""
        try:
            values = parse_json(text)
        except ValueError as error:
            raise UserError(f"not JSON: {error}") from error
        if not isinstance(values, dict):
            raise UserError(f"expected a JSON object, not {values!r}")
        settings.check_names(values, cls)
        return cls(**values)

    def save_config(self, run_dir=None):
        """Write config.json to the run directory; makes that if need be."""
        folder = pathlib.Path(run_dir or self.run_dir)
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
        write_text_atomically(folder / CONFIG_FILE, self.to_json())


def _data_kind(data):
    """The kind of source that answers for what `--data` names."""
    # Here, because the sources bring NumPy and Pillow, which --help need not
    # wait for.
    from progan_tf.data import kind_named

    return kind_named(data)


def _default_run_dir(config):
    """runs/DATA-PRESET-RESOLUTION, with the data's name fit for a folder.

    A preset that is called after its data and resolution is enough.
    """
    name = _data_kind(config.data).title(config.data)
    name = re.sub(r"[^\w.]+", "-", name).strip("-.")[:200] or "data"
    if config.preset == f"{name}-{config.resolution}":
        return f"runs/{config.preset}"
    return f"runs/{name}-{config.preset}-{config.resolution}"
