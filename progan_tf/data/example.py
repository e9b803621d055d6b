"""The bytes of a `tf.train.Example`, read and written without TensorFlow.

An Example is a message of Protocol Buffers that maps names to lists. To import
TensorFlow only for it would take seconds, so the messages are declared here, to
the runtime that TensorFlow brings. Entries of the map are declared as what they
are on the disk, a repeated message, because official records have them in
another order than that in which a map is written.
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
    ValueError where the bytes are no Example.
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
    """Returns what comes before the pixels in an official record.

    It is an Example of `shape`, the numbers (C, H, W), and `data`, the pixels,
    in this order; the pixels are its last bytes.
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
    # Here, because to import them takes as long as all else of a source.
    from google.protobuf import (
        descriptor_pb2,
        descriptor_pool,
        message_factory,
        text_format,
    )

    # A pool of its own: TensorFlow declares the same names to the common one.
    pool = descriptor_pool.DescriptorPool()
    file = descriptor_pb2.FileDescriptorProto()
    pool.Add(text_format.Parse(_DECLARATION, file))
    descriptor = pool.FindMessageTypeByName("Example")
    return message_factory.GetMessageClass(descriptor)
