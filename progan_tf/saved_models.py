"""Safe loading of untrusted SavedModels, also from archives.

A TensorFlow graph is a program. So its operations are checked first, and those
that would access files, run Python or end the process are refused, wherever
they are in the graph.
"""

import contextlib
import gzip
import os
import pathlib
import re
import shutil
import tarfile
import tempfile
from collections.abc import Iterable, Iterator

import tensorflow as tf
from google.protobuf import message
from tensorflow.core.framework import variable_pb2
from tensorflow.core.protobuf import saved_model_pb2

# Only this module tells whether an operation is stateful.
from tensorflow.python.framework import op_def_registry

from progan_tf.errors import UserError
from progan_tf.reading import open_file, refusing
from progan_tf.text import first_line

GRAPH = "saved_model.pb"
# A full-size generator of 1024x1024 takes 92 MB, and networks for photographs
# take at most a gigabyte.
_MOST_BYTES = 2 << 30
_MOST_FILES = 1000
# The longest header that a tar archive of files with plain names has.
_LONGEST_READ = 1 << 20
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f\\:]{1,200}")
_GZIP = b"\x1f\x8b"

# Operations that are not stateful and yet do more than compute: they read
# files, write debugging output, call Python, end the process or belong to
# devices that are not here.
_REFUSED = re.compile(
    "Abort|^Copy|Debug|Dataset|Host|ImmutableConst|InitializeTable|Load|"
    "MatchingFiles|Proto|PyFunc|Queue|Read(er|File)|Regist|Restore|Save|Shard|"
    "Sleep|TPU|Tpu|Vocab|Xla|^_"
)
# Stateful operations that only compute, with variables, random numbers and
# functions of the same graph.
_ADMITTED = re.compile(
    "Assert|Assign(Add|Sub)?VariableOp|Case|CheckNumerics(V2)?|"
    "DestroyResourceOp|DisableCopyOnRead|Empty|GuaranteeConst|If|Multinomial|"
    "NonDeterministicInts|ParameterizedTruncatedNormal|ReadVariableOp|"
    r"Random(?!Dataset)(?!\w+Queue)\w+|ResourceGather(Nd)?|Rng\w+|Stack\w*V2|"
    r"Stateful\w+|"
    r"StatelessRandomGetAlg|TensorArray\w*V[23]|TruncatedNormal|VarHandleOp|"
    "VarIsInitializedOp|Variable(V2|Shape)?|While"
)
# Operations that restore a module's variables, and those that also save them.
_RESTORING = re.compile("Restore(Slice|V2)?|ShardedFilename")
_SAVING = re.compile(
    "MergeV2Checkpoints|Restore(Slice|V2)?|Save(Slices|V2)?|ShardedFilename"
)


def load_saved_model(folder, name, trust=False):
    """`tf.saved_model.load` with checks, also for TF-Hub's first format.

    Raises UserError, in which `name` stands for the folder, if it cannot be
    read or has a refused operation. With `trust` the operations are not
    checked.
    """
    graph = pathlib.Path(folder, GRAPH)
    with refusing(name, "as a TF-Hub module or SavedModel"):
        if not graph.is_file():
            raise ValueError(f"it has no file {GRAPH}")
        # TensorFlow would load this file instead.
        if graph.with_suffix(".cpb").exists():
            raise ValueError(
                "it is split into several files (.cpb), which are not read"
            )
        if not trust:
            _check_operations(graph, name)
        # Of a TensorFlow 1 module's graphs, the one for inference has no tags.
        tags = [] if graph.with_name("tfhub_module.pb").exists() else None
        with plain_path(graph.parent) as path:
            return tf.saved_model.load(path, tags)


def check_graph(definition, name, trust=False):
    """Raise UserError for a `GraphDef` with a refused operation."""
    if not trust:
        meta = tf.compat.v1.MetaGraphDef(graph_def=definition)
        everything = meta.collection_def["everything"].node_list.value
        everything.extend(node.name for node in definition.node)
        _raise_if(_refused_in(meta, ()), name)


