"""What is told of a format in one place: its record in the table of formats."""

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
class Format:
    """One format of an export.

    Attributes:
        name: as users give it; the extra that installs `packages` has it, too.
        ending: of the file's name; empty for a folder, or `.tar.gz` of it.
        precisions: that it can be written in.
        packages: what it needs beside TensorFlow, as imported.
        options: names of flags that it takes and others need not: `trainable`,
            a bool, whether the weights stay variables; `batch_size`, an int,
            the one batch that the file takes.
        write: function of (`keras.Model`, path of the file or folder,
            precision, files, options). Files are a dict from name to bytes
            that lie beside the model or in it; options a dict of those that
            were given.
        load: function of the path to one from a dict of the named inputs,
            float32 `[batch, ...]`, to images `[batch, R, R, channels]` in
            [0, 1].
        snippet: function of (latent size, number of classes, 0 for none, count)
            to Python that makes so many `images` of the model at
            "path/to/this".
        note: Markdown, what else a reader needs who has only the file.
        has_picture: whether it has room for a picture of samples.
        latents, labels, images: names of the inputs and the output.
        values: where the images' numbers lie.
        of_precision: of what its card tells the precision.
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

    Of another file, whose readers ignore what follows it, they become a zip
    archive at its end.
    """
    if files:
        with zipfile.ZipFile(path, "a") as archive:
            for name, data in files.items():
                archive.writestr(name, data)
