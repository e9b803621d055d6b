"""The bytes of a `tf.train.Example`, read and written without TensorFlow.

An Example is a message of Protocol Buffers that maps names to lists:

    Example  = {1: Features}
    Features = {1: entry}, repeated
    entry    = {1: name, 2: Feature}
    Feature  = {1: BytesList} or {2: FloatList} or {3: Int64List}
    list     = {1: value}, repeated; whole numbers packed or one by one

where a field is a number and a wire type in one varint, then its value.
"""

from collections.abc import Iterator

_VARINT, _EIGHT_BYTES, _LENGTH, _FOUR_BYTES = 0, 1, 2, 5


def parse_example(record: bytes) -> dict[str, list]:
    """Reads the lists of bytes and of whole numbers in an Example.

    Args:
        record: the serialised Example.

    Returns:
        from name to a list of memoryviews into `record`, or of ints. Lists
        of floats and empty ones come back empty.

    Raises:
        ValueError: the bytes are no Example.
    """
    features = {}
    try:
        for _, message in _fields(memoryview(record)):
            for _, entry in _fields(message):
                parts = dict(_fields(entry))
                name = bytes(parts[1]).decode()
                features[name] = _values(parts.get(2, memoryview(b"")))
    except (IndexError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise ValueError("not a tf.train.Example") from error
    return features


def example_before_data(shape: tuple[int, int, int]) -> bytes:
    """Returns what comes before the pixels in an official record.

    The record is an Example of `shape`, three numbers, and `data`, the
    pixels, in this order; the pixels are its last bytes.

    Args:
        shape: (C, H, W) of the picture.
    """
    channels, height, width = shape
    size = channels * height * width
    numbers = b"".join(_varint(number) for number in shape)
    shape_entry = _message(1, b"shape")
    shape_entry += _message(2, _message(3, _message(1, numbers)))
    # From the inside out: each message begins with the length of the rest.
    before = _begin(1, size)
    for number in (1, 2):  # In BytesList and in the Feature.
        before = _begin(number, size + len(before)) + before
    before = _message(1, b"data") + before
    before = _begin(1, size + len(before)) + before
    before = _message(1, shape_entry) + before
    return _begin(1, size + len(before)) + before


def _fields(message: memoryview) -> Iterator[tuple[int, memoryview | int]]:
    """Yields (number, value) of each field of a message."""
    position = 0
    while position < len(message):
        key, position = _read_varint(message, position)
        number, kind = key >> 3, key & 7
        if kind == _VARINT:
            value, position = _read_varint(message, position)
            yield number, value
            continue
        if kind == _LENGTH:
            length, position = _read_varint(message, position)
        elif kind == _EIGHT_BYTES:
            length = 8
        elif kind == _FOUR_BYTES:
            length = 4
        else:
            raise IndexError(f"wire type {kind}")
        if position + length > len(message):
            raise IndexError(f"{length} bytes, more than there are")
        yield number, message[position : position + length]
        position += length


def _values(feature: memoryview) -> list:
    """Returns the values of one Feature."""
    values = []
    for kind, numbers in _fields(feature):
        if kind not in (1, 3):
            continue
        for _, value in _fields(numbers):
            if kind == 3 and isinstance(value, memoryview):
                values.extend(_packed(value))
            else:
                values.append(value)
    return [_signed(v) if isinstance(v, int) else v for v in values]


def _packed(numbers: memoryview) -> Iterator[int]:
    """Yields the numbers of a packed list."""
    position = 0
    while position < len(numbers):
        value, position = _read_varint(numbers, position)
        yield value


def _signed(value: int) -> int:
    """Turns the 64 bits of a varint into the int64 that they stand for."""
    return value - (1 << 64) if value >= 1 << 63 else value


def _read_varint(message: memoryview, position: int) -> tuple[int, int]:
    """Reads seven bits a byte, the lowest first; returns the end as well."""
    value = shift = 0
    while True:
        byte = message[position]
        value |= (byte & 127) << shift
        position, shift = position + 1, shift + 7
        if byte < 128:
            return value, position


def _varint(value: int) -> bytes:
    """Writes a whole number, not negative, seven bits a byte."""
    encoded = bytearray()
    while value > 127:
        encoded.append(value & 127 | 128)
        value >>= 7
    return bytes(encoded) + bytes([value])


def _begin(number: int, length: int) -> bytes:
    """Returns the first bytes of a field that is `length` bytes long."""
    return _varint(number << 3 | _LENGTH) + _varint(length)


def _message(number: int, content: bytes) -> bytes:
    """Returns a whole field."""
    return _begin(number, len(content)) + content
