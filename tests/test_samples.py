"""The sample grids of a run, with classes and without."""

import keras
import numpy as np
from PIL import Image
from tiny import tiny_config

from progan_tf.data import Folder, ShuffledOrder
from progan_tf.training.run_data import counted_config
from progan_tf.training.run_log import RunLog
from progan_tf.training.samples import SampleGrids

COLOURS = np.uint8([[255, 0, 0], [0, 255, 0], [0, 0, 255]])


def write_class(folder, colour, count):
    """Pictures of one colour whose first pixel is their number."""
    folder.mkdir(parents=True)
    for number in range(count):
        pixels = np.full([8, 8, 3], colour, np.uint8)
        pixels[0, 0] = number
        Image.fromarray(pixels).save(folder / f"{number:03d}.png")


def class_painter(classes):
    """A generator whose images show one of three classes as a colour."""
    latents = keras.Input([8])
    labels = keras.Input([classes])
    pixels = keras.layers.RepeatVector(64)(labels[:, :3])
    images = keras.layers.Reshape([8, 8, 3])(pixels)
    return keras.Model([latents, labels], images * 2 - 1)


def written_grids(run_dir, source, labels):
    """The colours in the cells of reals and of fakes, and all reals."""
    classes = source.num_classes if labels else 0
    config = tiny_config(run_dir, labels=labels, num_classes=classes)
    config = counted_config(config, source)
    log = RunLog(run_dir, 8, classes=classes)
    grids = SampleGrids(config, source, log)
    grids.write_reals()
    if labels:
        grids.write_fakes(class_painter(classes), 0)
    log.close()
    pictures = {}
    for path in (run_dir / "samples").iterdir():
        with Image.open(path) as image:
            pictures[path.stem] = np.asarray(image)
    return pictures


def test_a_class_a_row(tmp_path):
    for name, colour, count in zip("abc", COLOURS, (50, 20, 200), strict=True):
        write_class(tmp_path / "data" / name, colour, count)
    source = Folder(tmp_path / "data", labels=True)
    pictures = written_grids(tmp_path / "run", source, labels=True)
    assert pictures.keys() == {"reals", "fakes-000000"}
    rows = COLOURS[np.arange(9) % 3]
    for grid in pictures.values():
        cells = grid[32::64, 32::64]  # [9, 16, 3]
        np.testing.assert_array_equal(cells, rows[:, None].repeat(16, 1))
    numbers = pictures["reals"][::64, ::64, 0]
    # The classes of 50 and of 200 fill their three rows without repetition,
    # and that of 20 repeats itself when all were shown.
    assert len(np.unique(numbers[0::3])) == len(np.unique(numbers[2::3])) == 48
    shown = numbers[1::3].ravel()
    assert len(np.unique(shown[:20])) == 20
    np.testing.assert_array_equal(shown[20:40], shown[:20])


def test_many_classes_have_a_row_each(tmp_path):
    colours = np.arange(12)[:, None] * [20, 0, 5] + [0, 9, 0]
    for number, colour in enumerate(colours):
        folder = tmp_path / "data" / f"{number:02d}"
        folder.mkdir(parents=True)
        pixels = np.tile(colour.astype(np.uint8), (8, 8, 1))
        for copy in range(2):
            Image.fromarray(pixels).save(folder / f"{copy}.png")
    source = Folder(tmp_path / "data", labels=True)
    grid = written_grids(tmp_path / "run", source, labels=True)["reals"]
    cells = grid[32::64, 32::64]  # [12, 16, 3]
    np.testing.assert_array_equal(cells, colours[:, None].repeat(16, 1))


def test_a_class_without_pictures_is_not_drawn(tmp_path):
    write_class(tmp_path / "data", COLOURS[1], 16)
    np.save(tmp_path / "rows.npy", np.eye(3)[[0, 2] * 8])
    source = Folder(tmp_path / "data", labels_file=tmp_path / "rows.npy")
    assert (source.num_classes, source.empty_classes) == (3, (1,))
    pictures = written_grids(tmp_path / "run", source, labels=True)
    cells = pictures["fakes-000000"][32::64, 32::64]  # [9, 16, 3]
    rows = COLOURS[np.arange(9) % 2 * 2]
    np.testing.assert_array_equal(cells, rows[:, None].repeat(16, 1))
    assert pictures["reals"].reshape(9, 64, -1).any((1, 2)).all()


def test_without_labels_reals_are_in_the_order_of_training(tmp_path):
    write_class(tmp_path / "data", COLOURS[2], 200)
    source = Folder(tmp_path / "data")
    reals = written_grids(tmp_path / "run", source, labels=False)["reals"]
    order = ShuffledOrder(200, seed=7).indices(0, 144)
    np.testing.assert_array_equal(reals[::64, ::64, 0].ravel(), order)
