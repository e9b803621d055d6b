"""What a training run will do and cost, as text."""

import dataclasses

from progan_tf.augmentation import adapts, leaks
from progan_tf.config.resume import table_text
from progan_tf.resolutions import LOWEST_EVALUATED

_COLUMNS = (
    "resolution",
    "fade, kimg",
    "stable, kimg",
    "minibatch",
    "rate",
    "steps",
    "G parameters",
    "D parameters",
    "GFLOP/image",
    "PFLOP",
)
# Settings that these columns show.
_SHOWN = ("fade_kimg", "stable_kimg", "batch_size", "learning_rate")


def notices(config, replicas):
    """Lines on what of a run on so many devices its user may not want."""
    found = []
    schedule, size = config.schedule(), config.resolution
    finished = schedule.finished(schedule.total_images)
    if size not in finished:
        whole = dataclasses.replace(config, total_kimg=None).schedule()
        needed = f"{size}x{size} is faded in"
        if size in whole.finished(whole.total_images):
            needed += f", at {_kimg(whole.phases[-1].fade_end)} kimg"
        found.append(
            f"The run ends at {finished[-1]}x{finished[-1]} after "
            f"{_kimg(schedule.total_images)} kimg, before {needed}: raise "
            "--total_kimg, or lower --fade_kimg and --stable_kimg."
        )
    if config.eval_kimg and size < LOWEST_EVALUATED:
        found.append(
            "Nothing is evaluated: --eval_kimg begins at "
            f"{LOWEST_EVALUATED}x{LOWEST_EVALUATED}, and the run ends at "
            f"{size}x{size}."
        )
    group, alone = config.minibatch_stddev_group, []
    for phase in schedule.phases:
        r, share = phase.resolution, phase.batch_size // replicas
        if group > 1 and all(share % n for n in range(2, group + 1)):
            alone.append(f"{r}x{r} ({share})")
    if alone:
        found.append(
            f"A device's share of a minibatch at {', '.join(alone)} cannot be "
            f"split into groups of 2 to {group}, so the minibatch standard "
            "deviation has no effect: choose another --batch_size."
        )
    if not adapts(config):
        p = 1.0 if config.augment_p is None else config.augment_p
        found.append(leaks(config.augment, p))
    return list(filter(None, found))


def dry_run(config, resumed=False):
    """The schedule of a run as a table, its totals and its other settings.

    Parameters are those of the networks grown to a phase's resolution. The
    arithmetic is that of training steps, as counted by
    `TrainConfig.step_flops_per_image`. Classes take part once they have been
    counted in the data, which is when training begins. A range of kimg is
    written as the images seen at its two ends.
    """
    schedule = config.schedule()
    rows = [_phase_row(config, schedule, p) for p in schedule.phases]
    images = schedule.total_images
    steps = schedule.steps_until(0, images)
    total = sum(
        _pflop(config, phase, phase.end - phase.start)
        for phase in schedule.phases
    )
    rows = [_COLUMNS, *rows]
    width = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(map(str.rjust, row, width)) for row in rows]
    action = "resumes" if resumed else "new run"
    lines += [
        "",
        f"total: {_kimg(images)} kimg, {steps:,} steps, "
        f"{_rounded(total)} PFLOP",
        f"{action}: {config.run_dir}",
        *notices(config, config.replicas),
        "",
    ]
    # Every setting that the table does not show.
    settings = {x: v for x, v in vars(config).items() if x not in _SHOWN}
    longest = max(map(len, settings))
    for name, value in settings.items():
        text = table_text(value) if isinstance(value, dict) else value
        lines.append(f"{name:{longest}}  {text}")
    return "\n".join(lines)


def _phase_row(config, schedule, phase):
    """The cells of one line of the table, in the order of `_COLUMNS`."""
    r, architecture = phase.resolution, config.architecture
    fade_end = min(phase.fade_end, phase.end)
    # A phase begins late by what the step before it overshot.
    steps = schedule.steps_until(0, phase.end)
    steps -= schedule.steps_until(0, phase.start)
    return (
        f"{r}x{r}",
        _kimg_range(phase.start, fade_end),
        _kimg_range(fade_end, phase.end),
        f"{phase.batch_size}",
        f"{phase.learning_rate:g}",
        f"{steps:,}",
        f"{architecture.generator_parameters(r):,}",
        f"{architecture.discriminator_parameters(r):,}",
        _rounded(1e6 * _pflop(config, phase, 1)),
        _rounded(_pflop(config, phase, phase.end - phase.start)),
    )


def _pflop(config, phase, images):
    """1e15 operations of training on some images of a phase."""
    return images * config.step_flops_per_image(phase.resolution) / 1e15


def _kimg_range(start, end):
    return f"{_kimg(start)}-{_kimg(end)}" if end > start else "-"


def _kimg(images):
    return f"{images / 1000:g}"


def _rounded(number):
    """Three digits at least, and never in powers of ten from 100 up."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
