"""What a run says on the screen: a bar or lines, its first words, numbers."""

import sys

import tqdm

from progan_tf.text import duration, kimg


class Progress:
    """A bar on a terminal; elsewhere a line for every tick."""

    def __init__(self, images_seen, total):
        self._total, self._gone, self._bar = total, False, None
        if sys.stdout.isatty() and sys.stderr.isatty():
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

        The rate is in images a second; the means are a dict, with the losses;
        the seconds are None while they are not known.
        """
        if self._bar is not None:
            self._bar.n = images_seen
            self._bar.set_description_str(
                f"{resolution}x{resolution} "
                + _state(alpha, means, rate, seconds_left)
            )

    def tick(self, values, seconds_left):
        """Print a line, where there is no bar that shows the same."""
        if self._bar is None:
            size, rate = values["resolution"], values["images_per_second"]
            self.say(
                f"{kimg(min(values['images_seen'], self._total))} of "
                f"{kimg(self._total)} kimg  {size}x{size}  "
                + _state(values["alpha"], values, rate, seconds_left)
            )

    def say(self, text):
        """Print a line without disturbing the bar."""
        if self._gone:
            return
        try:
            if self._bar is not None:
                self._bar.write(text)
            else:
                print(text, flush=True)
        except OSError:
            # The reader is gone: a terminal that was closed, or tee, which
            # Ctrl-C ends too. What was trained must be saved all the same.
            self._gone = True

    def close(self):
        """Leave the bar as it stands."""
        if self._bar is not None:
            self._bar.close()


def first_words(config, images_seen, where, resumed):
    """What a run on some devices (`where`) says when it begins or goes on."""
    verb, size = "Resuming" if resumed else "Training", config.resolution
    total = config.schedule().total_images
    return (
        f"{verb} {config.run_dir} at {kimg(images_seen)} of {kimg(total)} "
        f"kimg: {config.data}, up to {size}x{size}, {config.precision}, {where}"
    )


def _state(alpha, means, rate, seconds_left):
    losses = f"D {means['discriminator_loss']:.3f}"
    # Left out of the means where no step moved the generator.
    if "generator_loss" in means:
        losses += f"  G {means['generator_loss']:.3f}"
    # Not yet known at the first lines, whose steps were compiled.
    left = "" if seconds_left is None else f"  {duration(seconds_left)} left"
    return f"alpha {alpha:.2f}  {losses}  {rate:,.4g} img/s{left}"
