"""SavedModels of other people: archives of them, their graphs, loading them.

A graph of TensorFlow is a program. So what it consists of is looked through
first, and operations that would touch files, run Python or end the process are
refused, wherever they stand in it.
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

# It alone knows of an operation whether it does more than to compute.
from tensorflow.python.framework import op_def_registry

from progan_tf.errors import UserError
from progan_tf.reading import open_file, refusing
from progan_tf.text import first_line

GRAPH = "saved_model.pb"
# A generator of 1024x1024 with all feature maps takes 92 MB, and networks for
# photographs a gigabyte at most.
_MOST_BYTES = 2 << 30
_MOST_FILES = 1000
# The longest header that a tar archive of files with plain names has.
_LONGEST_READ = 1 << 20
_PLAIN_NAME = re.compile(r"[^\x00-\x1f\x7f\\:]{1,200}")
_GZIP = b"\x1f\x8b"

# Of operations without state, those that do more than to compute all the same:
# they read files, write what a debugger wants, call Python, end the process or
# belong to devices that are not here.
_REFUSED = re.compile(
    "Abort|^Copy|Debug|Dataset|Host|ImmutableConst|InitializeTable|Load|"
    "MatchingFiles|Proto|PyFunc|Queue|Read(er|File)|Regist|Restore|Save|Shard|"
    "Sleep|TPU|Tpu|Vocab|Xla|^_"
)
# Of those with state, the ones that do no more than to compute with variables,
# random numbers and functions of the same graph.
_ADMITTED = re.compile(
    "Assert|Assign(Add|Sub)?VariableOp|Case|CheckNumerics(V2)?|"
    "DestroyResourceOp|DisableCopyOnRead|Empty|GuaranteeConst|If|Multinomial|"
    "NonDeterministicInts|ParameterizedTruncatedNormal|ReadVariableOp|"
    r"Random(?!Dataset)(?!\w+Queue)\w+|ResourceGather(Nd)?|Rng\w+|Stack\w*V2|"
    r"Stateful\w+|"
    r"StatelessRandomGetAlg|TensorArray\w*V[23]|TruncatedNormal|VarHandleOp|"
    "VarIsInitializedOp|Variable(V2|Shape)?|While"
)
# What restores a module's variables, and what would write them again.
_RESTORING = re.compile("Restore(Slice|V2)?|ShardedFilename")
_SAVING = re.compile(
    "MergeV2Checkpoints|Restore(Slice|V2)?|Save(Slices|V2)?|ShardedFilename"
)


def load_saved_model(folder, name, trust=False):
    """What `tf.saved_model.load` gives, also of TF-Hub's first format.

    Raises UserError, which calls the folder by that name, if it cannot be read
    or has an operation that is refused; those of a trusted one are not looked
    at.
    """
    graph = pathlib.Path(folder, GRAPH)
    with refusing(name, "as a TF-Hub module or SavedModel"):
        if not graph.is_file():
            raise ValueError(f"it has no file {GRAPH}")
        # TensorFlow would take this one in its place.
        if graph.with_suffix(".cpb").exists():
            raise ValueError(
                "it is split into several files (.cpb), which are not read"
            )
        if not trust:
            _check_operations(graph, name)
        # TensorFlow 1's modules hold several graphs; this is the one for use.
        tags = [] if graph.with_name("tfhub_module.pb").exists() else None
        with plain_path(graph.parent) as path:
            return tf.saved_model.load(path, tags)


def check_graph(definition, name, trust=False):
    """Raise UserError for a `GraphDef` with an operation that is refused."""
    if not trust:
        meta = tf.compat.v1.MetaGraphDef(graph_def=definition)
        everything = meta.collection_def["everything"].node_list.value
        everything.extend(node.name for node in definition.node)
        _raise_if(_refused_in(meta, ()), name)


@contextlib.contextmanager
def unpacked(path: str | os.PathLike) -> Iterator[pathlib.Path]:
    """Gives the folder of a packed module, which is removed in the end.

    The path is of a tar archive, with gzip or without. Raises UserError if it
    holds too much, or anything but folders and files that lie within.
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
    """A file of which no more is read than a module has.

    What an archive says of its own sizes is not to be trusted.
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
        # The last blocks of an archive are beyond its files.
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
    """The path of a folder, or of a link to it, that holds no pattern.

    To TensorFlow some characters are patterns, wherever in a path they are.
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
    """The operations of a `MetaGraphDef` that are refused.

    `functions` are the names of those that can be called from outside.
    """
    nodes = {node.name: node for node in meta.graph_def.node}
    library = {f.signature.name: f for f in meta.graph_def.library.function}
    # A node that no result needs is never executed.
    used = _needed(nodes, _named_by(meta))
    restoring = _needed(nodes, [meta.saver_def.restore_op_name])
    main, reached = _operations(library, nodes, used, functions)
    restore, restored = _operations(library, nodes, restoring - used)
    # Functions that nobody calls may save the variables, or be gradients.
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
    """Names of nodes that signatures and collections name."""
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
    """Names of the nodes that stand behind some tensors or operations."""
    found, waiting = set(), list(names)
    while waiting:
        # As ^name where it must only have run, and name:1 for an output.
        name = waiting.pop().lstrip("^").partition(":")[0]
        if name in nodes and name not in found:
            found.add(name)
            waiting.extend(nodes[name].input)
    return found


def _operations(library, nodes, names, functions=()):
    """Two sets: operations of some nodes and of all functions that they call.

    Both by their names. `library` and `nodes` are dicts from a name to
    `FunctionDef` and `NodeDef`; `functions` are called, too.
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
        return True  # Whose own operations are looked at.
    definition = op_def_registry.get(operation)
    if definition is None:
        return False
    if definition.is_stateful:
        return bool(_ADMITTED.fullmatch(operation))
    return not _REFUSED.search(operation)
