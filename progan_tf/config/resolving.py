"""Making a `TrainConfig`: of a preset and flags, or of a run's config.json."""

import dataclasses
import os
import pathlib

from progan_tf import settings
from progan_tf.augmentation import ALONE
from progan_tf.config.presets import preset_settings
from progan_tf.config.train_config import CONFIG_FILE, TrainConfig
from progan_tf.errors import UserError
from progan_tf.reading import read_text

# What was chosen for one loss, penalty or augmentation, and not for another.
_TUNED = {
    "loss": {"drift"},
    "penalty": {"gradient_penalty", "wgan_target"},
    "augment": {"ada_target"},
}


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

    What belongs to a loss, penalty or augmentation is left out of the values
    where another one is given: its weights are not those of the next, and no
    flag could take them back.
    """
    outdated = _outdated(values, given)
    values = {name: x for name, x in values.items() if name not in outdated}
    return settings.merged(values, given, TrainConfig)


def _outdated(values, given):
    """Names of settings that no longer apply beside those that are given."""
    names = set()
    for name, tuned in _TUNED.items():
        before, after = (
            some.get(name) or getattr(TrainConfig, name)
            for some in (values, {**values, **given})
        )
        if before == after:
            continue
        names |= tuned
        if name == "augment" and after in ("none", *ALONE):
            names.add("augment_p")
        if name == "penalty" and "none" in (before, after):
            names.add("penalty_every")
    # The p of an augmentation is either fixed or adapted.
    if given.get("augment_p") is not None:
        names.add("ada_target")
    if given.get("ada_target") is not None:
        names.add("augment_p")
    return names
