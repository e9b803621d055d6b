"""How long two or more settings train until their pictures are as good.

  python benchmarks/time_to_quality.py
      preset laptop against the same with a lazy penalty, one seed each
  python benchmarks/time_to_quality.py --seeds=3
      --settings="--preset=laptop" --settings="--preset=laptop --fmap_max=48"
      flags of progan_tf.train against others, three seeds, by turns
  python benchmarks/time_to_quality.py --only_print
      what has been finished so far

The first settings say how good: each of the others is timed to the mean sliced
Wasserstein distance that the first end with. Minutes are those of the rates in
metrics.jsonl, without evaluations and checkpoints. Stopped, the same command
goes on where it was. It leaves OUT/time.md and OUT/time.png, the curves. Let
the machine do nothing else meanwhile.
"""

import io
import pathlib
import re
import shlex
import sys

from absl import flags
from measuring import markdown_row
from trainings import mean_and_spread, measured, points

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.files import write_atomically, write_text_atomically

FLAGS = flags.FLAGS
DEFAULT_SETTINGS = ["--preset=laptop", "--preset=laptop --penalty_every=4"]


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_multi_string(
        "settings",
        DEFAULT_SETTINGS,
        "flags of progan_tf.train, in quotes; give it for each to compare",
    )
    flags.DEFINE_integer("seeds", 1, "trainings of each", 1)
    flags.DEFINE_float("checkpoint_kimg", 10, "between two snapshots", 0.1)
    flags.DEFINE_integer("num_images", 2048, "pictures of an evaluation", 2)
    flags.DEFINE_string("out", "runs/time-to-quality", "folder for the runs")
    flags.DEFINE_boolean("only_print", False, "train nothing")


def main():
    """Train what is missing, by turns, and print what came of it."""
    names = {name_of(given): words_in(given) for given in FLAGS.settings}
    if len(names) < len(FLAGS.settings):
        raise UserError("expected --settings that differ")
    found = {name: [] for name in names}
    cases = []
    for seed in range(FLAGS.seeds):
        # Forth and back, so that a machine that gets slower slows all.
        order = [*names.items()][:: -1 if seed % 2 else 1]
        cases += [(name, given, seed) for name, given in order]
    for number, (name, given, seed) in enumerate(cases, 1):
        run_dir = pathlib.Path(FLAGS.out, f"{name}-{seed}")
        if not FLAGS.only_print:
            case = f"{number}/{len(cases)}: {name}, seed {seed}"
            print(case, file=sys.stderr)
            all_flags = [
                f"--seed={1000 + seed}",
                f"--checkpoint_kimg={FLAGS.checkpoint_kimg}",
                "--keep_checkpoints=1000",
                *given,
            ]
            found[name].append(measured(run_dir, all_flags, FLAGS.num_images))
        elif run_dir.exists() and (got := points(run_dir, FLAGS.num_images)):
            found[name].append(got)
    if not all(found.values()):
        raise UserError(f"not all of them are evaluated in {FLAGS.out} yet")
    text = table(found)
    folder = pathlib.Path(FLAGS.out)
    write_text_atomically(folder / "time.md", text)
    write_atomically(folder / "time.png", plot(found))
    print(f"{text}\n{folder / 'time.md'}, {folder / 'time.png'}")


def words_in(given):
    """The flags in a text, a list of str; UserError for an open quote."""
    try:
        return shlex.split(given)
    except ValueError as error:
        raise UserError(
            f"expected --settings of flags; received {given!r}: {error}"
        ) from error


def name_of(given):
    """A name for settings, fit for a folder."""
    return re.sub(r"[^\w.]+", "-", given.replace("--preset=", "")).strip("-.")


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
    """The mean distance over minutes, bytes of a PNG."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    for number, (name, runs) in enumerate(found.items()):
        for run in runs:
            axes.plot(
                [point.minutes for point in run],
                [point.values["swd_avg"] for point in run],
                color=f"C{number}",
                marker=".",
                label=name if run is runs[0] else None,
            )
    floor = next(iter(found.values()))[0][-1].reals["swd_avg"]
    axes.axhline(floor, color="black", linestyle="--", label="reals")
    axes.set_yscale("log")
    axes.set_xlabel("minutes of training")
    axes.set_ylabel("mean sliced Wasserstein distance")
    axes.legend(fontsize="small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


if __name__ == "__main__":
    command.run(main, define_flags)
