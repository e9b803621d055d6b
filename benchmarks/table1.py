"""Train the rows of the paper's table 1 at a small size, and print the table.

  python benchmarks/table1.py
      rows (a) to (g) on the cats of 32x32, one seed each: hours on two cores
  python benchmarks/table1.py --rows=f,g,lazy4 --seeds=3 --kimg=600
      some rows, three seeds each
  python benchmarks/table1.py --data=my/pictures --resolution=128
      --fmap_base=2048 --kimg=10000 --num_images=16384
      the paper's size
  python benchmarks/table1.py --only_print
      what has been finished so far

If stopped, the same command resumes. Rows are the presets table1-a to table1-h
with their growth shortened to --kimg, and rows of our own: fused (resampling
within the convolutions), lazy4 and lazy16 (the penalty only in every 4th or
16th minibatch), logistic-r1, not-growing (row (g) at the full resolution from
the first image). It writes the table to OUT/table1.md, and the paper's figure
4, distance against training time, to OUT/table1.png.
Distances are multiplied by 1000, as in the paper; "reals" is the noise floor.
"""

import pathlib

from absl import flags
from measuring import markdown_row, words_of
from trainings import (
    draw_curves,
    mean_and_spread,
    measured_cases,
    write_results,
)

from progan_tf import command
from progan_tf.config import PRESETS
from progan_tf.errors import UserError
from progan_tf.resolutions import resolutions

FLAGS = flags.FLAGS
# Flags that make a row of our own from row (g).
OWN_ROWS = {
    "fused": ["--fused_scale"],
    "lazy4": ["--penalty_every=4"],
    "lazy16": ["--penalty_every=16"],
    "logistic-r1": ["--loss=logistic", "--penalty=r1"],
    "not-growing": ["--nogrowing"],
}
# The paper's table 1: the mean sliced Wasserstein distance and MS-SSIM, of
# CelebA and of LSUN bedroom, at 128x128.
PAPER = {
    "a": ("9.28", "0.2854", "11.25", "0.0587"),
    "b": ("4.28", "0.2838", "7.60", "0.0615"),
    "c": ("46.23", "0.4065", "49.52", "0.1061"),
    "d": ("8.07", "0.3027", "6.54", "0.0662"),
    "estar": ("9.84", "0.3057", "8.43", "0.0648"),
    "e": ("7.04", "0.2950", "6.48", "0.0671"),
    "f": ("4.39", "0.2902", "4.02", "0.0668"),
    "g": ("3.56", "0.2845", "4.01", "0.0640"),
    "h": ("2.96", "0.2828", "3.31", "0.0636"),
}
_SNAPSHOTS = 16  # Points of each run's curve.


def define_flags():
    """Define the benchmark's flags."""
    known = ", ".join([*PAPER, *OWN_ROWS])
    flags.DEFINE_list("rows", "a,b,c,d,estar,e,f,g", f"some of {known}")
    for name, value, low, text in (
        ("seeds", 1, 1, "trainings of each row"),
        ("resolution", 32, 16, "resolution of the pictures"),
        ("fmap_base", 512, 1, "resolution r has 2 * fmap_base / r maps"),
        ("num_images", 2048, 2, "pictures per set in an evaluation"),
    ):
        flags.DEFINE_integer(name, value, text, lower_bound=low)
    flags.DEFINE_float("kimg", 300.0, "thousands of images of a training", 0.1)
    flags.DEFINE_string("data", "cats", "as for training")
    flags.DEFINE_string("precision", "auto", "as for training")
    flags.DEFINE_string("out", "runs/table1", "folder for runs and table")
    flags.DEFINE_boolean("only_print", False, "train nothing")


def main():
    """Train what is missing, row by row, and print the table."""
    rows = words_of("rows", [*PAPER, *OWN_ROWS])
    cases = [
        (row, pathlib.Path(FLAGS.out, f"{row}-{seed}"), row_flags(row, seed))
        for seed in range(FLAGS.seeds)
        for row in rows
    ]
    found = measured_cases(cases, FLAGS.num_images, FLAGS.only_print)
    found = {row: runs for row, runs in found.items() if runs}
    if not found:
        raise UserError(
            f"expected an evaluated training in {FLAGS.out}; there is none: "
            "train without --only_print"
        )
    write_results(FLAGS.out, "table1", table(found), plot(found))


def row_flags(row, seed):
    """list of str, the flags of `progan_tf.train` for a row."""
    preset = f"table1-{row}" if row in PAPER else "table1-g"
    sizes = resolutions(FLAGS.resolution)
    # All phases are equally long; the paper's last one is half again as long.
    phase = FLAGS.kimg / (2 * len(sizes) - 0.5)
    batch = max(PRESETS[preset]["batch_size"].values())
    given = {
        "preset": preset,
        "data": FLAGS.data,
        "resolution": FLAGS.resolution,
        "fmap_base": FLAGS.fmap_base * (4 if row == "h" else 1),
        "total_kimg": FLAGS.kimg,
        "fade_kimg": f"{phase:.6g}",
        "stable_kimg": f"{phase:.6g}",
        "batch_size": batch,
        "precision": FLAGS.precision,
        "seed": 1000 + seed,
        "tick_kimg": FLAGS.kimg / 60,
        "sample_kimg": FLAGS.kimg / 4,
        "checkpoint_kimg": FLAGS.kimg / _SNAPSHOTS,
        "keep_checkpoints": 2 * _SNAPSHOTS,
    }
    flags_of_row = [f"--{name}={value}" for name, value in given.items()]
    return flags_of_row + OWN_ROWS.get(row, [])


def table(found):
    """The table as Markdown.

    Args:
        found: dict from row to a list of trainings, each a list of
            `trainings.Point`.

    Returns:
        str.
    """
    first = next(iter(found.values()))[0][-1]
    levels = [name for name in first.values if name.startswith("swd_")]
    columns = [*levels, "ms_ssim"]
    head = ["row", "seeds", *columns, "minutes"]
    head += [f"paper: {what}" for what in ("CelebA", "LSUN bedroom")]
    lines = [head, ["---"] * len(head)]
    for row, runs in found.items():
        ends = [run[-1] for run in runs]
        cells = [f"({row})" if row in PAPER else row, str(len(runs))]
        for name in columns:
            cells.append(mean_and_spread([end.values[name] for end in ends]))
        cells.append(mean_and_spread([end.minutes for end in ends]))
        paper = PAPER.get(row, ("", "", "", ""))
        cells += [", ".join(filter(None, paper[i : i + 2])) for i in (0, 2)]
        lines.append(cells)
    reals = [f"{first.reals[name]:.4g}" for name in columns]
    lines.append(["reals", "", *reals, "", "", ""])
    return "".join(markdown_row(cells) + "\n" for cells in lines)


def plot(found):
    """A figure of the mean distance over time and over images."""
    import matplotlib.figure

    figure = matplotlib.figure.Figure(figsize=(9, 4), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    draw_curves(left, found)
    draw_curves(right, found, "kimg")
    right.legend(fontsize="small")
    left.set_ylabel("mean sliced Wasserstein distance")
    return figure


if __name__ == "__main__":
    command.run(main, define_flags)
