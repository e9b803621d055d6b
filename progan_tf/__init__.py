"""Progressive growing of GANs (Karras et al., 2018) for Keras 3.

The public names below are imported when they are first used, so that the
schedule, the settings and --help do not load TensorFlow. Importing
`progan_tf.layers` registers the layers with Keras: do so before
`keras.models.load_model("generator.keras")`, which does not import modules
by itself.
"""

import importlib
import pathlib
import sys

__version__ = "0.1.0"

_HOMES = {
    "schedule": ("GrowthSchedule", "Phase"),
    "config": ("PRESETS", "TrainConfig", "load_config", "resolve"),
    "errors": ("UserError",),
    "explorer": ("explore",),
    "layers": (
        "EqualizedConv2D",
        "EqualizedDense",
        "FadeIn",
        "FixedLabel",
        "MinibatchDiscrimination",
        "MinibatchStdDev",
        "NearestUpscale",
        "PixelNormalization",
        "SampleNormalization",
    ),
    "networks": ("Discriminator", "Generator"),
    "trainer": ("Trainer",),
    "checkpoint": ("load_generator",),
    "latents": ("seeded_latents",),
    "sampling": ("generate_images",),
}
_MODULES = {name: home for home, names in _HOMES.items() for name in names}

__all__ = ["__version__", *_MODULES]

# In a command, such as `python -m progan_tf.train`, Ctrl-C during the imports
# ends the process without a traceback.
if sys.argv[:1] == ["-m"] and "progan_tf" in sys.orig_argv[-len(sys.argv)]:
    from progan_tf import signals

    signals.leave_at_once()

# The export package stands beside this one in a checkout and inside it when
# installed; this line finds it in a checkout that is not installed.
if not (pathlib.Path(__file__).parent / "export").is_dir():
    __path__.append(str(pathlib.Path(__file__).parent.parent))


def __getattr__(name):
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = importlib.import_module(f"{__name__}.{_MODULES[name]}")
    return getattr(module, name)


def __dir__():
    return sorted({*globals(), *__all__})
