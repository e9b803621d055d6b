"""The bytes of a `tf.train.Example`, read and written without TensorFlow.

An Example is a Protocol Buffers message that maps names to lists. Importing
TensorFlow only for it would take seconds, so the messages are declared here,
for the protobuf package that TensorFlow depends on. The map is declared in its
wire format, a repeated message, because protobuf would write a map in another
order than the official records.
"""

import functools

_DECLARATION = """
name: "example.proto"
message_type { name: "Example"
  field { name: "features" number: 1 label: LABEL_REPEATED
          type: TYPE_MESSAGE type_name: "Features" } }
message_type { name: "Features"
  field { name: "entries" number: 1 label: LABEL_REPEATED
          type: TYPE_MESSAGE type_name: "Entry" } }
message_type { name: "Entry"
  field { name: "name" number: 1 type: TYPE_BYTES }
  field { name: "feature" number: 2 type: TYPE_MESSAGE type_name: "Feature" } }
message_type { name: "Feature"
  field { name: "bytes" number: 1 type: TYPE_MESSAGE type_name: "BytesList" }
  field { name: "numbers" number: 3 type: TYPE_MESSAGE type_name: "Int64List" }
}
message_type { name: "BytesList"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_BYTES } }
message_type { name: "Int64List"
  field { name: "value" number: 1 label: LABEL_REPEATED type: TYPE_INT64
          options { packed: true } } }
"""


def parse_example(record: bytes) -> dict[str, list]:
    """Reads the lists of bytes and of whole numbers in a serialised Example.

    Returns a dict from name to list, in which lists of floats are empty. Raises
    ValueError if the bytes are not an Example.
    """
    from google.protobuf.message import DecodeError

    try:
        example = _example_class().FromString(record)
    except DecodeError as error:
        raise ValueError("not a tf.train.Example") from error
    return {
        entry.name.decode(errors="replace"): [
            *entry.feature.bytes.value,
            *entry.feature.numbers.value,
        ]
        for features in example.features
        for entry in features.entries
    }


@functools.cache
def example_before_data(shape: tuple[int, int, int]) -> bytes:
    """Returns the bytes before the pixels in an official record.

    The record is an Example of `shape`, the numbers (C, H, W), and `data`, the
    pixels, in this order; the pixels are its last bytes.
    """
    channels, height, width = shape
    pixels = bytes(channels * height * width)
    example = _example_class()()
    entries = example.features.add().entries
    entries.add(name=b"shape").feature.numbers.value.extend(shape)
    entries.add(name=b"data").feature.bytes.value.append(pixels)
    return example.SerializeToString()[: -len(pixels)]


@functools.cache
def _example_class() -> type:
    """Returns the class of the message Example."""
    # Here, because importing them takes as long as all else in a source.
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        message_factory,
        text_format,
    )

    # A separate pool: TensorFlow declares the same names in the default one.
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto()
    pool.Add(text_format.Parse(_DECLARATION, file))
    descriptor = pool.FindMessageTypeByName("Example")
    return message_factory.GetMessageClass(descriptor)
