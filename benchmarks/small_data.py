"""Measure augmentation on few pictures: cats at 32x32.

  python benchmarks/small_data.py --out=small
      100, 300, 1000 and all cats, without and with each augmentation
  python benchmarks/small_data.py --out=small --sizes=100 --seeds=1,2,3
      --augmentations=none,color+translation+cutout,ada@0.4
      some of them; NAME@P means --augment_p=P
  python benchmarks/small_data.py --out=small --measure
      evaluate what was trained so far, also while other runs still train

Snapshots are compared with cats that no run of few cats has seen. If stopped,
the same command resumes. Several processes may train different cases in one
--out. It writes results.json, table.md and curves.png there.
"""

import json
import pathlib
import statistics
import sys

import numpy as np
import trainings
from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.evaluation.lines import FOLDER, read_lines
from progan_tf.files import write_atomically, write_text_atomically

FLAGS = flags.FLAGS
_RESOLUTION = 32
# In the shuffled order of the cats, training takes the first, never these.
_FIRST_UNSEEN, _UNSEEN = 1000, 2048
_FEWEST = 16  # Pictures that a folder must have.
_ALL = "all"
_HEADINGS = ("cats", "augmentation", "seeds", "best SWD", "at", "last SWD")
_HEADINGS += ("memorised at the end", "of unseen cats")


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_string("out", None, "folder for all files", required=True)
    flags.DEFINE_list(
        "sizes",
        f"100,300,1000,{_ALL}",
        f"training cats, up to {_FIRST_UNSEEN:,}",
    )
    flags.DEFINE_list(
        "augmentations",
        "none,color+translation+cutout,color+translation,ada@0.4",
        "values of --augment, with + between names, and @P for --augment_p",
    )
    flags.DEFINE_list("seeds", "1", "seeds of the runs")
    flags.DEFINE_float("kimg", 240, "length of each run, thousands of images")
    flags.DEFINE_string(
        "train_flags",
        "--preset=laptop",
        "more flags of progan_tf.train",
    )
    flags.DEFINE_boolean("measure", False, "train nothing")


def main():
    """Train and measure one run after the other; then draw and tell."""
    out = pathlib.Path(FLAGS.out)
    cases = [
        (size, augmentation, seed)
        for seed in FLAGS.seeds
        for size in FLAGS.sizes
        for augmentation in FLAGS.augmentations
    ]
    for size, _, _ in cases:
        data_of(out, size)
    write_pictures(out / "unseen", _FIRST_UNSEEN, _UNSEEN)
    for number, case in enumerate(cases, 1):
        run_dir = run_dir_of(out, *case)
        print(f"{number}/{len(cases)}: {run_dir.name}", file=sys.stderr)
        if not FLAGS.measure:
            train(run_dir, *case)
        if (run_dir / "checkpoints").exists():
            measure(run_dir, out / "unseen", case[0])
    results = collected(out)
    write_text_atomically(out / "results.json", json.dumps(results, indent=1))
    text = "\n".join(table(results))
    write_text_atomically(out / "table.md", text + "\n")
    print(text)
    draw(out / "curves.png", results)


def data_of(out, size):
    """What `--data` is for so many cats; their pictures are written."""
    if size == _ALL:
        return "cats"
    if not size.isdecimal() or not _FEWEST <= int(size) <= _FIRST_UNSEEN:
        raise UserError(
            f"expected --sizes from {_FEWEST} to {_FIRST_UNSEEN} or {_ALL}; "
            f"received {size!r}"
        )
    return write_pictures(out / f"cats-{size}", 0, int(size))


def write_pictures(folder, first, count):
    """A folder of cats number `first` and on, as PNG; its name, a str."""
    from progan_tf.data import ShuffledOrder, open_source
    from progan_tf.images import save_png

    names = [folder / f"{first + i:04d}.png" for i in range(count)]
    missing = [i for i, name in enumerate(names) if not name.exists()]
    if missing:
        source = open_source("cats")
        indices = ShuffledOrder(len(source), 0).indices(first, count)
        folder.mkdir(parents=True, exist_ok=True)
        for i in missing:
            (image,) = source.images(indices[i : i + 1], _RESOLUTION)
            save_png(names[i], image)
    return str(folder)


def run_dir_of(out, size, augmentation, seed):
    """The path of a run's directory."""
    return out / f"{size}-{augmentation}-s{seed}"


def train(run_dir, size, augmentation, seed):
    """Train a run to its end, or to --kimg if it was trained before."""
    names, _, p = augmentation.partition("@")
    given = [f"--resolution={_RESOLUTION}", f"--seed={seed}"]
    given += [f"--data={data_of(run_dir.parent, size)}"]
    given += [f"--augment={names.replace('+', ',')}"]
    given += [f"--augment_p={p}"] if p else []
    given += [f"--total_kimg={FLAGS.kimg:g}", "--checkpoint_kimg=10"]
    given += ["--keep_checkpoints=1000", *FLAGS.train_flags.split()]
    trainings.train(run_dir, given)


