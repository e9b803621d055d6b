"""What evaluations leave behind: metrics.jsonl, TensorBoard and a plot."""

import contextlib
import json
import pathlib
import tempfile

from progan_tf.errors import UserError
from progan_tf.evaluation.lines import (
    METRICS_FILE,
    USUAL,
    about,
    network_of,
    read_lines,
    usual_fields,
)
from progan_tf.files import making, only_writer, write_text_atomically, writing
from progan_tf.text import first_line

PLOT_FILE = "metrics.png"


class EvaluationLog:
    """Writes the files of evaluations; use it as a context manager.

    The folder, which is made where need be, is for metrics.jsonl and, where
    there is the run's `TrainConfig`, the plot. `tensorboard` is a folder, too.
    """

    def __init__(self, folder, config=None, tensorboard=None):
        self._folder = pathlib.Path(folder)
        self._config = config
        self._tensorboard = tensorboard
        self._writer = None

    def write(self, lines):
        """Take in lines of `lines_of`, in place of older ones about the same.

        Raises UserError if they cannot be written; the older ones then stay.
        """
        new = {about(line): line for line in lines}
        file = self._folder / METRICS_FILE
        # Another evaluation may be writing there, or the training itself.
        with only_writer(file, beside=True, wait=True):
            old = {about(line): line for line in read_lines(self._folder)}
            together = sorted((old | new).values(), key=_order)
            text = "".join(json.dumps(line) + "\n" for line in together)
            write_text_atomically(file, text)
        if self._tensorboard:
            # TensorBoard would show twice what was found once more.
            self._write_scalars(x for k, x in new.items() if old.get(k) != x)
        if self._config:
            # Here, because matplotlib takes a second to import.
            from progan_tf.evaluation.plot import save_plot

            schedule = self._config.schedule()
            save_plot(self._folder / PLOT_FILE, together, schedule)

    def close(self):
        """Flush what TensorBoard buffers."""
        if self._writer:
            self._writer.close()

    def __enter__(self):
        # Found out now, not after an hour of measuring.
        read_lines(self._folder)
        with contextlib.ExitStack() as stack:
            stack.enter_context(making(self._folder))
            with writing(self._folder):
                tempfile.TemporaryFile(dir=self._folder).close()
            self._made = stack.pop_all()
        return self

    def __exit__(self, *exception):
        self.close()
        self._made.__exit__(*exception)

    def _write_scalars(self, lines):
        import tensorflow as tf

        try:
            if not self._writer:
                self._writer = tf.summary.create_file_writer(
                    str(self._tensorboard), filename_suffix=".evaluation"
                )
            for line in lines:
                size, network = line["resolution"], network_of(line)
                of = f"{size}x{size}_{line['images']}"
                of += (network and f"_{network}") + self._unusual(line)
                with self._writer.as_default(step=line["images_seen"]):
                    for name, value in line["values"].items():
                        if value is not None:
                            # What does not compare has a graph of its own.
                            tf.summary.scalar(f"evaluation/{name}_{of}", value)
            self._writer.flush()
        except tf.errors.OpError as error:
            raise UserError(
                f"cannot write {self._tensorboard}: {first_line(error)}; free "
                "some space or choose another place"
            ) from error

    def _unusual(self, line):
        """What sets a line apart from the run's usual ones, for its name."""
        usual = usual_fields(self._config) if self._config else line
        return "".join(
            f"_{name}-{pathlib.PurePath(str(line[name])).name}"
            for name in USUAL
            if line[name] != usual[name]
        )


def _order(line):
    # By its type, too, because a file may have one name with texts and numbers.
    fields = [
        (n, type(x).__name__, 0 if x is None else x) for n, x in about(line)
    ]
    return line.get("images_seen", -1), fields
