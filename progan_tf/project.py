"""Find the latent of a picture, so that a trained generator draws it.

  python -m progan_tf.project --run_dir=runs/x --target=photo.png --out=folder/
      the nearest picture that the generator can draw, and its latent
  python -m progan_tf.project --run_dir=runs/x --target=seed:17 --out=folder/
      the generator's own picture of seed 17, to see how well that works

Writes target.png and result.png (small ones enlarged), latent.npy (float32
[latent_size], the generator's input) and search.gif, the film of the search
beside its target.
"""

import time

import tqdm
from absl import flags

from progan_tf import command
from progan_tf import generator_flags
from progan_tf import projection_files

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    text, number = flags.DEFINE_string, flags.DEFINE_integer
    generator_flags.define_flags()
    text("target", None, "a picture, or seed:17", required=True)
    text("out", None, "FOLDER/ for the files", required=True)
    number("steps", 400, "steps of the search", 1)
    number("starts", 8, "random latents to begin with", 1)
    number("seed", 0, "of these latents", 0, 2**32 - 1)
    number("class", None, "of the picture; by default the starts take turns", 0)


def main():
    """Read the target, search, and write what was found."""
    # A mistake should not show only after the search.
    projection_files.check_places(FLAGS.target, FLAGS.out)
    generator = generator_flags.open_generator(
        FLAGS.run_dir, FLAGS.module, FLAGS.resolution
    )
    # Only now, because it imports TensorFlow.
    from progan_tf.projection import project

    label = FLAGS["class"].value
    target = projection_files.read_target(FLAGS.target, generator, label)
    film = projection_files.Film(target, FLAGS.steps)
    start = time.monotonic()
    # Only where stderr is a terminal.
    with tqdm.tqdm(total=FLAGS.steps, unit="step", disable=None) as bar:

        def show(step, image, psnr):
            film.add(step, image)
            bar.set_postfix_str(f"{psnr:.1f} dB", refresh=False)
            bar.update()

        found = project(
            generator,
            target,
            FLAGS.starts,
            FLAGS.steps,
            FLAGS.seed,
            label=label,
            callback=show,
        )
    seconds = time.monotonic() - start
    projection_files.save(FLAGS.out, target, found, film)
    kind = "" if found.label is None else f", class {found.label}"
    print(
        f"PSNR {found.psnr:.1f} dB after {FLAGS.steps} steps in "
        f"{seconds:.1f} s{kind}: {FLAGS.out}"
    )


if __name__ == "__main__":
    command.run(main, define_flags)
