"""From images seen to resolution, alpha, minibatch and learning rate.

Section 2 of the paper. Training is a sequence of phases, one a resolution: a
resolution fades in, then trains on its own, then the next one fades in. It
begins with 4x4, which has nothing to fade from. This is the sequence of the
official code, which writes it as "train, then transition": a fade already
runs at the higher resolution, with its minibatch and learning rate.

Progress is counted in images seen, which is real images shown to the
discriminator. Pure Python: nothing here needs TensorFlow.

Invariants, for any number of images seen:

- phases follow each other without a gap, and each resolution is twice the
  one before (unless one of no images at all was left out);
- alpha lies in [0, 1], is piecewise linear, starts each fade at 0 and is 1
  outside fades;
- a change of `total_images` never moves a phase that both schedules reach.
"""

import dataclasses
import math

from progan_tf.errors import UserError
from progan_tf.resolutions import LOWEST_RESOLUTION, resolutions


@dataclasses.dataclass(frozen=True)
class Phase:
    """The training of one resolution, measured in images seen.

    Attributes:
        resolution: int, width and height of the images.
        start: int, images seen when the phase begins.
        fade_images: int, how many images the resolution fades in over: the
            whole fade, even if training ends within it.
        stable_images: int, how many it then trains on its own.
        end: int, images seen when the next phase begins or training ends.
        batch_size: int, images a step, over all devices.
        learning_rate: float, of both optimizers.
    """

    resolution: int
    start: int
    fade_images: int
    stable_images: int
    end: int
    batch_size: int
    learning_rate: float

    @property
    def fade_end(self):
        """Images seen when the resolution is, or would be, faded in."""
        return self.start + self.fade_images


