"""The lines of an evaluation's metrics.jsonl: what was found of which pictures.

A line is a JSON object about one metric of one set of
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

import pathlib

from progan_tf.errors import UserError
from progan_tf.reading import parse_json, read_text

FOLDER = "evaluation"
METRICS_FILE = "metrics.jsonl"
# What a metric found; the other fields say of what.
FOUND = "values", "reals", "reals_images"
USUAL = "data", "mirror", "seed"
# Which neither NaN nor a number that no float can be is below.
_LARGEST = 1e300
_NEEDED = {"metric", "resolution", "images", "values", "reals"}
_PLAIN = str, int, float, type(None)


def lines_of(results, subject, reals, seed=0, features=None):
    """The lines of one set of pictures: list of dicts that JSON can hold.

    From a list of `Result`, a `Subject`, `Reals`, the seed of the first image
    and the name of the network, where there is one.
    """
    of = {"pictures": subject.name}
    if subject.images_seen is not None:
        of = {"images_seen": subject.images_seen}
    return [
        {
            **of,
            "metric": x.metric,
            "resolution": reals.resolution,
            "images": x.images,
            "data": reals.data,
            "mirror": reals.mirror,
            "seed": seed,
            **({"features": features} if x.in_features else {}),
            **{name: getattr(x, name) for name in FOUND},
        }
        for x in results
    ]


def read_lines(folder):
    """The lines in a folder's metrics.jsonl; none where there is no file.

    Raises UserError if it cannot be read.
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
            f"cannot read {path}: {reason}; repair it or move it away"
        ) from error


def _is_line(line):
    """Whether something that was read is a line as `lines_of` gives them."""
    if not isinstance(line, dict) or not _NEEDED <= line.keys():
        return False
    counts = [line["resolution"], line["images"], line.get("images_seen", 1)]
    values, reals = line["values"], line["reals"]
    return (
        isinstance(line["metric"], str)
        and isinstance(line.get("features"), (str, type(None)))
        and all(type(n) is int and 0 <= n < 2**63 for n in counts)
        and all(isinstance(x, _PLAIN) for _, x in about(line))
        and isinstance(values, dict)
        and isinstance(reals, dict)
        and values.keys() <= reals.keys()
        and all(
            x is None or is_number(x)
            for x in [*values.values(), *reals.values()]
        )
    )


def is_number(value):
    """Whether something that was read is a number that can be drawn."""
    return type(value) in (int, float) and abs(value) <= _LARGEST


def about(line, without=()):
    """Which numbers a line holds: (name, value) of the fields that count."""
    names = line.keys() - {*FOUND, *without}
    return tuple((name, line[name]) for name in sorted(names))


def network_of(line):
    """The short name of a line's features module; "" where it has none."""
    return pathlib.PurePath(line.get("features") or "").name


def usual_fields(config):
    """dict of what a run's numbers are made with by default, `USUAL`."""
    return {"data": config.data, "mirror": config.mirror, "seed": 0}


def lines_of_snapshot(config, images_seen, resolution):
    """The lines about a snapshot of a run at a resolution, against its data.

    Raises UserError if metrics.jsonl cannot be read.
    """
    wanted = {"images_seen": images_seen, "resolution": resolution}
    wanted |= usual_fields(config)
    lines = read_lines(pathlib.Path(config.run_dir, FOLDER))
    return [line for line in lines if wanted.items() <= line.items()]


def newest_metrics(config, images_seen, resolution):
    """What is known of a snapshot of a run: see `lines_of_snapshot`.

    Returns a dict from a name, with the number of pictures and the network, to
    a float; of each metric the numbers of most pictures.
    """
    chosen, known = {}, {}
    for line in lines_of_snapshot(config, images_seen, resolution):
        key = line["metric"], line.get("features")
        if line["images"] >= chosen.get(key, {"images": 0})["images"]:
            chosen[key] = line
    for line in chosen.values():
        network = network_of(line)
        of = f", {line['images']:,} images" + (network and f", {network}")
        for name, value in line["values"].items():
            if value is not None:
                known[name + of] = value
    return known
