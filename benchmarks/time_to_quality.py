"""Compare how long different settings train to the same quality.

  python benchmarks/time_to_quality.py
      preset laptop against its earlier version, one seed each
  python benchmarks/time_to_quality.py --seeds=3
      --settings="--preset=laptop" --settings="--preset=laptop --fmap_max=48"
      these flags of progan_tf.train, three seeds each, in turns
  python benchmarks/time_to_quality.py --for_all="--preset=laptop --data=folder"
      --settings="every: --penalty_every=1" --settings="lazy: --penalty_every=4"
      with flags common to all, and names for the folders and the table
  python benchmarks/time_to_quality.py --only_print
      what has been finished so far

The first settings define the quality: each of the others is timed until it
reaches the mean sliced Wasserstein distance at the end of the first. Minutes
follow from the rates in metrics.jsonl, without evaluations and checkpoints. If
stopped, the same command resumes. It writes OUT/time.md and the curves,
OUT/time.png. Run nothing else on the machine meanwhile.
"""

import pathlib
import re
import shlex

from absl import flags
from measuring import markdown_row
from trainings import (
    draw_curves,
    mean_and_spread,
    measured_cases,
    write_results,
)

from progan_tf import command
from progan_tf.errors import UserError

FLAGS = flags.FLAGS
_LONGEST_NAME = 100  # A folder's may have 255 bytes.
DEFAULT_SETTINGS = ["--preset=laptop-wgan", "--preset=laptop"]


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_multi_string(
        "settings",
        DEFAULT_SETTINGS,
        "flags of progan_tf.train, in quotes, optionally after 'NAME: '; "
        "repeat it for each configuration",
    )
    flags.DEFINE_string("for_all", "", "flags common to all --settings")
    flags.DEFINE_integer("seeds", 1, "trainings of each", 1)
    flags.DEFINE_float("checkpoint_kimg", 10, "between two snapshots", 0.1)
    flags.DEFINE_integer("num_images", 2048, "pictures of an evaluation", 2)
    flags.DEFINE_string("out", "runs/time-to-quality", "folder for the runs")
    flags.DEFINE_boolean("only_print", False, "train nothing")


def main():
    """Train what is missing, by turns, and print what came of it."""
    common = words_in(FLAGS.for_all)
    pairs = map(named, FLAGS.settings)
    names = {name: [*common, *words_in(given)] for name, given in pairs}
    if len(names) < len(FLAGS.settings):
        raise UserError(
            "expected --settings with different names; two of them have the "
            "same"
        )
    cases = []
    for seed in range(FLAGS.seeds):
        own = [
            f"--seed={1000 + seed}",
            f"--checkpoint_kimg={FLAGS.checkpoint_kimg}",
            "--keep_checkpoints=1000",
        ]
        # Back and forth, so that a machine that gets slower slows all.
        for name in [*names][:: -1 if seed % 2 else 1]:
            run_dir = pathlib.Path(FLAGS.out, f"{name}-{seed}")
            cases.append((name, run_dir, [*own, *names[name]]))
    found = measured_cases(cases, FLAGS.num_images, FLAGS.only_print)
    if not all(found.values()):
        raise UserError(
            f"expected an evaluated training of all --settings in {FLAGS.out}; "
            "some are missing: train them without --only_print"
        )
    write_results(FLAGS.out, "time", table(found), plot(found))


def words_in(given):
    """The flags in a text, a list of str; UserError for an open quote."""
    try:
        return shlex.split(given)
    except ValueError as error:
        raise UserError(
            f"expected flags of progan_tf.train; received {given!r}: {error}"
        ) from error


def named(given):
    """The name of settings, fit for a folder, and their flags, two str."""
    name, colon, rest = given.partition(": ")
    if not colon or name.startswith("-"):
        name, rest = given.replace("--preset=", ""), given
    name = re.sub(r"[^\w.]+", "-", name).strip("-.")
    if not 0 < len(name) <= _LONGEST_NAME:
        raise UserError(
            "expected long --settings with a name, as in 'mine: --preset="
            f"laptop'; received {given!r}"
        )
    return name, rest


def table(found):
    """Final values, and minutes to the distance that the first end with.

    Args:
        found: dict from name to a list of trainings, one a seed, each a list
            of `trainings.Point`.

    Returns:
        str, Markdown.
    """
    first = next(iter(found))
    lines = [
        ["settings", "seeds", "minutes", "swd_avg", "ms_ssim"],
        ["---"] * 7,
    ]
    lines[0] += [f"minutes to the swd_avg of {first}", "share"]
    for name, runs in found.items():
        ends = [run[-1] for run in runs]
        pairs = [*zip(runs, found[first], strict=False)]
        times = [time_to(run, of[-1].values["swd_avg"]) for run, of in pairs]
        shares = [
            time / of[-1].minutes
            for time, (_, of) in zip(times, pairs, strict=True)
            if time is not None
        ]
        reached = [time for time in times if time is not None]
        text = mean_and_spread(reached) if reached else "never"
        if 0 < len(reached) < len(times):
            text += f" ({len(reached)} of {len(times)} reached it)"
        lines.append(
            [
                name,
                str(len(runs)),
                mean_and_spread([end.minutes for end in ends]),
                mean_and_spread([end.values["swd_avg"] for end in ends]),
                mean_and_spread([end.values["ms_ssim"] for end in ends]),
                text,
                mean_and_spread(shares) if shares else "",
            ]
        )
    reals = found[first][0][-1].reals
    of_reals = [f"{reals[name]:.4g}" for name in ("swd_avg", "ms_ssim")]
    lines.append(["reals", "", "", *of_reals, "", ""])
    return "".join(markdown_row(cells) + "\n" for cells in lines)


def time_to(run, distance):
    """Minutes of a training to a mean distance, None if it never gets there.

    Between two snapshots the distance is taken to fall in a straight line.
    """
    before = None
    for point in run:
        value = point.values["swd_avg"]
        if value <= distance:
            if before is None:
                return point.minutes
            last = before.values["swd_avg"]
            share = (last - distance) / (last - value)
            return before.minutes + share * (point.minutes - before.minutes)
        before = point
    return None


def plot(found):
    """A figure of the mean distance over minutes."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    draw_curves(axes, found)
    axes.set_ylabel("mean sliced Wasserstein distance")
    axes.legend(fontsize="small")
    return figure


if __name__ == "__main__":
    command.run(main, define_flags)
