"""Making a `TrainConfig`: of a preset and flags, or of a run's config.json."""

import dataclasses
import os
import pathlib

from progan_tf import settings
from progan_tf.augmentation import TRANSFORMS
from progan_tf.config.presets import preset_settings
from progan_tf.config.train_config import CONFIG_FILE, TrainConfig
from progan_tf.errors import UserError
from progan_tf.reading import read_text


def load_config(run_dir):
    """The configuration stored in a run directory, wherever it is now.

    Raises:
        UserError: if there is none or it cannot be read, naming the path.
    """
    path = pathlib.Path(run_dir) / CONFIG_FILE
    if not os.path.exists(path):  # That raises nothing, whatever the name.
        raise UserError(f"expected a run directory; there is no {path}")
    text = read_text(path)
    try:
        stored = TrainConfig.from_json(text)
    except UserError as error:
        raise UserError(f"cannot read {path}: {error}") from error
    return dataclasses.replace(stored, run_dir=str(run_dir))


def resolve(preset="official", overrides=None, replicas=1):
    """A configuration from a preset and explicitly given settings.

    Args:
        preset: str, a name in `PRESETS`.
        overrides: mapping from setting to value. Of a table some resolutions
            suffice; the others have the preset's numbers.
        replicas: int, devices that share a minibatch. The preset's
            minibatches are made for that number; given ones must suit it.

    Raises:
        UserError: for an unknown preset or setting, or a wrong value.
    """
    values = preset_settings(preset, replicas)
    settings.check_names(overrides or {}, TrainConfig)
    values = overridden(values, overrides or {})
    return TrainConfig(**{**values, "preset": preset, "replicas": replicas})


def overridden(values, given):
    """A dict of settings, overridden by those that are given.

    Where they give no augmentation, or one whose p follows by itself, what
    another was tuned with is left out: no flag could take it back.
    """
    before, values = values.get("augment", "none"), dict(values)
    augment = given.get("augment", before)
    if augment != before:
        values.pop("ada_target", None)
        alone = [name for name, row in TRANSFORMS.items() if row.alone]
        if augment in ("none", *alone):
            values.pop("augment_p", None)
    return settings.merged(values, given, TrainConfig)