class GrowthSchedule:
    """The phases of a training run, and what holds at any point of it.

    Args:
        resolution: int, the last one: a power of two from 4 to 1024.
        fade_images: mapping from resolution to the int number of images that
            it fades in over. What it says of 4x4 is ignored.
        stable_images: mapping from resolution to the int number of images
            that it trains on its own.
        batch_sizes: mapping from resolution to int.
        learning_rates: mapping from resolution to float.
        total_images: int or None. The last phase is extended up to it; when
            it is smaller than the sum of the phases, training ends there
            and later phases are dropped. None is the sum.
        rampup_images: int, images from the beginning of each stage over which
            the learning rate rises from 0 to that of the phase.
        rampdown: float, the share of all images, the last ones, over which
            it falls towards 0.

    Attributes:
        phases: tuple of `Phase`, in the order of training.

    Resolutions above `resolution` may be in the mappings and are ignored. A
    resolution of no images, fade and stable, is left out: with zeros
    throughout and a `total_images`, training does not grow at all.

    Raises:
        UserError: for a resolution that is not such a power of two or is
            missing in a mapping, a negative number of images, a batch size
            or learning rate that is not positive, no images at all, or so few
            that not one resolution is faded in.
    """

    def __init__(
        self,
        resolution,
        fade_images,
        stable_images,
        batch_sizes,
        learning_rates,
        total_images=None,
        rampup_images=0,
        rampdown=0,
    ):
        tables = (fade_images, stable_images, batch_sizes, learning_rates)
        _check_tables(resolutions(resolution), *tables)
        phases = []
        start = 0
        for r in resolutions(resolution):
            fade = 0 if r == LOWEST_RESOLUTION else fade_images[r]
            end = start + fade + stable_images[r]
            if total_images is not None:
                if r == resolution or end > total_images:
                    end = max(start, total_images)
            if end > start:
                stable = max(0, end - start - fade)
                batch, rate = batch_sizes[r], learning_rates[r]
                phases.append(Phase(r, start, fade, stable, end, batch, rate))
            start = end
        if not phases:
            raise UserError(
                "expected a schedule of at least one image; raise "
                "--total_kimg, --fade_kimg or --stable_kimg"
            )
        _check_finishes(phases)
        self.phases = tuple(phases)
        self._rampup_images = rampup_images
        self._rampdown_images = rampdown * self.total_images

    @property
    def total_images(self):
        """int, images seen when training ends."""
        return self.phases[-1].end

    def at(self, images_seen):
        """The phase of the next minibatch; past the end, the last one."""
        later = (phase for phase in self.phases if images_seen < phase.end)
        return next(later, self.phases[-1])

    def alpha(self, images_seen):
        """How far the resolution is faded in: float in [0, 1].

        1.0 is the new block alone, as it is outside fades; 0.0 is the
        resolution below, upscaled.
        """
        phase = self.at(images_seen)
        if images_seen >= phase.fade_end:
            return 1.0
        return (images_seen - phase.start) / phase.fade_images

    def learning_rate(self, images_seen):
        """The learning rate of the next minibatch, a float."""
        phase = self.at(images_seen)
        fading = images_seen < phase.fade_end
        begun = phase.start if fading else phase.fade_end
        # With its own images, so that the first minibatch is not in vain.
        images = images_seen - begun + phase.batch_size
        left = self.total_images - images_seen
        rate = phase.learning_rate
        if images < self._rampup_images:
            rate *= images / self._rampup_images
        if left < self._rampdown_images:
            rate *= max(0, left) / self._rampdown_images
        return rate

    def stage(self, images_seen):
        """An int that changes exactly where both optimizers are reset.

        As in the official code that is at both ends of each fade: 0 is 4x4,
        1 the fade to 8x8, 2 stable 8x8 and so on. The number of a stage
        depends on its resolution only, not on the length of any phase.
        """
        phase = self.at(images_seen)
        doublings = (phase.resolution // LOWEST_RESOLUTION).bit_length() - 1
        return 2 * doublings - (images_seen < phase.fade_end)

    def finished(self, images_seen):
        """The resolutions that are no longer fading, as a tuple of ints."""
        done = (p for p in self.phases if images_seen >= p.fade_end)
        return tuple(phase.resolution for phase in done)

    def next_boundary(self, images_seen):
        """Images seen at which a fade next begins or ends, or training ends.

        Always more than `images_seen`; past the end of training it is that end.
        """
        phase = self.at(images_seen)
        if images_seen < phase.fade_end:
            return min(phase.fade_end, phase.end)
        return phase.end

    def steps_until(self, images_seen, target):
        """How many minibatches lead from some images seen to at least others.

        A minibatch begun before the end of a phase belongs to that phase, so
        the next phase may begin a few images late.
        """
        steps = 0
        while images_seen < target:
            phase = self.at(images_seen)
            # The last phase has no successor to give way to.
            last = images_seen >= phase.end
            stop = target if last else min(target, phase.end)
            more = math.ceil((stop - images_seen) / phase.batch_size)
            steps += more
            images_seen += more * phase.batch_size
        return steps


@dataclasses.dataclass(frozen=True)
class Cadences:
    """Images seen between two log lines, sample grids, evaluations, saves.

    Each is an int, or None for never.
    """

    tick: int | None
    sample: int | None
    evaluate: int | None
    save: int | None

    def due(self, before, images_seen):
        """Names of what falls due after one number of images, up to another.

        Each falls due at the multiples of its number; at 0 all do, so that a
        run begins with them where `before` is negative.
        """
        every = {name: number for name, number in vars(self).items() if number}
        return {x for x, n in every.items() if images_seen // n > before // n}

    def next(self, images_seen):
        """Images seen at which something next falls due; infinity if never."""
        return min(
            ((images_seen // n + 1) * n for n in vars(self).values() if n),
            default=math.inf,
        )


def _check_finishes(phases):
    """Makes sure that at least one resolution is finished in the end."""
    first, end = phases[0], phases[-1].end
    if end < first.fade_end:
        size = f"{first.resolution}x{first.resolution}"
        raise UserError(
            f"the schedule must fade in its first resolution, {size}, which "
            f"takes {first.fade_end / 1000:g} kimg, but ends at "
            f"{end / 1000:g}; raise --total_kimg or lower --fade_kimg"
        )


def _check_tables(sizes, *tables):
    """Checks fade_images, stable_images, batch_sizes and learning_rates."""
    for table, name, wanted, good in (
        (tables[0], "fade_images", "0 or more", lambda n: n >= 0),
        (tables[1], "stable_images", "0 or more", lambda n: n >= 0),
        (tables[2], "batch_sizes", "1 or more", lambda n: n >= 1),
        (tables[3], "learning_rates", "more than 0", lambda n: n > 0),
    ):
        for r in sizes:
            if r not in table:
                raise UserError(f"{name} must have a number for {r}x{r}")
            if not good(table[r]):
                raise UserError(
                    f"{name} at {r}x{r} must be {wanted}, not {table[r]!r}"
                )
