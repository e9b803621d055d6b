"""What a training run will do and cost, as text."""

import dataclasses

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
    """Lines on what of a run may not be what its user wants.

    Args:
        config: `TrainConfig`.
        replicas: int, devices that share a minibatch.
    """
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
            f"Nothing is evaluated: --eval_kimg begins at {LOWEST_EVALUATED}x"
            f"{LOWEST_EVALUATED}, and the run is of {size}x{size}."
        )
    group = config.minibatch_stddev_group
    shares = {
        phase.resolution: phase.batch_size // replicas
        for phase in schedule.phases
    }
    alone = [
        f"{size}x{size} ({share})"
        for size, share in shares.items()
        if group > 1 and not any(share % g == 0 for g in range(2, group + 1))
    ]
    if alone:
        found.append(
            f"A device's share of a minibatch at {', '.join(alone)} cannot be "
            f"split into groups of 2 to {group}, so the minibatch standard "
            "deviation tells nothing: choose another --batch_size."
        )
    return found


def dry_run(config, resumed=False):
    """The schedule of a run as a table, its totals and its other settings.

    Parameters are those of the networks grown to a phase's resolution. The
    arithmetic is that of training steps, as counted by
    `TrainConfig.step_flops_per_image`. Classes take part once they have been
    counted in the data, which is when training begins. A range of kimg is
    written as the images seen at its two ends.

    Args:
        config: `TrainConfig`.
        resumed: bool, whether the run directory holds this run already.

    Returns:
        str of several lines, without a line break at the end.
    """
    schedule = config.schedule()
    rows = [_phase_row(config, schedule, p) for p in schedule.phases]
    total = sum(
        _phase_pflop(config, phase, phase.end - phase.start)
        for phase in schedule.phases
    )
    images = schedule.total_images
    steps = schedule.steps_until(0, images)
    action = "resumes" if resumed else "new run"
    return "\n".join(
        [
            *_aligned([_COLUMNS, *rows]),
            "",
            f"total: {_kimg(images)} kimg, {steps:,} steps, "
            f"{_rounded(total)} PFLOP",
            f"{action}: {config.run_dir}",
            *notices(config, config.replicas),
            "",
            *_setting_lines(config),
        ]
    )


def _phase_row(config, schedule, phase):
    """The cells of one line of the table, in the order of `_COLUMNS`."""
    r = phase.resolution
    fade_end = min(phase.fade_end, phase.end)
    architecture = config.architecture
    return (
        f"{r}x{r}",
        _kimg_range(phase.start, fade_end),
        _kimg_range(fade_end, phase.end),
        f"{phase.batch_size}",
        f"{phase.learning_rate:g}",
        f"{_steps(schedule, phase):,}",
        f"{architecture.generator_parameters(r):,}",
        f"{architecture.discriminator_parameters(r):,}",
        _rounded(1e6 * _phase_pflop(config, phase, 1)),
        _rounded(_phase_pflop(config, phase, phase.end - phase.start)),
    )


def _steps(schedule, phase):
    """Steps of a phase, which begins late by what the last step overshot."""
    before = schedule.steps_until(0, phase.start)
    return schedule.steps_until(0, phase.end) - before


def _phase_pflop(config, phase, images):
    """Arithmetic of training on some images of a phase, in 1e15 operations."""
    flops = config.step_flops_per_image(phase.resolution)
    return images * flops / 1e15


def _setting_lines(config):
    """Name and value of every setting that the table does not show."""
    names = [field.name for field in dataclasses.fields(config)]
    names = [name for name in names if name not in _SHOWN]
    width = max(map(len, names))
    return [f"{name:{width}}  {_text(getattr(config, name))}" for name in names]


def _text(value):
    """A setting; a table with one value everywhere is that value."""
    if not isinstance(value, dict):
        return str(value)
    if len(set(value.values())) == 1:
        return str(next(iter(value.values())))
    return ", ".join(f"{size}: {number:g}" for size, number in value.items())


def _aligned(rows):
    """Lines of right-aligned columns."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    return [
        "  ".join(
            f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)
        )
        for row in rows
    ]


def _kimg_range(start, end):
    return f"{_kimg(start)}-{_kimg(end)}" if end > start else "-"


def _kimg(images):
    return f"{images / 1000:g}"


def _rounded(number):
    """Three digits at least, and never in powers of ten from 100 up."""
    return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"
