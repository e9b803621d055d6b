"""What is told of a format in one place: its record in the table of formats."""

import dataclasses
from collections.abc import Callable

from progan_tf.config.precision import PRECISIONS

CARD_FILE, SAMPLE_FILE = "README.md", "sample.png"


@dataclasses.dataclass(frozen=True)
class Format:
    """One format of an export.

    Attributes:
        name: as users give it; the extra that installs `packages` has it, too.
        ending: of the file's name; empty for a folder, or `.tar.gz` of it.
        precisions: that it can be written in.
        packages: what it needs beside TensorFlow, as imported.
        options: names of flags that it takes and others need not.
        write: function of (`keras.Model`, path, precision, files, options) to
            the largest difference that was found when it was read back: see
            `checks`. Files are a dict from name to bytes that lie beside the
            model or in it; options a dict of those that were given.
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
    write: Callable[..., float]
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
