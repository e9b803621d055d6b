"""The picture of samples with their nearest training pictures."""

import numpy as np
from pictures import random_pixels
from PIL import Image

from progan_tf.evaluation.evaluation import Evaluation, reals_for
from progan_tf.evaluation.opening import open_subjects


def save(folder, images):
    folder.mkdir()
    for number, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{number:03d}.png")
    return str(folder)


def nearest(tmp_path, name, images, data, mirror):
    """Samples and their nearest pictures, uint8 `[2, 8, 16, 16, 3]`."""
    subjects = open_subjects(images=images)
    reals = reals_for(subjects, data, mirror=mirror)
    out = tmp_path / name
    Evaluation(subjects, reals, ["neighbours"], out=out).run()
    with Image.open(out / "neighbours.png") as image:
        grid = np.asarray(image)[::4, ::4]  # Cells of 16 pixels, enlarged.
    return grid[:32].reshape(2, 16, 8, 16, 3).swapaxes(1, 2)


def test_what_was_learnt_mirrored_is_found(tmp_path):
    pictures = random_pixels(24, 16, 16, 3)
    data = save(tmp_path / "data", pictures)
    # All are learnt by heart, each the other way round.
    learnt = save(tmp_path / "learnt", pictures[:, :, ::-1])
    samples, found = nearest(tmp_path, "with", learnt, data, mirror=True)
    np.testing.assert_array_equal(samples, found)
    # Training that shows one way alone cannot have learnt the other.
    samples, found = nearest(tmp_path, "without", learnt, data, mirror=False)
    assert not any(map(np.array_equal, samples, found))
