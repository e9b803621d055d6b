"""Models that others have put on the net, by their names there.

  hf://USER/MODEL                       a repository of the Hugging Face Hub
  kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]
                                        a model of Kaggle; or its page's address
  https://tfhub.dev/...                 a module of TF-Hub, or a .tar.gz of one

Each site's own client fetches them into its own cache, from which they come
without a network, too. What was fetched is opened like any file of strangers.
"""

import importlib
import os
import pathlib
import re
import warnings

from progan_tf.errors import UserError
from progan_tf.text import first_line, shortened

# What may be wanted of a model: how errors call it, the names of its files,
# and what else is fetched with them.
_WANTED = {
    "generator": (
        "a Keras model: config.json and model.weights.h5, or one .keras file",
        ("*.keras",),
        ("config.json", "metadata.json", "model.weights.*", "assets/*"),
    ),
    "module": (
        "one SavedModel, as a folder or .tar.gz",
        ("*saved_model.pb", "*.tar.gz"),
        ("*variables/*", "*assets/*", "*tfhub_module.pb"),
    ),
    "weights": ("one .pkl or .pth file", ("*.pkl", "*.pth"), ()),
}
_ELSEWHERE = (
    "a Keras model goes to --run_dir, a TF-Hub module to --module, published "
    "weights to --weights of convert"
)
_HUGGING_FACE = re.compile(r"hf://(\w[\w.-]*/\w[\w.-]*)/?")
_PART = r"(\w[\w.-]*)"
_KAGGLE = re.compile(
    rf"(?:kaggle://|https?://(?:www\.)?kaggle\.com/models/){_PART}/{_PART}"
    rf"/(?:frameworks/)?{_PART}/(?:variations/)?{_PART}"
    r"(?:/(?:versions/)?(\d{1,9}))?/?"
)
_FORMS = "hf://USER/MODEL or kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]"
# What servers answer about what is not there, and what is not for everybody.
_REFUSED = (401, 403, 404)


def is_address(name):
    """Whether a text names something on the net, and no path."""
    return isinstance(name, str) and "://" in name


def check_no_address(run_dir):
    """Raise UserError for a name on the net where a run's folder is wanted."""
    if is_address(run_dir):
        raise UserError(
            f"{shortened(run_dir)} is on the net; expected a run directory of "
            "this machine"
        )


def local(name, wanted):
    """The file or folder of this machine that a name on the net stands for.

    Args:
        name: str or `pathlib.Path`; a path is given back as it is.
        wanted: "generator" (a Keras model), "module" or "weights".

    Returns:
        `pathlib.Path` in the cache of the site's client, or the path.

    Raises:
        UserError: if it cannot be fetched, or is or has nothing of the kind.
    """
    if not is_address(name):
        return name
    kaggle = _KAGGLE.fullmatch(name)
    if name.startswith("hf://"):
        folder = _of_hugging_face(name, wanted)
    elif kaggle:
        folder = _of_kaggle(name, "/".join(filter(None, kaggle.groups())))
    elif wanted == "module" and name.startswith(("http://", "https://")):
        folder = _of_tf_hub(name)
    else:
        forms = _FORMS + ", or https://..." * (wanted == "module")
        raise UserError(f"expected {forms}; received {shortened(name, 200)}")
    return _chosen(pathlib.Path(folder), name, wanted)


def is_unpacked_keras(folder):
    """Whether a path is a folder that holds the files of a `.keras` file."""
    weights = ("model.weights.h5", "model.weights.npz")
    return os.path.isfile(os.path.join(folder, "config.json")) and any(
        os.path.isfile(os.path.join(folder, name)) for name in weights
    )


def repository(name):
    """USER/MODEL of hf://USER/MODEL; UserError for anything else."""
    match = _HUGGING_FACE.fullmatch(name)
    if not match:
        raise UserError(
            f"expected hf://USER/MODEL; received {shortened(name, 200)}"
        )
    return match[1]


def client(package, extra, name):
    """A site's client, imported; UserError where it is not installed."""
    try:
        with warnings.catch_warnings():
            # TF-Hub imports pkg_resources, which warns of its removal.
            warnings.filterwarnings("ignore", "pkg_resources", UserWarning)
            return importlib.import_module(package)
    except ImportError as error:
        raise UserError(
            f"{shortened(name, 200)} needs {package}: "
            f'pip install "progan-tf[{extra}]"'
        ) from error


def status_of(error):
    """The HTTP status that an error of a client comes from, or None."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _of_hugging_face(name, wanted):
    model = repository(name)
    hub = client("huggingface_hub", "hf", name)
    _, files, others = _WANTED[wanted]
    try:
        return hub.snapshot_download(model, allow_patterns=[*files, *others])
    except Exception as error:  # Whatever a server may say.
        raise _refusal(name, error, "hf auth login") from error


def _of_kaggle(name, handle):
    hub = client("kagglehub", "kaggle", name)
    try:
        return hub.model_download(handle)
    except Exception as error:
        raise _refusal(name, error, "kagglehub.login()") from error


def _of_tf_hub(name):
    hub = client("tensorflow_hub", "hub", name)
    try:
        return hub.resolve(name)
    except Exception as error:
        raise _refusal(name, error) from error


def _refusal(name, error, login=None):
    """What is said of a model that could not be fetched, a `UserError`."""
    name = shortened(name, 200)
    if status_of(error) in _REFUSED and login:
        return UserError(
            f"there is no {name}, or none that you may read: look for it on "
            f"the site; if it is not for everybody, first log in with {login}"
        )
    return UserError(
        f"cannot fetch {name}: {first_line(error)}; without a network only "
        "what was fetched before can be used"
    )


def _chosen(folder, name, wanted):
    """The one file or folder in a fetched folder that is wanted."""
    if wanted == "generator" and is_unpacked_keras(folder):
        return folder
    expected, patterns, _ = _WANTED[wanted]
    found = [path for pattern in patterns for path in folder.rglob(pattern)]
    if len(found) != 1:
        count = len(found) or "none"
        raise UserError(
            f"expected {expected}; {shortened(name, 200)} has {count} "
            f"({_ELSEWHERE})"
        )
    path = found[0]
    return path.parent if path.suffix == ".pb" else path
