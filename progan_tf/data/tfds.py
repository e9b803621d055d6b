"""Data sets of TensorFlow Datasets (TFDS), such as `tfds:celeb_a`."""

import bisect
import concurrent.futures
import difflib
import itertools
import os
import re
import sys
from collections.abc import Sequence

import numpy as np

from progan_tf.data.disk import file_size, files_fingerprint, read_part
from progan_tf.data.encoded import RecordsSource
from progan_tf.data.example import parse_example
from progan_tf.data.source import CACHE_BYTES
from progan_tf.data.tfrecords import AFTER_CONTENT, BEFORE_CONTENT
from progan_tf.errors import UserError
from progan_tf.progress import progress
from progan_tf.reading import open_file, refusing

_VERSION = re.compile(r":\d+\.\d+\.\d+(?=/|$)")
_DEFAULT_SPLIT = "train"
_USUAL_SPLITS = frozenset(("train", "validation", "test"))
# Some error messages of TFDS are pages long.
_LONGEST_REASON = 400
# A record has at least these bytes.
_AROUND = BEFORE_CONTENT + AFTER_CONTENT


class TFDS(RecordsSource):
    """The pictures of a split, in the order of its files.

    If necessary, the data set is first downloaded and prepared in the usual
    folder of TensorFlow Datasets: the one in the environment variable
    TFDS_DATA_DIR, by default ~/tensorflow_datasets.

    The feature `image` is the picture, `label` the class. See `RecordsSource`.

    The split is `train` by default, and may be one of TFDS's expressions, such
    as `train[:90%]` or `train+test`. `data_dir` overrides TFDS_DATA_DIR. Raises
    UserError if TensorFlow Datasets is not installed, does not know the name or
    cannot prepare it, if the data set has no pictures, or if it lacks labels
    that are wanted.
    """

    usage = "tfds:NAME[/CONFIG][:VERSION][/SPLIT]"
    prefix = "tfds:"
    has_path = False
    may_download = True

    @classmethod
    def fingerprint(cls, data: str) -> str:
        builder, split = _find_builder(data)
        return f"{split} {files_fingerprint(builder.data_dir)}"

    def __init__(
        self,
        data: str,  # tfds:NAME[/CONFIG][:VERSION][/SPLIT].
        channels: int = 3,  # Or 1 for grey: the pictures are converted.
        labels: bool = False,
        data_dir: str | os.PathLike | None = None,
        cache_bytes: int = CACHE_BYTES,
    ):
        builder, split = _find_builder(data, data_dir)
        classes = _feature_classes(builder, data, labels)
        _prepare_builder(builder, data)
        self._records = _open_records(builder, data, split)
        unknown = np.full(len(self._records), -1) if labels else None
        about = (data, channels, classes, unknown)
        super().__init__(*about, cache_bytes=cache_bytes)
        if labels:
            self.labels(np.array([0, len(self) - 1]))

    def __len__(self) -> int:
        return len(self._records)

    def labels(self, indices: np.ndarray) -> np.ndarray:
        if self._labels is not None:
            # Labels are read on demand: reading all of them means reading the
            # whole data set.
            unknown = np.unique(indices[self._labels[indices] < 0])
            # Not in the threads that decode: these request labels themselves,
            # and could deadlock.
            self._labels[unknown] = [self._label(index) for index in unknown]
        return super().labels(indices)

    def _label(self, index: int) -> int:
        """Reads one label."""
        picture = f"{self._picture_name(index)} of {self.name}"
        try:
            (label,) = self._feature(index, "label")
        except UserError:
            raise
        except Exception as error:  # Damage raises anything.
            raise UserError(
                f"cannot read the label of {picture}, counted from 0: it is "
                "damaged; train without labels, or remove the folder of the "
                "data set, which is then prepared again"
            ) from error
        if not 0 <= label < self.num_classes:
            raise UserError(
                f"{picture} has no class (label {label}); train without labels "
                "or choose another split"
            )
        return label

    def _encoded(self, index: int) -> bytes:
        (encoded,) = self._feature(index, "image")
        return encoded

    def _feature(self, index: int, name: str) -> list:
        return parse_example(self._records[int(index)])[name]


def _find_builder(data: str, data_dir: str | os.PathLike | None = None):
    """Returns TFDS's builder for a full name, and the split's name.

    In `tfds:NAME/WORD` the word is a config if the data set has one of that
    name, and otherwise a split.
    """
    name, config, version, split = _parts(data)
    full_name = name + (config and f"/{config}") + version
    ambiguous = config and not version and not split
    try:
        builder = _builder(data, full_name, data_dir)
        return builder, split or _DEFAULT_SPLIT
    except UserError:
        if not ambiguous:
            raise
        builder = _builder(data, name, data_dir)
    # Taking a misspelt config for a split would download another config.
    configs = list(builder.builder_configs)
    if configs and re.match(r"\w*", config)[0] not in _USUAL_SPLITS:
        near = difflib.get_close_matches(config, configs, 3, 0.0)
        raise UserError(
            f"expected a config or a split of {name} in {data!r}; the nearest "
            f"configs are {', '.join(near)}"
        )
    return builder, config


def _feature_classes(builder, data: str, labels: bool) -> tuple[str, ...]:
    """Checks features before anything is downloaded; returns the classes."""
    import tensorflow_datasets as tfds

    features = dict(builder.info.features or {})
    image, label = map(features.get, ("image", "label"))
    # TFDS stores float images as raw bytes, which cannot be decoded here.
    if not isinstance(image, tfds.features.Image) or not np.issubdtype(
        image.np_dtype, np.integer
    ):
        raise UserError(
            f"expected pictures in the feature 'image' of {data}, found "
            f"{_found(features, 'image')}; choose another data set"
        )
    if not labels:
        return ()
    if not isinstance(label, tfds.features.ClassLabel):
        raise UserError(
            f"expected classes in the feature 'label' of {data}, found "
            f"{_found(features, 'label')}; train without labels or choose "
            "another data set"
        )
    return tuple(label.names)