@contextlib.contextmanager
def unpacked(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Yields a temporary folder with the unpacked module.

    The path is that of a tar archive, with or without gzip. Raises UserError if
    it is too large, or has anything but folders and files inside the module.
    """
    with tempfile.TemporaryDirectory() as folder:
        try:
            with open_file(path) as file:
                packed = file.read(len(_GZIP)) == _GZIP
                file.seek(0)
                source = gzip.GzipFile(fileobj=file) if packed else file
                _unpack(_Limited(source), pathlib.Path(folder))
        except Exception as error:  # Damage raises errors of every kind.
            raise UserError(
                f"cannot unpack {path}: {first_line(error)}; expected the "
                "folder of a module, or its .tar.gz"
            ) from error
        yield pathlib.Path(folder)


class _Limited:
    """A file with a limit on the bytes that are read.

    The sizes that an archive states are not to be trusted.
    """

    def __init__(self, file):
        self._file = file
        self.tell = file.tell

    def read(self, size):
        if not 0 <= size <= _LONGEST_READ:
            raise ValueError(f"it has a header of {size:,} bytes")
        self._check(self.tell() + size)
        return self._file.read(size)

    def seek(self, place):
        self._check(place)
        return self._file.seek(place)

    def _check(self, place):
        # An archive ends with blocks beyond its files.
        if place > _MOST_BYTES + 2 * _LONGEST_READ:
            raise ValueError(f"it would take more than {_MOST_BYTES:,} bytes")


def _unpack(file, folder: pathlib.Path) -> None:
    total = 0
    with tarfile.open(fileobj=file, mode="r:") as archive:
        for count, member in enumerate(archive):
            parts = [part for part in member.name.split("/") if part != "."]
            shown = repr(member.name[:80])
            if member.issym() or member.islnk():
                raise ValueError(
                    f"{shown} is a link, which a module may not contain"
                )
            if not (member.isdir() or member.isreg()):
                raise ValueError(f"{shown} is neither file nor folder")
            if ".." in parts or not all(map(_PLAIN_NAME.fullmatch, parts)):
                raise ValueError(
                    f"{shown} lies outside the module or has an odd name"
                )
            total += member.size
            if count >= _MOST_FILES or total > _MOST_BYTES or len(parts) > 9:
                raise ValueError(
                    f"expected at most {_MOST_FILES:,} files of "
                    f"{_MOST_BYTES:,} bytes together"
                )
            place = folder.joinpath(*parts)
            if member.isdir():
                place.mkdir(parents=True, exist_ok=True)
                continue
            place.parent.mkdir(parents=True, exist_ok=True)
            with open(place, "xb") as target:
                data = archive.extractfile(member)
                shutil.copyfileobj(data, target, _LONGEST_READ)


@contextlib.contextmanager
def plain_path(folder: pathlib.Path) -> Iterator[str]:
    """Yields a folder's path or, if it looks like a pattern, a link's to it.

    TensorFlow expands patterns such as * anywhere in a path.
    """
    if not set("*?[]\\") & set(str(folder)):
        yield str(folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        link = pathlib.Path(temporary, "module")
        link.symlink_to(folder.absolute(), target_is_directory=True)
        yield str(link)


def _check_operations(path: pathlib.Path, name: str) -> None:
    with open_file(path) as file:
        model = saved_model_pb2.SavedModel.FromString(file.read())
    refused = set()
    for meta in model.meta_graphs:
        # Functions that a caller can reach, besides those of signatures.
        refused |= _refused_in(meta, meta.object_graph_def.concrete_functions)
    _raise_if(refused, name)


def _raise_if(refused: set[str], name: str) -> None:
    if refused:
        raise UserError(
            f"{name} has operations that do more than compute images or "
            f"features: {', '.join(sorted(refused))[:200]}; if you trust its "
            "authors with your files, give --trust"
        )


def _refused_in(meta, functions: Iterable[str]) -> set[str]:
    """The refused operations of a `MetaGraphDef`.

    `functions` are the names of those that can be called from outside.
    """
    nodes = {node.name: node for node in meta.graph_def.node}
    library = {f.signature.name: f for f in meta.graph_def.library.function}
    # A node that no result needs is never executed.
    used = _needed(nodes, _named_by(meta))
    restoring = _needed(nodes, [meta.saver_def.restore_op_name])
    main, reached = _operations(library, nodes, used, functions)
    restore, restored = _operations(library, nodes, restoring - used)
    # Functions that are never called may save the variables, or be gradients.
    rest = library.keys() - reached - restored
    others, _ = _operations(library, nodes, (), rest)
    looked_at = (main, None), (restore, _RESTORING), (others, _SAVING)
    return {
        operation
        for operations, admitted in looked_at
        for operation in operations
        if not _is_harmless(operation, library)
        and not (admitted and admitted.fullmatch(operation))
    }


def _named_by(meta) -> list[str]:
    """Names of nodes that signatures and collections refer to."""
    names = []
    for signature in meta.signature_def.values():
        for info in (*signature.inputs.values(), *signature.outputs.values()):
            names += [info.name, info.coo_sparse.values_tensor_name]
    for collection in meta.collection_def.values():
        names += collection.node_list.value
        for data in collection.bytes_list.value:
            with contextlib.suppress(message.DecodeError):
                variable = variable_pb2.VariableDef.FromString(data)
                names += [variable.initializer_name, variable.snapshot_name]
                names += [variable.initial_value_name, variable.variable_name]
    return names


def _needed(nodes, names: Iterable[str]) -> set[str]:
    """Names of the nodes on which some tensors or operations depend."""
    found, waiting = set(), list(names)
    while waiting:
        # ^name is a control dependency, and name:1 an output of a node.
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in nodes and name not in found:
            found.add(name)
            waiting.extend(nodes[name].input)
    return found


def _operations(library, nodes, names, functions=()):
    """Two sets of names: operations that run, and functions that are called.

    It starts from the nodes `names` and from `functions`. `library` and `nodes`
    are dicts from a name to `FunctionDef` and `NodeDef`.
    """
    operations, reached = set(), set()
    waiting = [nodes[name] for name in names]

    def call(names):
        for name in names:
            if name in library and name not in reached:
                reached.add(name)
                waiting.extend(library[name].node_def)

    call(functions)
    while waiting:
        node = waiting.pop()
        operations.add(node.op)
        call([node.op])
        for value in node.attr.values():
            call([value.func.name, *(each.name for each in value.list.func)])
    return operations, reached


def _is_harmless(operation: str, library) -> bool:
    if operation in library:
        return True  # A function, whose own operations are checked.
    definition = op_def_registry.get(operation)
    if definition is None:
        return False
    if definition.is_stateful:
        return bool(_ADMITTED.fullmatch(operation))
    return not _REFUSED.search(operation)
