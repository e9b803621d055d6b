"""A plot of metrics over a run, with its phases in the background."""

import io
import pathlib
import types

import matplotlib.figure
import matplotlib.lines
import matplotlib.ticker
import numpy as np

from progan_tf.evaluation.lines import USUAL, about, is_number, network_of
from progan_tf.evaluation.measures import MEMORISED
from progan_tf.files import write_atomically
from progan_tf.metrics import METRICS

_WIDTH, _HEIGHT, _DOTS = 8.0, 3.2, 120  # Inches, of one metric; dots an inch.
_GREYS = "#f4f4f4", "#e4e4e4"
_MARKERS = "o", "s", "^", "D", "v", "P", "X", "*"
_MARGIN = 0.015
_HATCHED = {"facecolor": "none", "edgecolor": "#c8c8c8", "hatch": "///"}
# What is no metric of a pass over pictures, but is drawn as one.
_MEMORISED = types.SimpleNamespace(
    title="share of samples that are memorised pictures",
    has_parts=False,
    logarithmic=False,
)
_ROWS = {**METRICS, MEMORISED: _MEMORISED}
_HEADING = {"horizontalalignment": "center", "fontsize": "x-small"}


def save_plot(path, lines, schedule):
    """Write a PNG of each metric over images seen, whole or not at all.

    From lines of metrics.jsonl; those without `images_seen` are left out. The
    phases of the run, a `GrowthSchedule`, are shaded, their fades hatched.
    Numbers of other pictures or at another resolution have curves of their own.
    A dashed line is what the metric says of other reals: the noise floor of a
    distance. Raises UserError if the file cannot be written.
    """
    lines = [line for line in lines if "images_seen" in line]
    names = [name for name in _ROWS if name in {x["metric"] for x in lines}]
    figure, plots = _figure(len(names), schedule)
    for plot, name in zip(plots, names, strict=True):
        _draw(plot, _ROWS[name], [x for x in lines if x["metric"] == name])
    _write(figure, path)


def save_score_plot(path, lines, schedule):
    """Write a PNG of the discriminator's scores while training, whole or not.

    The further those of pictures that are trained on, "seen", get from those of
    held-out ones, the more of the pictures are known by heart. Below, the p of
    an augmentation that follows.

    Args:
        path: the file; its folder must exist.
        lines: list of dicts, the ticks of a run's metrics.jsonl.
        schedule: `GrowthSchedule` of the run.

    Raises:
        UserError: if it cannot be written.
    """
    scores = ("fake_score", "real_score", "held_out_score", "seen_score")
    panels = {
        "mean score": scores,
        "p of the augmentation": ("augment_p", "real_sign"),
    }
    there = {name for line in lines for name in line}
    panels = {
        title: [name for name in names if name in there]
        for title, names in panels.items()
        if names[0] in there
    }
    if not panels:
        return
    figure, plots = _figure(len(panels), schedule)
    for plot, (title, names) in zip(plots, panels.items(), strict=True):
        for name in names:
            points = [x for x in lines if is_number(x.get(name))]
            kimg = [line["images_seen"] / 1000 for line in points]
            plot.plot(kimg, [line[name] for line in points], label=name)
        plot.set_title(title, fontsize="medium", pad=16)
        plot.legend(fontsize="x-small", framealpha=0.9)
    _write(figure, path)


def _figure(count, schedule):
    """A figure of `count` plots over images seen, and an array of these."""
    figure = matplotlib.figure.Figure(
        figsize=(_WIDTH, _HEIGHT * count), layout="constrained"
    )
    plots = figure.subplots(count, squeeze=False)[:, 0]
    end = schedule.total_images / 1000
    for plot in plots:
        _shade(plot, schedule)
        # A little wider, so that points at the ends are whole.
        plot.set_xlim(-_MARGIN * end, (1 + _MARGIN) * end)
    plots[-1].set_xlabel("thousands of images seen")
    return figure, plots


