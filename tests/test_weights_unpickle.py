"""Pickles that are malicious or unexpected: one line, nothing executed."""

import functools
import pickle
import struct

import numpy as np
import pytest
from published_files import (
    GOLDENS,
    Hostile,
    assert_refused_by,
    official_states,
    random_states,
    save_official,
)

from progan_tf.weights import read_official, unpickle
from progan_tf.weights.unpickle import Call, numpy_array, read_pickle

assert_refused = functools.partial(assert_refused_by, read_official)
GOLDEN = GOLDENS / "official_16_fused.pkl"


def written(path, data):
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_nothing_is_executed(tmp_path, protocol):
    canary, path = tmp_path / "canary", tmp_path / "x.pkl"
    data = pickle.dumps(Hostile(canary), protocol)
    pickle.loads(data)
    # A check of the check: the ordinary way runs it.
    assert canary.exists()
    canary.unlink()
    assert_refused(written(path, data), "asks for '(posix|nt).system'")
    states = official_states(GOLDEN)
    states[1]["static_kwargs"]["fmap_max"] = Hostile(canary)
    save_official(path, states, protocol)
    # Python 3 has another name for bytes where the protocol has none.
    known = "posix.system|nt.system|_codecs.encode"
    assert_refused(path, f"asks for '({known})'.*Nothing in it was executed")
    assert not canary.exists()


def test_web_page_that_was_saved_in_the_place_of_the_file(tmp_path):
    page = b"\n<!DOCTYPE html><title>Virus scan warning</title>"
    assert_refused(written(tmp_path / "x.pkl", page), "is a web page, not")


