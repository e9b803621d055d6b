"""Trainings that a benchmark compares: each a run directory, started only once.

A benchmark that was stopped resumes, even in the middle of a training.
Every training and every evaluation has a process of its own.
"""

import io
import pathlib
import statistics
import subprocess
import sys
from typing import NamedTuple

from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.evaluation.lines import FOLDER, read_lines
from progan_tf.faults import FAULT_STATUS, USER_ERROR_STATUS
from progan_tf.files import write_atomically, write_text_atomically
from progan_tf.reading import parse_json, read_text


class Point(NamedTuple):
    """A snapshot of a run: its progress and its metrics.

    Attributes:
        kimg: float, thousands of images seen.
        minutes: float, of training until then, by the rates in the log.
        values: dict from "swd_avg", "swd_32", ..., "ms_ssim" to float.
        reals: dict with the same keys: the metrics of other reals.
    """

    kimg: float
    minutes: float
    values: dict
    reals: dict


def measured_cases(cases, num_images, only_print):
    """The snapshots of many trainings, by the name of their configuration.

    Args:
        cases: list of (name, run directory, flags of `progan_tf.train`).
        num_images: int, pictures per set in an evaluation.
        only_print: bool, train nothing, and skip what is not evaluated.

    Returns:
        dict from name, in the order of the cases, to a list of `measured`.
    """
    found = {name: [] for name, _, _ in cases}
    for number, (name, run_dir, given) in enumerate(cases, 1):
        if not only_print:
            print(f"{number}/{len(cases)}: {run_dir}", file=sys.stderr)
            found[name].append(measured(run_dir, given, num_images))
        elif run_dir.exists() and (known := points(run_dir, num_images)):
            found[name].append(known)
    return found


def measured(run_dir, given, num_images):
    """The snapshots of a training, which is first completed if necessary.

    Args:
        run_dir: path of its run directory.
        given: list of str, flags of `progan_tf.train`.
        num_images: int, pictures per set in an evaluation.

    Returns:
        list of `Point`; the last one is of the finished network.

    Raises:
        UserError: if a process fails or is stopped; what it printed is on
            stderr.
    """
    train(run_dir, given)
    end = load_config(run_dir).schedule().total_images / 1000
    found = points(run_dir, num_images)
    if not found or found[-1].kimg < end:
        process(
            "evaluate",
            f"--run_dir={run_dir}",
            "--all",
            f"--num_images={num_images}",
        )
        found = points(run_dir, num_images)
    return found


def points(run_dir, num_images):
    """The snapshots that have been evaluated at the final resolution.

    Args:
        run_dir: path of the run directory.
        num_images: int, pictures of either set of the evaluation.

    Returns:
        list of `Point`, by images seen.
    """
    resolution = load_config(run_dir).resolution
    found = {}
    for line in read_lines(pathlib.Path(run_dir, FOLDER)):
        if (line["resolution"], line["images"]) == (resolution, num_images):
            values, reals = found.setdefault(line["images_seen"], ({}, {}))
            values.update(line["values"])
            reals.update(line["reals"])
    times = minutes(run_dir)
    return [
        Point(
            seen / 1000,
            max((m for at, m in times.items() if at <= seen), default=0.0),
            *found[seen],
        )
        for seen in sorted(found)
        if {"swd_avg", "ms_ssim"} <= found[seen][0].keys()
    ]


def minutes(run_dir):
    """dict from images seen to minutes of training until there.

    They are those of the rates in metrics.jsonl, so pauses, evaluations and
    checkpoints do not count.
    """
    result, before, total = {}, 0, 0.0
    for line in read_text(pathlib.Path(run_dir, "metrics.jsonl")).splitlines():
        try:
            values = parse_json(line)
        except ValueError:
            continue  # The end of it is being written.
        seen, rate = values["images_seen"], values["images_per_second"]
        total += (seen - before) / rate / 60
        result[seen], before = total, seen
    return result


def mean_and_spread(numbers):
    """Text of the mean of some numbers and half their range."""
    mean = statistics.fmean(numbers)
    if len(numbers) < 2:
        return f"{mean:.4g}"
    return f"{mean:.4g} ± {(max(numbers) - min(numbers)) / 2:.2g}"


def write_results(folder, name, text, figure):
    """Write a table and a plot beside the runs, and print the table."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    table, plot = (pathlib.Path(folder, name + x) for x in (".md", ".png"))
    write_text_atomically(table, text)
    write_atomically(plot, buffer.getvalue())
    print(f"{text}\n{table}, {plot}")


def draw_curves(axes, found, of="minutes"):
    """The mean distance of trainings over minutes or kimg, a colour a name."""
    for number, (name, runs) in enumerate(found.items()):
        for run in runs:
            axes.plot(
                [getattr(point, of) for point in run],
                [point.values["swd_avg"] for point in run],
                color=f"C{number}",
                marker=".",
                label=name if run is runs[0] else None,
            )
    floor = next(iter(found.values()))[0][-1].reals["swd_avg"]
    axes.axhline(floor, color="black", linestyle="--", label="reals")
    axes.set_yscale("log")
    told = {"minutes": "minutes of training", "kimg": "thousands of images"}
    axes.set_xlabel(told[of])


def train(run_dir, given):
    """Train a run to its end; UserError if it fails or is stopped before.

    A run that is finished costs some seconds: so settings that are not its own
    are refused, and not answered by what others gave.
    """
    process("train", f"--run_dir={run_dir}", *given)
    total = load_config(run_dir).schedule().total_images
    # A process that is told to stop has done as it was told.
    if max(minutes(run_dir), default=0) < total:
        raise UserError(
            f"the training of {run_dir} was stopped; run the same command "
            "again to go on"
        )


def process(name, *given):
    """Run a command of the package in a process of its own, or UserError."""
    arguments = [sys.executable, "-m", f"progan_tf.{name}", *given]
    status = subprocess.run(arguments, stdout=sys.stderr, check=False)
    if status.returncode in (USER_ERROR_STATUS, FAULT_STATUS):
        # It has said why.
        sys.exit(status.returncode)
    if status.returncode:
        raise UserError(
            f"progan_tf.{name} ended with status {status.returncode}; run the "
            f"same command again to go on: {' '.join(arguments[1:])}"
        )
