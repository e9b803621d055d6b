"""Pickles read as data: nothing in them is imported, called or executed.

A pickle is a program for a stack machine, which may import any name and call
it. The machine here has the same stack but no imports: a name stays a string,
and a call becomes a `Call`, a record of the name and its arguments.
Names must be on the caller's list. So all that a file can do is use memory, in
proportion to its own size: strings and bytes are those in the file, and
everything else refers to them.
"""

import mmap
import pathlib
import pickletools
import struct

import numpy as np

from progan_tf.errors import UserError
from progan_tf.reading import open_file

_LARGEST_FILE = 4 << 30
# Three networks of 1024x1024 take about 10,000.
_MOST_OPCODES = 1_000_000

_ARRAY = ("_core.multiarray._reconstruct", "core.multiarray._reconstruct")
_SCALAR = ("_core.multiarray.scalar", "core.multiarray.scalar")
_BUFFER = ("_core.numeric._frombuffer", "core.numeric._frombuffer")
_DTYPES = ("f2", "f4", "f8", "i4", "i8", "u1", "b1")
# The names in numpy's own pickles of arrays and numbers, in any version.
NUMPY_NAMES = frozenset(
    f"numpy.{name}"
    for name in ("ndarray", "dtype", *_ARRAY, *_SCALAR, *_BUFFER)
)

# Opcodes that push their argument.
_LITERALS = frozenset(
    "BININT BININT1 BININT2 LONG1 BINFLOAT BINUNICODE SHORT_BINUNICODE "
    "BINUNICODE8 BINSTRING SHORT_BINSTRING BINBYTES SHORT_BINBYTES BINBYTES8 "
    "BYTEARRAY8".split()
)
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_TUPLE": tuple}
# How many items these pop from the stack; others pop those since a mark.
_POPPED = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3, "APPEND": 1, "SETITEM": 2}
_MARKED = frozenset({"TUPLE", "APPENDS", "SETITEMS"})
# Exceptions of reading bytes that are not a whole pickle, and of `numpy_array`
# for a value that is not an array.
DAMAGE = (ValueError, LookupError, OverflowError, TypeError, struct.error)


class _Name(str):
    """A name that the file would import, such as numpy.ndarray."""


class Call:
    """The call of a name, such as tfutil.Network, that a pickle asks for.

    `arguments` is a tuple; `state` is what the result's `__setstate__` would
    get, or None.
    """

    def __init__(self, name, arguments):
        self.name = str(name)
        self.arguments = arguments
        self.state = None


def read_pickle(path, allowed, foreign):
    """Read a pickle file as data.

    Args:
        path: the file.
        allowed: set of the full names that may occur in it.
        foreign: dict from the prefix of a name to the kind of file that has
            such names, for the message.

    Returns:
        The file's content: numbers, text, bytes, lists, tuples and dicts, and
        a `Call` for every object. It may refer to the same thing many times,
        so traversing it may take much longer than its size suggests.

    Raises:
        UserError: if it is not a pickle, or for a name that is not allowed.
    """
    path = pathlib.Path(path)
    try:
        size = path.stat().st_size
        if not 0 < size <= _LARGEST_FILE:
            raise UserError(
                f"{path} has {size:,} bytes; expected a pickle of 1 to "
                f"{_LARGEST_FILE:,}"
            )
        # Not an open file: it would allocate whatever length a damaged or
        # hostile file claims before it finds that it ends sooner.
        with (
            open_file(path) as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data,
        ):
            if data[:64].lstrip().startswith(b"<"):
                raise UserError(
                    f"{path} is a web page, not the file that it leads to; "
                    "open the address in a browser and download it there"
                )
            return _Machine(path, allowed, foreign).run(data)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error


