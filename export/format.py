"""The record of an export format, for the table of formats."""

import dataclasses
import zipfile
from collections.abc import Callable

from progan_tf.config.precision import PRECISIONS

CARD_FILE, SAMPLE_FILE = "README.md", "sample.png"
OPENVINO = """\
OpenVINO computes in bfloat16 where the processor has it; for exact images set
its property `INFERENCE_PRECISION_HINT` to `f32`.
"""


@dataclasses.dataclass(frozen=True)
class Folder:
    """Properties of a format that writes a folder instead of a file.

    Attributes:
        kind: what messages call such a folder.
        mark: the name of a file that it always contains.
        parts: all names that it may contain. An older export is recognized by
            them, and may be replaced.
        archive: ending of a file that it may be packed in; empty for none.
    """

    kind: str
    mark: str
    parts: frozenset[str]
    archive: str = ""


@dataclasses.dataclass(frozen=True)
class Format:
    """One format of an export.

    Attributes:
        name: as in `--format`; also the extra that installs `packages`.
        ending: of the file's name; empty for a folder.
        folder: `Folder`, if it writes one.
        precisions: the supported ones.
        packages: those needed besides TensorFlow, by their import names.
        options: names of flags that not all formats have: `trainable`,
            a bool, whether the weights stay variables; `batch_size`, an int,
            the fixed batch size of the file.
        write: function of (`AnyGenerator` that has a model, path of the file
            or folder, precision, files, options). Files are a dict from name
            to bytes, to be put beside the model or in it; options a dict of
            those that were given.
        load: function from the path to a function from a dict of the named
            inputs, float32 `[batch, ...]`, to images `[batch, R, R, channels]`
            in [0, 1].
        snippet: function of (latent size, number of classes, 0 for none, count)
            to Python code that generates `count` `images` with the model at
            "path/to/this".
        note: Markdown, what else a reader needs who has only the file.
        batch_size: a fixed one, whatever the options; None for any.
        has_picture: whether a picture of samples can be included.
        latents, labels, images: names of the inputs and the output.
        values: the range of the images' values.
        of_precision: what the precision in the card refers to.
    """

    name: str
    ending: str
    write: Callable[..., None]
    load: Callable
    snippet: Callable[[int, int, int], str]
    note: str
    precisions: tuple[str, ...] = PRECISIONS
    packages: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    folder: Folder | None = None
    batch_size: int | None = None
    has_picture: bool = False
    latents: str = "latent_vector"
    labels: str = "labels"
    images: str = "default"
    values: str = "in [0, 1]"
    of_precision: str = ""

    def usage(self, latent_size: int, classes: int, count: int) -> str:
        """Snippet and note, Markdown."""
        code = self.snippet(latent_size, classes, count)
        return f"```python\n{code}```\n\n{self.note}"


def named_inputs(latent_size: int, classes: int, count: int) -> str:
    """Python for the dict `inputs` of latents and labels, in NumPy."""
    latents = f"np.random.randn({count}, {latent_size}).astype(np.float32)"
    lines = [f'inputs = {{"latent_vector": {latents}}}']
    if classes:
        labels = f"np.eye({classes}, dtype=np.float32)[[0] * {count}]"
        lines.append(f'inputs["labels"] = {labels}')
    return "\n".join(lines)


def append_files(path, files: dict[str, bytes]) -> None:
    """Put files into a zip archive, such as a `.keras` file.

    Other files get a zip archive appended, which their readers ignore.
    """
    if files:
        with zipfile.ZipFile(path, "a") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
