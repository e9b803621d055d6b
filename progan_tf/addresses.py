"""Models on the web, given by their addresses.

  hf://USER/MODEL                       a repository of the Hugging Face Hub
  kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]
                                        a model on Kaggle, or its page's URL
  https://tfhub.dev/...                 a module of TF-Hub, or a .tar.gz of one

Each site's own client downloads them to its own cache, where they are available
offline, too. A downloaded model is opened like any other untrusted file.
"""

import importlib.util
import os
import pathlib
import re
import warnings
from collections.abc import Callable
from typing import NamedTuple

from progan_tf.errors import UserError
from progan_tf.text import first_line, shortened

# For each kind of model: its name in errors, patterns of its main files, and of
# other files to download with them.
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
    "give a Keras model to --run_dir, a TF-Hub module to --module, published "
    "weights to convert --weights"
)
# HTTP statuses for models that do not exist or are not public.
_REFUSED = (401, 403, 404)
_HUGGING_FACE = re.compile(r"hf://(\w[\w.-]*/\w[\w.-]*)/?")
_PART = r"(\w[\w.-]*)"
_KAGGLE = re.compile(
    rf"(?:kaggle://|https?://(?:www\.)?kaggle\.com/models/){_PART}/{_PART}"
    rf"/(?:frameworks/)?{_PART}/(?:variations/)?{_PART}"
    r"(?:/(?:versions/)?(\d{1,9}))?/?"
)
_FORMS = "hf://USER/MODEL or kaggle://OWNER/MODEL/FRAMEWORK/VARIATION[/VERSION]"


class _Site(NamedTuple):
    """A site's client, and a function of it that downloads to a folder."""

    package: str  # The client's package, which the extra installs.
    extra: str
    fetch: Callable
    login: str | None = None  # How users log in.


def is_address(name):
    """Whether a name is an address on the web and not a path."""
    return isinstance(name, str) and "://" in name


def check_no_address(run_dir):
    """Raise UserError if an address is given as a run directory."""
    if is_address(run_dir):
        raise UserError(
            "expected a run directory on this machine; received the address "
            f"{shortened(run_dir)}"
        )


def local(name, wanted):
    """The local file or folder of an address, downloaded if need be.

    Args:
        name: str or `pathlib.Path`; a path is returned as it is.
        wanted: "generator" (a Keras model), "module" or "weights".

    Returns:
        `pathlib.Path` in the cache of the site's client, or the path.

    Raises:
        UserError: if it cannot be downloaded or is not of the wanted kind.
    """
    if not is_address(name):
        return name
    site = _site(name, wanted)
    hub = client(site.package, site.extra, name)
    try:
        folder = site.fetch(hub)
    except Exception as error:  # Clients raise errors of many kinds.
        raise _refusal(name, error, site.login) from error
    return _chosen(pathlib.Path(folder), name, wanted)


def check(name, wanted):
    """Raise UserError early for an address that `local` cannot download.

    Its form is unknown, or the site's client is not installed. A path or None
    is accepted.
    """
    if is_address(name):
        site = _site(name, wanted)
        if not importlib.util.find_spec(site.package):
            raise _not_installed(site.package, site.extra, name)


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
    """A site's client, imported; UserError if it is not installed."""
    try:
        with warnings.catch_warnings():
            # TF-Hub imports pkg_resources, which warns of its removal.
            warnings.filterwarnings("ignore", "pkg_resources", UserWarning)
            return importlib.import_module(package)
    except ImportError as error:
        raise _not_installed(package, extra, name) from error


def status_of(error):
    """The HTTP status that caused an error of a client, or None."""
    response = getattr(error, "response", None)
    return getattr(response, "status_code", None)


def _site(name, wanted):
    """The `_Site` of an address; UserError if there is none."""
    kaggle = _KAGGLE.fullmatch(name)
    if name.startswith("hf://"):
        model, (_, files, others) = repository(name), _WANTED[wanted]

        def fetch(hub):
            patterns = [*files, *others]
            return hub.snapshot_download(model, allow_patterns=patterns)

        return _Site("huggingface_hub", "hf", fetch, "hf auth login")
    if kaggle:
        handle = "/".join(filter(None, kaggle.groups()))

        def fetch(hub):
            return hub.model_download(handle)

        return _Site("kagglehub", "kaggle", fetch, "kagglehub.login()")
    if wanted == "module" and name.startswith(("http://", "https://")):
        return _Site("tensorflow_hub", "hub", lambda hub: hub.resolve(name))
    forms = _FORMS + ", or https://..." * (wanted == "module")
    raise UserError(f"expected {forms}; received {shortened(name, 200)}")


def _not_installed(package, extra, name):
    return UserError(
        f"{shortened(name, 200)} needs {package}: "
        f'pip install "progan-tf[{extra}]"'
    )


def _refusal(name, error, login=None):
    """The `UserError` for a model that could not be downloaded."""
    name = shortened(name, 200)
    if status_of(error) in _REFUSED and login:
        return UserError(
            f"there is no {name}, or you have no access to it: check the name "
            "on the site; for a private or gated model, first log in with "
            f"{login}"
        )
    return UserError(
        f"cannot fetch {name}: {first_line(error)}; without a network "
        "connection, only models that were fetched before can be used"
    )


def _chosen(folder, name, wanted):
    """The one file or folder of the wanted kind in a downloaded folder."""
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
