"""Examples of TensorFlow, read and written without it."""

import pytest
import tensorflow as tf

from progan_tf.data.example import example_before_data, parse_example


def test_bytes_a_record_at_every_resolution():
    # As in the official README's table of CelebA-HQ and CIFAR-10.
    sizes = [98, 247, 823, 3127, 12343, 49214, 196670, 786494, 3145795]
    for exponent, size in enumerate(sizes, 2):
        resolution = 2**exponent
        before = example_before_data((3, resolution, resolution))
        assert 12 + len(before) + 3 * resolution**2 + 4 == size


def test_an_example_says_what_tensorflow_says():
    int64s = tf.train.Int64List(value=[0, -1, 127, 128, 2**63 - 1, -(2**63)])
    features = {
        "numbers": tf.train.Feature(int64_list=int64s),
        "bytes": tf.train.Feature(
            bytes_list=tf.train.BytesList(value=[b"", b"x" * 300])
        ),
        "floats": tf.train.Feature(
            float_list=tf.train.FloatList(value=[0.5, 2.0])
        ),
        "nothing": tf.train.Feature(),
    }
    record = tf.train.Example(features=tf.train.Features(feature=features))
    parsed = parse_example(record.SerializeToString())
    assert parsed.keys() == features.keys()
    assert parsed["numbers"] == list(int64s.value)
    assert [bytes(value) for value in parsed["bytes"]] == [b"", b"x" * 300]
    # Numbers one by one, as some writers have them: field 1, a varint.
    unpacked = b"\x08\x03\x08\x04"
    feature = b"\x1a" + bytes([len(unpacked)]) + unpacked
    entry = b"\x0a\x01n\x12" + bytes([len(feature)]) + feature
    features = b"\x0a" + bytes([len(entry)]) + entry
    parsed = parse_example(b"\x0a" + bytes([len(features)]) + features)
    assert parsed == {"n": [3, 4]}
    for broken in (b"text", record.SerializeToString()[:-1], b"\xff"):
        with pytest.raises(ValueError, match="not a tf.train.Example"):
            parse_example(broken)