def _write(figure, path):
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=_DOTS)
    write_atomically(path, buffer.getvalue())


def _draw(plot, metric, lines):
    """The curves of one metric."""
    groups = {}
    for line in lines:
        groups.setdefault(about(line, ["images_seen"]), []).append(line)
    unlike = [n for n in USUAL if len({str(x.get(n)) for x in lines}) > 1]
    colours, entries = {}, []
    for number, group in enumerate(groups.values()):
        group.sort(key=lambda line: line["images_seen"])
        marker = _MARKERS[number % len(_MARKERS)]
        last = group[-1]
        names = [n for n in last["values"] if not n.endswith("_deviation")]
        for name in names:
            colour = colours.setdefault(name, f"C{len(colours)}")
            # Parts, as the SWD's levels are, stand behind their mean, the last.
            part = metric.has_parts and name != names[-1]
            _draw_curve(plot, group, name, colour, marker, 1 if part else 2)
            if not part:
                _draw_floor(plot, group, name, colour)
        size, network = last["resolution"], network_of(last)
        text = f"{last['images']:,} images at {size}x{size}"
        text += network and f", {network}"
        for name in unlike:
            text += f", {name} {pathlib.PurePath(str(last.get(name))).name}"
        entries.append(_entry(text, color="black", marker=marker))
    if len(colours) > 1:
        entries[:0] = [_entry(n, color=c) for n, c in colours.items()]
    entries.append(_entry("reals", color="black", linestyle="--"))
    if metric.logarithmic:
        plot.set_yscale("log")
        axis, ticks = plot.yaxis, matplotlib.ticker.LogLocator(subs=(1, 2, 5))
        axis.set_major_locator(ticks)
        axis.set_major_formatter("{x:g}")
        axis.set_minor_formatter("")
    plot.set_title(metric.title, fontsize="medium", pad=16)
    plot.legend(handles=entries, fontsize="x-small", framealpha=0.9)


def _draw_curve(plot, group, name, colour, marker, width):
    points = [line for line in group if name in line["values"]]
    kimg = [line["images_seen"] / 1000 for line in points]
    values = [line["values"][name] for line in points]
    look = {"color": colour, "linewidth": width}
    plot.plot(kimg, values, marker=marker, markersize=3 + width, **look)
    spread = [line["values"].get(f"{name}_deviation") for line in points]
    if None not in [*values, *spread]:
        low, high = np.subtract(values, spread), np.add(values, spread)
        plot.fill_between(kimg, low, high, color=colour, alpha=0.2, linewidth=0)


def _draw_floor(plot, group, name, colour):
    """What the newest line says of reals, as far as the curve goes."""
    first, last = (group[i]["images_seen"] / 1000 for i in (0, -1))
    low, high = plot.get_xlim()
    margin = _MARGIN * (high - low)
    ends, value = (first - margin, last + margin), group[-1]["reals"][name]
    look = {"colors": colour, "linestyles": "--", "linewidth": 1}
    if value is not None:
        plot.hlines(value, *ends, **look)


def _shade(plot, schedule):
    """The phases of a run behind a metric's curves."""
    for number, phase in enumerate(schedule.phases):
        start, end = phase.start / 1000, phase.end / 1000
        grey, size = _GREYS[number % 2], phase.resolution
        plot.axvspan(start, end, color=grey, linewidth=0, zorder=-2)
        fade_end = min(phase.fade_end, phase.end) / 1000
        if fade_end > start:
            plot.axvspan(start, fade_end, linewidth=0, zorder=-1, **_HATCHED)
        middle, transform = (start + end) / 2, plot.get_xaxis_transform()
        text = f"{size}x{size}"
        plot.text(middle, 1.02, text, transform=transform, **_HEADING)


def _entry(label, **look):
    """A line of the legend; between two $ would be a formula."""
    label = label.replace("$", r"\$")
    return matplotlib.lines.Line2D([], [], label=label, markersize=3, **look)