def test_names_that_are_allowed_call_nothing(tmp_path):
    # numpy.dtype(...) with a state, and a network that is called.
    call = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f4tRctfutil\nNetwork\n)R\x86."
    content = read_pickle(
        written(tmp_path / "x.pkl", b"\x80\x02" + call),
        {"numpy.dtype", "tfutil.Network"},
        {},
    )
    assert [type(item) for item in content] == [Call, Call]
    assert content[0].arguments == ("f4",)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("network.Network", "of the original Theano program"),
        ("dnnlib.tflib.network.Network", "a StyleGAN pickle"),
        ("torch_utils.persistence.Decorator", "a StyleGAN pickle"),
        ("sklearn.svm.SVC", "asks for 'sklearn.svm.SVC' at byte"),
    ],
)
def test_files_of_other_programs_are_told_apart(tmp_path, name, message):
    state = {"param_values": np.zeros(3), "toplevel_params": {"cur_lod": 0}}
    path = save_official(tmp_path / "x.pkl", [state] * 3, name=name)
    assert_refused(path, message)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2, 3], "expected a pickle of the three networks"),
        ({"G": 1}, "expected a pickle of the three networks"),
        ((np.zeros(3),) * 3, "expected a pickle of the three networks"),
        (np.zeros(3), "expected a pickle of the three networks"),
        ({1, 2}, "the instruction EMPTY_SET at byte"),
        ({(1, 2): 3}, "SETITEM of a wrong kind"),
        (3.5j, "asks for 'builtins.complex'"),
        (256**300, "the instruction LONG4 at byte"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_pickles(tmp_path, content, message):
    path = written(tmp_path / "x.pkl", pickle.dumps(content, 4))
    assert_refused(path, message)


@pytest.mark.parametrize(
    "data",
    [b"hello\n", b"\x00" * 99, b"\x80", b"\x80\x04.", b"\x80\x04N0.", b"}}u."],
)
def test_other_files(tmp_path, data):
    path = written(tmp_path / "x.pkl", data)
    assert_refused(path, "is not a pickle of networks|holds the instruction")


def test_no_file_at_all(tmp_path):
    assert_refused(tmp_path / "none.pkl", "No such file")
    assert_refused(tmp_path, "it is not a file")
    assert_refused(written(tmp_path / "x.pkl", b""), "has 0 bytes")


@pytest.mark.parametrize("share", [0.0001, 0.1, 0.5, 0.9, 0.9999])
def test_a_truncated_file(tmp_path, share):
    data = GOLDEN.read_bytes()
    part = data[: max(1, int(share * len(data)))]
    path = written(tmp_path / "x.pkl", part)
    assert_refused(path, "is not a pickle of networks, or is damaged")


def nested_tuples(depth):
    """Each tuple holds the one before twice: 2**depth leaves if walked."""
    doubled = b"".join(
        b"h" + bytes([i]) + b"h" + bytes([i]) + b"\x86\x94"
        for i in range(depth)
    )
    return b"\x80\x04)\x94" + doubled


BOMBS = {
    "bytes that are not there": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60),
    "text that is not there": b"\x80\x04\x8d" + struct.pack("<Q", 1 << 40),
    "a memo of gigabytes": b"\x80\x04]r\xff\xff\xff\x7f.",
    "a huge frame": b"\x80\x04\x95" + struct.pack("<Q", 1 << 50) + b"N.",
    "tuples in tuples": nested_tuples(200) + b".",
    "their hash": b"}" + nested_tuples(200)[2:] + b"Ns.",
    "their text": nested_tuples(200) + b"h\x01\x93.",
    "three of them": nested_tuples(200) + b"h\xc8h\xc8h\xc8\x87.",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(tmp_path, name):
    path = written(tmp_path / "x.pkl", BOMBS[name])
    assert_refused(path, "pickle")


def test_too_many_instructions(tmp_path, monkeypatch):
    monkeypatch.setattr(unpickle, "_MOST_OPCODES", 1000)
    data = b"\x80\x04" + b"N" * 1000 + b"."
    path = written(tmp_path / "x.pkl", data)
    assert_refused(path, "more than 1,000 instructions")


@pytest.mark.parametrize(
    "key", ["version", "build_func_name", "variables", "names", "options"]
)
def test_bombs_within_a_network(tmp_path, key):
    bomb = ()
    for _ in range(200):  # Small as a file, 2**200 leaves if walked.
        bomb = (bomb, bomb)
    states = official_states(GOLDEN)
    if key == "names":
        states[0]["variables"][3] = (bomb, np.zeros(3, "float32"))
    elif key == "options":
        states[0]["static_kwargs"] = dict.fromkeys(["resolution"], bomb)
    else:
        states[0][key] = bomb
    path = save_official(tmp_path / "x.pkl", states)
    assert_refused(path, "version|functions|variables|resolution")


def test_arrays_that_are_there_many_times(tmp_path):
    # Of the right names and shapes, but more than the file's bytes.
    options = {"fmap_base": 8, "fmap_max": 8, "fmap_decay": 0.0}
    states = random_states(64, latent_size=12, **options)
    same = {}
    for state in states:
        state["variables"] = [
            (name, same.setdefault(array.shape, array))
            for name, array in state["variables"]
        ]
    path = save_official(tmp_path / "x.pkl", states)
    assert_refused(path, "more bytes than the file")


def array_call(shape, dtype="f4", data=b"\0" * 24, order="<", fortran=False):
    """What the pickle of an array is read as."""
    kind = Call("numpy.dtype", (dtype, False, True))
    kind.state = (3, order, None, None, None, -1, -1, 0)
    call = Call("numpy._core.multiarray._reconstruct", ())
    call.state = (1, shape, kind, fortran, data)
    return call


def test_arrays():
    data = np.arange(6, dtype="float32").tobytes()
    plain = numpy_array(array_call((2, 3), data=data))
    np.testing.assert_array_equal(plain, [[0, 1, 2], [3, 4, 5]])
    fortran = numpy_array(array_call((2, 3), data=data, fortran=True))
    np.testing.assert_array_equal(fortran, [[0, 2, 4], [1, 3, 5]])
    # As Python 2 wrote it: bytes as text, one character each.
    text = numpy_array(array_call((6,), data=data.decode("latin-1")))
    np.testing.assert_array_equal(text, np.arange(6))
    swapped = np.arange(6, dtype=">f4").tobytes()
    big = numpy_array(array_call((6,), data=swapped, order=">"))
    np.testing.assert_array_equal(big, np.arange(6))


@pytest.mark.parametrize(
    "call",
    [
        array_call((7,)),
        array_call((2, 4)),
        array_call((6,), dtype="O8"),
        array_call((6,), order="?"),
        array_call((10**30,)),
        Call("numpy.dtype", ("f4",)),
        "text",
        None,
    ],
)
def test_arrays_of_another_size_or_kind(call):
    with pytest.raises((ValueError, OverflowError)):
        numpy_array(call)