def _found(features: dict, name: str) -> str:
    """Describes what was found in place of an expected feature."""
    named = repr(features.get(name))
    return named if name in features else ", ".join(features) or "nothing"


def _prepare_builder(builder, data: str) -> None:
    """Downloads and prepares a data set, unless that was done before."""
    try:
        if not builder.is_prepared():
            print(f"preparing {data} in {builder.data_dir}", file=sys.stderr)
        builder.download_and_prepare()
    except Exception as error:  # Each data set runs code of its own.
        raise UserError(
            f"cannot prepare {data} in {builder.data_dir}: {_reason(error)}"
        ) from error


def _open_records(builder, data: str, split: str) -> Sequence[bytes]:
    """Returns a sequence of the serialised Example of each picture."""
    import tensorflow_datasets as tfds

    info = builder.info
    try:
        instructions = info.splits[split].file_instructions
    except Exception as error:  # A ValueError, KeyError or AssertionError.
        raise UserError(
            f"expected a split such as {', '.join(info.splits)} of {data}, "
            f"got {split!r}"
        ) from error
    # For train[5:3] TFDS says -2 examples.
    if not instructions or min(part.take for part in instructions) < 1:
        raise UserError(f"the split {split!r} of {data} has no pictures")
    if info.file_format == tfds.core.FileFormat.TFRECORD:
        return Shards(instructions)
    if info.file_format == tfds.core.FileFormat.ARRAY_RECORD:
        from array_record.python import array_record_data_source

        return array_record_data_source.ArrayRecordDataSource(instructions)
    raise UserError(
        f"expected {data} as TFRecord or ArrayRecord in {builder.data_dir}, "
        f"found {info.file_format.value}; prepare it in another TFDS_DATA_DIR"
    )


def _parts(data: str) -> tuple[str, str, str, str]:
    """Returns name, config, version and split; "" for what is not given."""
    rest, version = data.removeprefix(TFDS.prefix), ""
    found = _VERSION.search(rest)
    if found:
        version, split = found[0], rest[found.end() + 1 :]
        name, _, config = rest[: found.start()].partition("/")
    else:
        name, config, split = (*rest.split("/", 2), "", "")[:3]
    if not name:
        raise UserError(f"expected {TFDS.usage}, got {data!r}")
    return name, config, version, split


def _builder(data: str, name: str, data_dir: str | os.PathLike | None):
    """Returns TFDS's builder of NAME[/CONFIG][:VERSION]."""
    try:
        import tensorflow_datasets as tfds
    except ImportError as error:
        raise UserError(
            f"{data} needs the package tensorflow-datasets: "
            "pip install progan-tf[tfds]"
        ) from error
    try:
        return tfds.builder(name, data_dir=data_dir)
    except tfds.core.DatasetNotFoundError as error:
        names = tfds.list_builders(with_community_datasets=False)
        near = difflib.get_close_matches(name.split("/")[0], names, 3, 0.0)
        raise UserError(
            f"TensorFlow Datasets has no data set called {data!r}; the "
            f"nearest are {', '.join(near)}"
        ) from error
    except Exception as error:  # Another version, for one.
        raise UserError(f"cannot open {data}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Returns the message of an error of TFDS as one line, shortened."""
    # TFDS wraps errors; the cause has the original message.
    reason = " ".join(str(error.__cause__ or error).split())
    end = "..." if len(reason) > _LONGEST_REASON else ""
    return reason[:_LONGEST_REASON] + end or type(error).__name__


class Shards:
    """The contents of the records of TFRecord files, as one sequence.

    TensorFlow Datasets' file instructions give the files in order:
    `filename`, `skip` records and `take` records, out of `examples_in_shard`.
    Opening reads the length of every record to find where each begins, which
    takes 8 bytes of memory per record. May be used from several threads.
    """

    def __init__(self, instructions: Sequence):
        self._paths = [part.filename for part in instructions]
        counts = [part.examples_in_shard for part in instructions]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            found = pool.map(record_starts, self._paths, counts)
            found = progress(found, len(counts), "file", "scanned")
            self._starts = [
                starts[part.skip :][: part.take + 1]
                for starts, part in zip(found, instructions, strict=True)
            ]
        taken = (len(starts) - 1 for starts in self._starts)
        self._ends = list(itertools.accumulate(taken))

    def __len__(self) -> int:
        return self._ends[-1] if self._ends else 0

    def __getitem__(self, index: int) -> bytes:
        shard = bisect.bisect_right(self._ends, index)
        position = index - (self._ends[shard - 1] if shard else 0)
        start, end = self._starts[shard][position : position + 2].tolist()
        start += BEFORE_CONTENT
        size = end - start - AFTER_CONTENT
        return read_part(self._paths[shard], start, size)


def record_starts(path: str | os.PathLike, count: int) -> np.ndarray:
    """Returns where `count` records begin, and where the last ends, int64."""
    size = file_size(path)
    # At most as many as fit in the file, because the count may be damaged.
    starts = np.empty(min(count, size // _AROUND) + 1, np.int64)
    start = found = 0
    with refusing(path), open_file(path) as file:
        while found < count and start + _AROUND <= size:
            starts[found] = start
            length = os.pread(file.fileno(), 8, start)
            start += _AROUND + int.from_bytes(length, "little")
            found += 1
    if found < count or start != size:
        raise UserError(
            f"expected {count} records in {path}, but it is cut off or has "
            "another number; remove its folder, and the data set is prepared "
            "again"
        )
    starts[count] = size
    return starts