def measure(run_dir, unseen, size):
    """Evaluate the snapshots against unseen cats, and look for copies.

    What is known of all snapshots is not measured again.
    """
    stops = set(_snapshots(run_dir))
    lines, every = (
        read_lines(run_dir / FOLDER),
        (f"--run_dir={run_dir}", "--all"),
    )
    swd = {x["images_seen"] for x in of_metric(lines, "swd", unseen)}
    if not stops <= swd:
        given = [f"--num_images={_UNSEEN}", "--metrics=swd"]
        trainings.process("evaluate", *every, f"--data={unseen}", *given)
    copies = {x["images_seen"] for x in of_metric(lines, "memorised")}
    if size != _ALL and not stops <= copies:
        given = ["--metrics=neighbours", f"--held_out={unseen}"]
        trainings.process("evaluate", *every, *given)


def _snapshots(run_dir):
    """Images seen of the checkpoints of a run."""
    command.import_tensorflow()
    from progan_tf.checkpoint import checkpoints_of, images_seen_in

    return [images_seen_in(path) for path in checkpoints_of(run_dir)]


def of_metric(lines, metric, data=None):
    """The lines of a metric in order, and of pictures of a folder if given."""
    folder = data and str(data.resolve())
    lines = [x for x in lines if x["metric"] == metric]
    lines = [x for x in lines if folder is None or x["data"] == folder]
    return sorted(lines, key=lambda line: line["images_seen"])


def collected(out):
    """What is known of all runs in a folder.

    Returns:
        list of dicts: size, augmentation, seed; kimg and swd, lists of as many
        numbers; memorised and of_unseen, as many shares or Nones; and reals,
        the distance of unseen cats from others.
    """
    results = []
    for run_dir in sorted(out.glob("*-*-s*")):
        size, augmentation, seed = run_dir.name.rsplit("-", 2)
        lines = read_lines(run_dir / FOLDER)
        swd = of_metric(lines, "swd", out / "unseen")
        if not swd:
            continue
        copies = {x["images_seen"]: x for x in of_metric(lines, "memorised")}
        copies = [copies.get(x["images_seen"]) for x in swd]
        results.append(
            {
                "size": size,
                "augmentation": augmentation,
                "seed": int(seed[1:]),
                "kimg": [x["images_seen"] / 1000 for x in swd],
                "swd": [x["values"]["swd_avg"] for x in swd],
                "reals": swd[-1]["reals"]["swd_avg"],
                "memorised": [x and x["values"]["memorised"] for x in copies],
                "of_unseen": [x and x["reals"]["memorised"] for x in copies],
            }
        )
    return results


def table(results):
    """Lines of a table in Markdown, a row for each size and augmentation."""
    lines = [f"| {' | '.join(_HEADINGS)} |", "|---" * len(_HEADINGS) + "|"]
    for (size, augmentation), group in grouped(results).items():
        best = [int(np.argmin(x["swd"])) for x in group]
        at = [x["kimg"][i] for x, i in zip(group, best, strict=True)]
        lowest = [min(x["swd"]) for x in group]
        cells = [size, augmentation, str(len(group)), spread(lowest)]
        cells += [f"{statistics.mean(at):.0f} kimg"]
        cells += [spread([x["swd"][-1] for x in group])]
        for name in ("memorised", "of_unseen"):
            shares = [x[name][-1] for x in group]
            known = None not in shares
            cells.append(spread(shares, 100, "%") if known else "-")
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def grouped(results):
    """dict from size and augmentation to lists of results, the few first."""
    groups = {}
    for result in results:
        key = result["size"], result["augmentation"]
        groups.setdefault(key, []).append(result)
    order = {key: (key[0] == _ALL, key[0].zfill(9), key[1]) for key in groups}
    return {key: groups[key] for key in sorted(groups, key=order.get)}


def spread(numbers, times=1, unit=""):
    """A mean, and where there are several the least and the largest."""
    texts = [f"{times * x:.1f}{unit}" for x in (min(numbers), max(numbers))]
    text = f"{times * statistics.mean(numbers):.1f}{unit}"
    return text + f" ({' to '.join(texts)})" * (len(numbers) > 1)


def draw(path, results):
    """A PNG of what was found over images seen, a column for each size."""
    import io

    import matplotlib.figure

    groups = grouped(results)
    sizes = list(dict.fromkeys(size for size, _ in groups))
    if not sizes:
        return
    figure = matplotlib.figure.Figure(
        figsize=(1.5 + 4.5 * len(sizes), 6), layout="constrained"
    )
    axes = figure.subplots(2, len(sizes), squeeze=False, sharey="row")
    names = sorted({name for _, name in groups})
    for (size, name), group in groups.items():
        above, below = axes[:, sizes.index(size)]
        colour = f"C{names.index(name)}"
        for number, one in enumerate(group):
            look = {"color": colour, "label": None if number else name}
            above.plot(one["kimg"], one["swd"], **look)
            for key, style in (("memorised", "-"), ("of_unseen", ":")):
                shares = [float("nan") if x is None else x for x in one[key]]
                below.plot(one["kimg"], shares, style, color=colour)
    for size, (above, below) in zip(sizes, axes.T, strict=True):
        above.axhline(results[0]["reals"], color="grey", linestyle="--")
        above.set_title(f"{size} cats", fontsize="medium")
        above.set_yscale("log")
        below.set_ylim(-0.02, 1.02)
        below.set_xlabel("thousands of images seen")
    axes[0, 0].set_ylabel("SWD against unseen cats")
    axes[1, 0].set_ylabel("share memorised (dotted: unseen)")
    axes[0, 0].legend(fontsize="x-small")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    write_atomically(path, buffer.getvalue())


if __name__ == "__main__":
    command.run(main, define_flags)