class _Machine:
    """The stack machine that reads one pickle."""

    def __init__(self, path, allowed, foreign):
        self._path = path
        self._allowed = allowed
        self._foreign = foreign
        self._stack = []
        self._marks = []
        self._memo = {}

    def run(self, data):
        """Run all opcodes; returns the object on the stack at STOP."""
        try:
            opcodes = pickletools.genops(data)
            for count, (opcode, argument, position) in enumerate(opcodes):
                if count >= _MOST_OPCODES:
                    raise UserError(
                        f"{self._path} has more than {_MOST_OPCODES:,} "
                        "instructions, which no file of networks has"
                    )
                if opcode.name == "STOP":
                    return self._stack.pop()
                self._run_opcode(opcode.name, argument, position)
        except UserError:
            raise
        except DAMAGE as error:
            # Python's message about a wrong number may quote all its bytes.
            raise UserError(
                f"{self._path} is not a pickle of networks, or is damaged: "
                f"{str(error)[:100]}"
            ) from error

    def _run_opcode(self, name, argument, position):
        stack, memo = self._stack, self._memo
        if name in _LITERALS:
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _EMPTY:
            stack.append(_EMPTY[name]())
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("BINPUT", "LONG_BINPUT"):
            memo[argument] = stack[-1]
        elif name in ("BINGET", "LONG_BINGET"):
            stack.append(memo[argument])
        elif name == "MARK":
            self._marks.append(len(stack))
        elif name in _POPPED or name in _MARKED:
            self._gather(name)
        elif name == "GLOBAL":
            self._push_name(argument.replace(" ", "."), position)
        elif name == "STACK_GLOBAL":
            attribute, module = stack.pop(), stack.pop()
            texts = isinstance(attribute, str) and isinstance(module, str)
            _expect(texts, name)
            self._push_name(f"{module}.{attribute}", position)
        elif name in ("REDUCE", "NEWOBJ"):
            arguments, called = stack.pop(), stack.pop()
            _expect(isinstance(called, _Name), name)
            _expect(isinstance(arguments, tuple), name)
            stack.append(Call(called, arguments))
        elif name == "BUILD":
            state = stack.pop()
            _expect(isinstance(stack[-1], Call), name)
            stack[-1].state = state
        elif name not in ("PROTO", "FRAME"):
            raise UserError(
                f"{self._path} holds the instruction {name} at byte "
                f"{position}, which no file of networks has"
            )

    def _gather(self, name):
        """Pop several items and put them into a tuple or the object below."""
        stack = self._stack
        if name in _MARKED:
            start = self._marks.pop()
        else:
            start = len(stack) - _POPPED[name]
            _expect(start >= 0, name)
        items = stack[start:]
        del stack[start:]
        if name.startswith("TUPLE"):
            stack.append(tuple(items))
        elif name.startswith("APPEND"):
            _expect(isinstance(stack[-1], list), "APPEND")
            stack[-1].extend(items)
        else:
            keys = items[::2]
            _expect(isinstance(stack[-1], dict), "SETITEM")
            # Only strings: hashing deeply nested tuples can take for ever.
            _expect(all(isinstance(key, str) for key in keys), "SETITEM")
            stack[-1].update(zip(keys, items[1::2], strict=True))

    def _push_name(self, name, position):
        if name in self._allowed:
            self._stack.append(_Name(name))
            return
        for beginning, what in self._foreign.items():
            if name.startswith(beginning):
                raise UserError(f"{self._path} is {what}")
        # The message stays one line, whatever a hostile file holds.
        name = name if len(name) <= 80 else f"{name[:80]}..."
        raise UserError(
            f"{self._path} asks for {name!r} at byte {position}; a file of "
            "networks holds nothing but networks and arrays. Nothing in it was "
            "executed"
        )


def _expect(good, opcode):
    if not good:
        raise ValueError(f"{opcode} of a wrong kind")


def numpy_array(value):
    """The array or number that a `Call` of numpy's stands for.

    It shares the memory of the file's bytes. Raises one of `DAMAGE` if it is
    not an array, not numeric, or not of the size of its bytes.
    """
    name = getattr(value, "name", "").removeprefix("numpy.")
    if name in _SCALAR:
        dtype, data = value.arguments
        shape, fortran = (), False
    elif name in _ARRAY:
        _, shape, dtype, fortran, data = value.state
    elif name in _BUFFER:
        data, dtype, shape, order = value.arguments
        fortran = order == "F"
    else:
        raise ValueError("expected an array")
    if isinstance(data, str):  # Python 2 wrote bytes like this.
        data = data.encode("latin-1")
    array = np.frombuffer(data, _dtype(dtype))
    return array.reshape(shape, order="F" if fortran else "C")


def _dtype(call):
    """numpy's number type that a `Call` stands for."""
    if getattr(call, "name", "") != "numpy.dtype" or not call.state:
        raise ValueError("expected the type of an array")
    kind, order = call.arguments[0], call.state[1]
    if kind not in _DTYPES or order not in ("<", ">", "|", "="):
        raise ValueError("expected an array of numbers")
    return np.dtype(kind).newbyteorder(order)
