"""Find the latent of a picture, so that a trained generator draws it.

  python -m progan_tf.project --run_dir=runs/x --target=photo.png --out=folder/
      the nearest picture that the generator can draw, and its latent
  python -m progan_tf.project --run_dir=runs/x --target=seed:17 --out=folder/
      the generator's own picture of seed 17, to see how well that works

Writes target.png and result.png (small ones enlarged), latent.npy (float32
[latent_size], the generator's input), found.json (its class and PSNR) and
search.gif, the film of the search beside its target. The search draws many
latents first, and optimizes the nearest by gradient descent. Ctrl-C ends it
and keeps the best result so far.
"""

from absl import flags

from progan_tf import command, signals
from progan_tf.generation import opening, projection_files
from progan_tf.progress import progress

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    opening.define_flags()
    text("target", None, "a picture, or seed:17", required=True)
    text("out", None, "FOLDER/ for the files", required=True)
    number("steps", 400, "steps of the search", 1)
    number("candidates", 512, "random latents to draw first", 1, 100_000)
    starts = "number of candidates, the nearest, to optimize"
    # They are one batch, which must fit in memory.
    number("starts", 8, starts, 1, 1000)
    number("seed", 0, "seed of the random latents", 0, 2**32 - 1)
    number("class", None, "class of the picture; by default the nearest", 0)
    weight = "weight of the errors at half the size, a quarter, ..."
    flags.DEFINE_float("coarse_weight", 0.0, weight, 0)


def main():
    """Read the target, search, and write what was found."""
    projection_files.check_places(FLAGS.target, FLAGS.out)
    generator = opening.open_flagged(FLAGS)
    # Only now, because it imports TensorFlow.
    from progan_tf.generation.projection import project

    chosen = FLAGS["class"].value
    label = projection_files.known_class(FLAGS.target, generator, chosen)
    target = projection_files.read_target(FLAGS.target, generator, label)
    film = projection_files.Film(target, FLAGS.steps)
    done = progress(range(FLAGS.steps), FLAGS.steps, "step", "searched")
    looks = []  # Holds the progress bar once the total is known.

    def look(seen, total):
        if not looks:
            counts = range(total + 1)
            looks.append(progress(counts, total, "picture", "compared"))
        while next(looks[0]) < seen:
            pass
        if told or seen == total:
            looks[0].close()
        return bool(told)

    def show(step, image, psnr):
        next(done)
        film.add(step, image)
        return bool(told)

    numbers = FLAGS.starts, FLAGS.steps, FLAGS.seed
    others = {
        "label": label,
        "coarse_weight": FLAGS.coarse_weight,
        "callback": show,
        "candidates": FLAGS.candidates,
        "looked": look,
    }
    with signals.told_to_stop() as told:
        found = project(generator, target, *numbers, **others)
    next(done, None)  # The last step is done, too.
    projection_files.save(FLAGS.out, target, found, film)
    kind = "" if found.label is None else f", class {found.label}"
    steps = len(found.history)
    print(f"PSNR {found.psnr:.1f} dB after {steps} steps{kind}: {FLAGS.out}")


if __name__ == "__main__":
    command.run(main, define_flags)
