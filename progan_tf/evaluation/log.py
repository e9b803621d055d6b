"""What evaluations leave behind: metrics.jsonl, TensorBoard and a plot.

A line of metrics.jsonl is a JSON object about one metric of one set of
pictures:

    images_seen   where the run was; or `pictures`, the path of something else
    metric        its name, and in `values` what it says
    resolution    at which pictures were compared
    images        how many of the set's
    data, mirror  what they were compared with
    seed          of the first image
    features      the network, for metrics that have one
    reals         what the metric says of other reals in the set's place, and
    reals_images  how many those were
"""

import contextlib
import json
import pathlib
import tempfile

from progan_tf.errors import UserError
from progan_tf.files import (
    making,
    only_writer,
    write_text_atomically,
    writing,
)
from progan_tf.reading import parse_json, read_text
from progan_tf.text import first_line

FOLDER = "evaluation"
METRICS_FILE = "metrics.jsonl"
PLOT_FILE = "metrics.png"
# What a metric found; the other fields say of what.
FOUND = ("values", "reals", "reals_images")
# Which neither NaN nor a number that no float can be is below.
_LARGEST = 1e300
_NEEDED = {"metric", "resolution", "images", "values", "reals"}


def lines_of(results, subject, reals, seed=0, features=None):
    """The lines of one set of pictures.

    Args:
        results: list of `comparison.Result`.
        subject: `subjects.Subject`.
        reals: `Reals`.
        seed: int, of the first image.
        features: str, name of the network, where there is one.

    Returns:
        list of dicts that JSON can hold.
    """
    about = {"pictures": subject.name}
    if subject.images_seen is not None:
        about = {"images_seen": subject.images_seen}
    network = {"features": features}
    return [
        {
            **about,
            "metric": result.metric,
            "resolution": reals.resolution,
            "images": result.images,
            "data": reals.data,
            "mirror": reals.mirror,
            "seed": seed,
            **(network if result.in_features else {}),
            "values": result.values,
            "reals": result.reals,
            "reals_images": result.reals_images,
        }
        for result in results
    ]


def read_lines(folder):
    """The lines in a folder's metrics.jsonl; none where there is no file.

    Raises:
        UserError: if it cannot be read.
    """
    path = pathlib.Path(folder, METRICS_FILE)
    if not path.exists():
        return []
    try:
        lines = [parse_json(x) for x in read_text(path).splitlines()]
        for line in lines:
            if not _is_line(line):
                raise UserError(f"cannot read {path}: it has {str(line)[:60]}")
        return lines
    except ValueError as error:
        reason = str(error).removeprefix(f"cannot read {path}: ")
        raise UserError(
            f"cannot read {path}: {reason}; mend it or move it away"
        ) from error


def _is_line(line):
    """Whether something that was read is a line as `lines_of` gives them."""
    if not isinstance(line, dict) or not _NEEDED <= line.keys():
        return False
    counts = [line["resolution"], line["images"], line.get("images_seen", 1)]
    found = [line["values"], line["reals"]]
    about = [line[name] for name in line.keys() - {*FOUND}]
    return (
        isinstance(line["metric"], str)
        and isinstance(line.get("features"), (str, type(None)))
        and all(type(n) is int and 0 <= n < 2**63 for n in counts)
        and all(isinstance(x, (str, int, float, type(None))) for x in about)
        and all(isinstance(values, dict) for values in found)
        and line["values"].keys() <= line["reals"].keys()
        and all(
            value is None
            or (type(value) in (int, float) and abs(value) <= _LARGEST)
            for values in found
            for value in values.values()
        )
    )


def about(line, without=()):
    """Which numbers a line holds, as a tuple to compare.

    Args:
        line: dict.
        without: names of fields that do not count.
    """
    names = line.keys() - {*FOUND, *without}
    return tuple((name, line[name]) for name in sorted(names))


def network_of(line):
    """The short name of a line's features module; "" where it has none."""
    return pathlib.PurePath(line.get("features") or "").name


def usual_fields(config):
    """dict of what a run's numbers are made with by default."""
    return {"data": config.data, "mirror": config.mirror, "seed": 0}


def lines_of_snapshot(config, images_seen, resolution):
    """The lines about a snapshot of a run, against its own data.

    Args:
        config: `TrainConfig` of the run.
        images_seen: int, where the snapshot was taken.
        resolution: int, at which its pictures were compared.

    Returns:
        list of dicts.

    Raises:
        UserError: if metrics.jsonl cannot be read.
    """
    wanted = {
        "images_seen": images_seen,
        "resolution": resolution,
        **usual_fields(config),
    }
    return [
        line
        for line in read_lines(pathlib.Path(config.run_dir, FOLDER))
        if wanted.items() <= line.items()
    ]


def newest_metrics(config, images_seen, resolution):
    """What is known of a snapshot of a run.

    Args:
        config, images_seen, resolution: as of `lines_of_snapshot`.

    Returns:
        dict from a name, with the number of pictures and the network, to a
        float; of each metric the numbers of most pictures. Empty where it was
        not evaluated at that resolution.
    """
    chosen = {}
    for line in lines_of_snapshot(config, images_seen, resolution):
        key = line["metric"], line.get("features")
        if line["images"] >= chosen.get(key, {"images": 0})["images"]:
            chosen[key] = line
    return {
        ", ".join(
            filter(None, (name, f"{line['images']:,} images", network_of(line)))
        ): value
        for line in chosen.values()
        for name, value in line["values"].items()
        if value is not None
    }


class EvaluationLog:
    """Writes the files of evaluations; use it as a context manager.

    Args:
        folder: for metrics.jsonl and the plot; it is made where need be.
        config: `TrainConfig` of the run, for the plot; None for none.
        tensorboard: path of the folder for TensorBoard; None for none.
    """

    def __init__(self, folder, config=None, tensorboard=None):
        self._folder = pathlib.Path(folder)
        self._config = config
        self._tensorboard = tensorboard
        self._writer = None

    def write(self, lines):
        """Take in lines, in place of older ones about the same.

        Args:
            lines: list of dicts, from `lines_of`.

        Raises:
            UserError: if they cannot be written; the older ones then stay.
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
            fresh = [x for key, x in new.items() if old.get(key) != x]
            self._write_scalars(fresh)
        if self._config:
            # Here, because matplotlib takes a second to import.
            from progan_tf.evaluation.plot import save_plot

            path = self._folder / PLOT_FILE
            save_plot(path, together, self._config.schedule())

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
                size, images = line["resolution"], line["images"]
                network = network_of(line)
                of = f"{size}x{size}_{images}" + (network and f"_{network}")
                of += self._unusual(line)
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
            for name in ("data", "mirror", "seed")
            if line[name] != usual[name]
        )


def _order(line):
    # By its type, too, because a file may have one name with texts and numbers.
    fields = [
        (name, type(x).__name__, 0 if x is None else x)
        for name, x in about(line)
    ]
    return line.get("images_seen", -1), fields
