"""What a run says on the screen: a bar or lines, its first words, numbers."""

import sys

import tqdm

from progan_tf.text import duration, kimg


class Progress:
    """A bar on a terminal; elsewhere a line for every tick.

    Args:
        images_seen: int, at the start.
        total: int, images of the whole run.
        quiet: bool, print nothing, as workers but the first do.
    """

    def __init__(self, images_seen, total, quiet=False):
        self._total = total
        self._quiet = quiet
        self._bar = None
        if not quiet and sys.stdout.isatty() and sys.stderr.isatty():
            self._bar = tqdm.tqdm(
                total=total,
                initial=images_seen,
                unit="img",
                unit_scale=True,
                dynamic_ncols=True,
                bar_format="{percentage:3.0f}% |{bar}| {n_fmt}/{total_fmt} "
                "images  {desc}",
            )

    def update(self, images_seen, resolution, alpha, rate, seconds_left, means):
        """Move the bar; nothing where there is none.

        Args:
            images_seen, resolution: ints.
            alpha: float, the fade.
            rate: float, images a second.
            seconds_left: float, to the end of the run.
            means: dict, the losses among them.
        """
        if self._bar is not None:
            self._bar.n = images_seen
            self._bar.set_description_str(
                f"{resolution}x{resolution} alpha {alpha:.2f}  "
                f"{_losses(means)}  "
                f"{rate:,.4g} img/s  {duration(seconds_left)} left"
            )

    def tick(self, values, seconds_left):
        """Print a line, where there is no bar that shows the same."""
        if self._bar is None and not self._quiet:
            size = values["resolution"]
            self._print(
                f"{kimg(min(values['images_seen'], self._total))} of "
                f"{kimg(self._total)} kimg  "
                f"{size}x{size}  "
                f"alpha {values['alpha']:.2f}  "
                f"{_losses(values)}  "
                f"{values['images_per_second']:,.4g} img/s  "
                f"{duration(seconds_left)} left"
            )

    def say(self, text):
        """Print a line without disturbing the bar."""
        if not self._quiet:
            self._print(text)

    def _print(self, text):
        try:
            if self._bar is not None:
                self._bar.write(text)
            else:
                print(text, flush=True)
        except OSError:
            # The reader is gone: a terminal that was closed, or tee, which
            # Ctrl-C ends too. What was trained must be saved all the same.
            self._quiet = True

    def close(self):
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def first_words(config, images_seen, where, resumed):
    """What a run says when it begins or goes on.

    Args:
        config: `TrainConfig`.
        images_seen: int.
        where: str, the devices.
        resumed: bool.
    """
    verb, size = "Resuming" if resumed else "Training", config.resolution
    total = config.schedule().total_images
    return (
        f"{verb} {config.run_dir} at {kimg(images_seen)} of {kimg(total)} "
        f"kimg: {config.data}, up to {size}x{size}, {config.precision}, {where}"
    )


def _losses(values):
    """The losses out of a dict of metrics, as text."""
    d_loss, g_loss = values["discriminator_loss"], values["generator_loss"]
    return f"D {d_loss:.3f}  G {g_loss:.3f}"
