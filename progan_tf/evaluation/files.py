"""metrics.jsonl, where evaluations leave their numbers.

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

import json
import pathlib

from progan_tf.errors import UserError

FOLDER = "evaluation"
METRICS_FILE = "metrics.jsonl"
PLOT_FILE = "metrics.png"
# What a metric found; the other fields say of what.
FOUND = ("values", "reals", "reals_images")


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
        text = path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines()]
    except (OSError, ValueError) as error:
        raise UserError(
            f"cannot read {path}: {error}; mend it or move it away"
        ) from error


def about(line, without=()):
    """Which numbers a line holds, as a tuple to compare.

    Args:
        line: dict.
        without: names of fields that do not count.
    """
    names = line.keys() - {*FOUND, *without}
    return tuple((name, line[name]) for name in sorted(names))


def kimg_in_names(images_seen):
    """Thousands of images as sample grids name them: 000040 or 000040.016."""
    whole, rest = divmod(images_seen, 1000)
    return f"{whole:06d}" + (f".{rest:03d}" if rest else "")


def network_of(line):
    """The short name of a line's features module; "" where it has none."""
    return pathlib.PurePath(line.get("features") or "").name


def newest_metrics(run_dir, images_seen, resolution):
    """What is known of a snapshot of a run.

    Args:
        run_dir: path of the run directory.
        images_seen: int, where the snapshot was taken.
        resolution: int, of its pictures.

    Returns:
        dict from a name, with the number of pictures, to a float; of each
        metric the numbers of most pictures. Empty where it was not evaluated
        at that resolution.
    """
    chosen = {}
    for line in read_lines(pathlib.Path(run_dir, FOLDER)):
        where = line.get("images_seen"), line["resolution"]
        best = chosen.get(line["metric"], {"images": 0})
        if where == (images_seen, resolution):
            if line["images"] >= best["images"]:
                chosen[line["metric"]] = line
    return {
        f"{name}, {line['images']:,} images": value
        for line in chosen.values()
        for name, value in line["values"].items()
    }
