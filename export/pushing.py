"""Pushing a generator to the Hugging Face Hub, in the form that Keras reads."""

import pathlib
import re
import tempfile
import zipfile

from progan_tf import addresses
from progan_tf.errors import UserError
from progan_tf.export.card import card_files, licences
from progan_tf.export.exporting import export_generator
from progan_tf.export.format import CARD_FILE
from progan_tf.sampling import as_generator
from progan_tf.text import first_line

# Metadata for the site's search; all but the tags are from the site's lists.
_FRONT_MATTER = """\
---
library_name: keras
{licence}
pipeline_tag: unconditional-image-generation
tags:
- gan
- progressive-gan
- image-generation
---
"""
_CREATIVE_COMMONS = re.compile(r"\bCC (BY(?:-NC|-SA|-ND)*) (\d\.\d)")
_WORD = re.compile(r"[A-Za-z0-9][\w.-]*")


def push(generator, name, precision="float32", metrics=None, licence=None):
    """Push a generator; its repository is created if there is none.

    The files of an unpacked `.keras` file, which
    `keras.saving.load_model("hf://USER/MODEL")` can read, a model card and a
    picture of samples are pushed in a single commit.

    Args:
        generator: as of `export_generator`.
        name: str, hf://USER/MODEL.
        precision, metrics: as of `export_generator`.
        licence: str, from the site's own list, such as "cc-by-4.0"; by default
            that of the card, or "unknown".

    Returns:
        str, the address of the model's page.

    Raises:
        UserError: if it cannot be pushed, or would differ: see
            `export_generator`.
    """
    repository = addresses.repository(name)
    hub = addresses.client("huggingface_hub", "hf", name)
    if licence is not None and not _WORD.fullmatch(licence):
        raise UserError(f"expected a licence such as cc-by-4.0, not {licence}")
    generator = as_generator(generator)
    files = card_files(generator, "keras", precision, metrics, None, True)
    card = files[CARD_FILE].decode().replace("path/to/this", name)
    front = front_matter(generator.origin and generator.origin[0], licence)
    files[CARD_FILE] = (front + card).encode()
    with tempfile.TemporaryDirectory() as folder:
        packed, unpacked = pathlib.Path(folder, "m.keras"), f"{folder}/model"
        export_generator(generator, packed, "keras", precision=precision)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(unpacked)
        for file, data in files.items():
            pathlib.Path(unpacked, file).write_bytes(data)
        try:
            api = hub.HfApi(library_name="progan_tf")
            address = api.create_repo(repository, exist_ok=True)
            api.upload_folder(
                repo_id=repository,
                folder_path=unpacked,
                commit_message="A generator of progan_tf",
            )
        except Exception as error:  # Whatever a server may say.
            raise _refusal(name, error) from error
    return str(address)


def front_matter(config, licence=None):
    """The YAML before a model card: see `push`; config is as of `licences`."""
    names = [licence] if licence else _names_of(licences(config))
    text = f"license: {names[0]}"
    if len(names) > 1:
        # The site's list has no name for several licences.
        text = f"license: other\nlicense_name: {'-and-'.join(names)}"
    return _FRONT_MATTER.format(licence=text)


def _names_of(texts):
    """The site's names of licences; "unknown" if a text has none."""
    matches = [_CREATIVE_COMMONS.search(text) for text in texts]
    if not all(matches):
        return ["unknown"]
    names = [f"cc-{match[1].lower()}-{match[2]}" for match in matches]
    return list(dict.fromkeys(names))


def _refusal(name, error):
    """The `UserError` for a model that could not be pushed."""
    if addresses.status_of(error) in (401, 403):
        return UserError(
            f"you may not write to {name}: log in with hf auth login, using a "
            "token with write access to it"
        )
    return UserError(f"cannot push to {name}: {first_line(error)}")
