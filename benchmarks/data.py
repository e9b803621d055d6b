"""Time the data sources, and compare them with what training consumes.

  python benchmarks/data.py
      every source at 4x4 to 256x256, as a Markdown table
  python benchmarks/data.py --resolution=64 --source=png,official
      some of them
  python benchmarks/data.py --records=200000
      how much memory it takes to read so many records in random order

The pictures are 256x256 cats. A cell is how many per second the source reads in
random order while nothing else is done, and in brackets that rate as a multiple
of what the training step of the preset consumes at that resolution. The files
are in the system's cache. Run nothing else on the machine meanwhile.

cats       composed in memory, again each time
png, jpeg  a folder, when its pictures are decoded for the first time
cached     a folder's pictures that were decoded before and fit in memory
official   the official multi-resolution records
compact    each picture once, compressed; also for the first time
"""

import pathlib
import sys
import tempfile
import time

import numpy as np
import train_step
from absl import flags
from measuring import (
    markdown_row,
    process_memory,
    run_apart,
    three_digits,
    words_of,
)
from PIL import Image

from progan_tf import command, preparation
from progan_tf.config import resolve
from progan_tf.config.presets import PRESETS
from progan_tf.data import (
    Cats,
    Compact,
    Folder,
    Loader,
    ShuffledOrder,
    Steps,
    TFRecords,
)
from progan_tf.errors import UserError

FLAGS = flags.FLAGS
_SIZE = 256  # Of the pictures.
_TOGETHER = 128  # Pictures that are asked for at once.
_SECONDS = 0.5  # A measurement takes at least so long, where it can.
# What each source is opened with, in the order of the table.
_SOURCES = {
    "cats": lambda folder: Cats(),
    "png": lambda folder: Folder(folder / "png"),
    "jpeg": lambda folder: Folder(folder / "jpeg"),
    "cached": lambda folder: Folder(folder / "png"),
    "official": lambda folder: TFRecords(folder / "official"),
    "compact": lambda folder: Compact(folder / "compact"),
}
_RECORD_SIZE = 32  # Of the records whose memory is measured.
_SIZES = "4", "8", "16", "32", "64", "128", "256"


def define_flags():
    """Define the benchmark's flags."""
    flags.DEFINE_list("resolution", list(_SIZES), "powers of two from 4 to 256")
    flags.DEFINE_list("source", list(_SOURCES), f"of {', '.join(_SOURCES)}")
    flags.DEFINE_enum("preset", "laptop", list(PRESETS), "of the training step")
    number = flags.DEFINE_integer
    number("pictures", 512, "pictures to make and read", 16)
    number("records", None, "measure the memory of so many, not the speed", 16)


def main():
    """Make the pictures in a temporary folder and measure."""
    resolutions = [*map(int, words_of("resolution", _SIZES))]
    sources = words_of("source", _SOURCES)
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if FLAGS.records:
            print_memory(folder, FLAGS.records)
            return
        command.import_tensorflow()
        make_pictures(folder, FLAGS.pictures)
        print(markdown_row(["resolution", "trainer", *sources]))
        print(markdown_row(["---"] * (2 + len(sources))), flush=True)
        for size in resolutions:
            eaten = trainer_rate(size)
            cells = [f"{size}x{size}", three_digits(eaten)]
            for name in sources:
                source = _SOURCES[name](folder)
                rate = source_rate(source, size, warm=name == "cached")
                times = three_digits(rate / eaten)
                cells.append(f"{three_digits(rate)} ({times}x)")
            print(markdown_row(cells), flush=True)


def make_pictures(folder, count):
    """Cats in folders called png, jpeg, official and compact."""
    cats = Cats()
    chosen = preparation.choose(cats, count, seed=123)
    for suffix in ("png", "jpeg"):
        (folder / suffix).mkdir()
        for number, image in enumerate(cats.images(chosen, _SIZE)):
            path = folder / suffix / f"{number:06d}.{suffix}"
            Image.fromarray(image).save(path, quality=90)
    for name, form in (("official", "tfrecords"), ("compact", "compact")):
        preparation.prepare(cats, chosen, folder / name, _SIZE, form)


def trainer_rate(size):
    """Images a second that the preset's step consumes at a resolution."""
    from progan_tf.training import devices
    from progan_tf.training.step import TrainingStep

    config = resolve(FLAGS.preset, {"resolution": size})
    strategy = devices.make_strategy("")
    state = TrainingStep(config, strategy)
    # As much as takes a fraction of a second on a CPU.
    steps = min(max(2**18 // (size**2 * config.batch_size[size]), 1), 64)
    reals = train_step.random_reals(config, strategy, steps)

    def call():
        state.run(reals, np.ones(steps, "float32"), steps)

    call()  # It also traces and compiles.
    images = steps * config.batch_size[size]
    return images / train_step.median_seconds(call)


def source_rate(source, size, warm=False):
    """Images a second that a `data.Source`, just opened, reads in random order.

    At a resolution; with `warm` only what is read again counts.
    """
    order = ShuffledOrder(len(source), seed=0)
    source.images(order.indices(0, 1), size)
    first, limit = 1, len(source)  # The first epoch, less that one.
    if warm:
        source.images(order.indices(first, limit), size)
        first, limit = first + limit, sys.maxsize
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < _SECONDS and count < limit - 1:
        some = min(_TOGETHER, limit - 1 - count)
        source.images(order.indices(first + count, some), size)
        count += some
    return count / (time.perf_counter() - start)


def print_memory(folder, count):
    """Measure both forms of prepared data, and print a Markdown table."""
    headings = ["form", "records", "on disk, MB", "at start, MB", "most, MB"]
    print(markdown_row([*headings, "images/s"]))
    print(markdown_row(["---"] * 6), flush=True)
    for form, opened in (("tfrecords", TFRecords), ("compact", Compact)):
        # Each in a process of its own, so that they do not share memory.
        _apart(make_records, folder / form, form, count)
        size = sum(path.stat().st_size for path in (folder / form).iterdir())
        before, most, rate = _apart(read_records, opened, folder / form)
        numbers = count, size / 1e6, before / 1e6, most / 1e6, rate
        print(markdown_row([form, *map(three_digits, numbers)]), flush=True)


def make_records(folder, form, count):
    """Prepare so many cats, repeated where there are fewer."""
    command.import_tensorflow()  # Quietly, before it is used for records.
    cats = Cats()
    order = np.resize(preparation.choose(cats, count, seed=123), count)
    preparation.prepare(cats, order, folder, _RECORD_SIZE, form)


def read_records(opened, folder):
    """Read an epoch of a class of sources at every resolution, as in training.

    Returns the most bytes of memory before it is opened and in the end, and the
    images read a second.
    """
    before = process_memory()
    source = opened(folder)
    count, start = 0, time.perf_counter()
    with Loader(source, seed=0) as loader:
        size = 4
        while size <= source.resolution:
            for first in range(0, len(source), _TOGETHER):
                loader.chunk(Steps(first, 1, _TOGETHER, size))
                count += _TOGETHER
            size *= 2
    return before, process_memory(), count / (time.perf_counter() - start)


def _apart(function, *arguments):
    result, status = run_apart(function, *arguments)
    if status:
        raise UserError(f"{function.__name__} ended with status {status}")
    return result


if __name__ == "__main__":
    command.run(main, define_flags)
