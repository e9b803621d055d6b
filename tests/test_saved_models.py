"""SavedModels that would do more than compute, and archives of them."""

import gzip
import io
import os
import shutil
import tarfile

import numpy as np
import pytest
import tensorflow as tf
from generators import make_generator

from progan_tf.errors import UserError
from progan_tf.export import export_saved_model
from progan_tf.generation.hub_module import load_module
from progan_tf.metrics import load_features
from progan_tf.saved_models import load_saved_model, unpacked


@pytest.fixture(scope="module")
def module(tmp_path_factory):
    """A module with variables, whose graph saves and restores them."""
    path = tmp_path_factory.mktemp("module") / "module"
    export_saved_model(make_generator(8), path, trainable=True)
    return path


# ---- operations ----


def images(z):
    return tf.reshape(tf.sigmoid(z @ tf.ones([6, 48])), [-1, 4, 4, 3])


def save(path, function, key="default", spec=(None, 6)):
    signature = tf.function(
        lambda z: {"default": function(z)},
        [tf.TensorSpec(spec, name="z")],
        autograph=False,
    )
    model = tf.Module()
    model.level = tf.Variable(1.0)
    tf.saved_model.save(model, str(path), signatures={key: signature})
    return path


def writes(z, path="EVIL"):
    written = tf.io.write_file(path, "x")
    with tf.control_dependencies([written]):
        return images(z)


def reads(z):
    length = tf.strings.length(tf.io.read_file("/etc/passwd"))
    return images(z) + 0 * tf.cast(length, tf.float32)


def in_a_branch(z):
    total = tf.reduce_sum(z)
    return tf.cond(total > 0, lambda: reads(z), lambda: images(z))


def in_a_map(z):
    return tf.map_fn(lambda row: reads(row[tf.newaxis])[0], z)


def calls_python(z):
    z = tf.numpy_function(lambda x: x, [z], tf.float32)
    return images(tf.ensure_shape(z, [None, 6]))


def aborts(z):
    tf.raw_ops.Abort(error_msg="gone")
    return images(z)


def prints_to_a_file(z):
    tf.print("x", output_stream="file://EVIL")
    return images(z)


def saves(z):
    names = {"tensor_names": ["a"], "shape_and_slices": [""]}
    tf.raw_ops.SaveV2(prefix="EVIL", tensors=[z], **names)
    return images(z)


def lists_files(z):
    found = tf.shape(tf.io.matching_files("/*"))[0]
    return images(z) + 0 * tf.cast(found, tf.float32)


@pytest.mark.parametrize(
    ("function", "operation"),
    [
        (writes, "WriteFile"),
        (reads, "ReadFile"),
        (in_a_branch, "ReadFile"),
        (in_a_map, "ReadFile"),
        (calls_python, "PyFunc"),
        (aborts, "Abort"),
        (prints_to_a_file, "PrintV2"),
        (saves, "SaveV2"),
        (lists_files, "MatchingFiles"),
    ],
)
def test_what_does_more_than_to_compute_is_refused(
    tmp_path, monkeypatch, function, operation
):
    monkeypatch.chdir(tmp_path)
    path = save(tmp_path / "module", function)
    with pytest.raises(UserError, match=f": {operation}; if .* --trust"):
        load_module(path)
    assert [p.name for p in tmp_path.iterdir()] == ["module"]


def test_trust_admits_everything(tmp_path):
    written = tmp_path / "written"
    path = save(tmp_path / "module", lambda z: writes(z, str(written)))
    with pytest.raises(UserError, match="WriteFile"):
        load_module(path)
    assert not written.exists()
    assert load_module(path, trust=True).image_shape == (4, 4, 3)
    assert written.read_text() == "x"


def test_features_are_looked_through_too(tmp_path):
    def means(x):
        return tf.reduce_mean(x, (1, 2))

    place = {"key": "serving_default", "spec": (None, 8, 8, 3)}
    good = save(tmp_path / "good", means, **place)
    assert load_features(good).dimension == 3

    def reading_means(x):
        length = tf.strings.length(tf.io.read_file("/etc/passwd"))
        return means(x) + tf.cast(length, tf.float32)

    evil = save(tmp_path / "evil", reading_means, **place)
    with pytest.raises(UserError, match="ReadFile"):
        load_features(evil)
    assert load_features(evil, trust=True).dimension == 3


def test_a_graph_of_tensorflow_1(tmp_path):
    """Its restoring is executed, so that it may do nothing else."""
    v1 = tf.compat.v1
    for name, evil in (("good", False), ("evil", True)):
        with tf.Graph().as_default(), v1.Session() as session:
            z = v1.placeholder(tf.float32, [None, 6])
            ones = v1.ones_initializer()
            level = v1.get_variable("level", [], initializer=ones)
            result = images(z) * level
            session.run(v1.global_variables_initializer())
            info = v1.saved_model.utils.build_tensor_info
            signature = v1.saved_model.build_signature_def(
                {"z": info(z)}, {"default": info(result)}
            )
            saver = v1.train.Saver()
            if evil:
                restore = session.graph.get_operation_by_name(
                    saver.saver_def.restore_op_name
                )
                restore._add_control_input(
                    tf.io.write_file(str(tmp_path / "written"), "x")
                )
            builder = v1.saved_model.Builder(str(tmp_path / name))
            builder.add_meta_graph_and_variables(
                session, [], {"default": signature}, saver=saver
            )
            builder.save()
        (tmp_path / name / "tfhub_module.pb").write_bytes(b"\x08\x03")
    assert load_module(tmp_path / "good").image_shape == (4, 4, 3)
    with pytest.raises(UserError, match="WriteFile"):
        load_module(tmp_path / "evil")
    assert not (tmp_path / "written").exists()


def test_other_files_of_a_module(tmp_path, module):
    for number, (change, words) in enumerate(
        (
            (lambda p: p.rename(p.with_suffix(".pbtxt")), "has no file"),
            (
                lambda p: p.with_suffix(".cpb").touch(),
                "split into several files",
            ),
            (lambda p: (p.unlink(), os.mkfifo(p)), "has no file"),
        )
    ):
        copy = shutil.copytree(module, tmp_path / str(number))
        change(copy / "saved_model.pb")
        with pytest.raises(UserError, match=words):
            load_saved_model(copy, "it")
    copy = shutil.copytree(module, tmp_path / "more")
    (copy / "variables" / "folder").mkdir()
    os.mkfifo(copy / "variables" / "pipe")
    assert load_module(copy).image_shape == (8, 8, 3)


def test_paths_that_tensorflow_takes_for_patterns(tmp_path, module):
    path = tmp_path / "a[1]*?" / "m[2]"
    export_saved_model(make_generator(8), path, trainable=True)
    assert load_module(path).image_shape == (8, 8, 3)


# ---- archives ----


def pack(path, module, *more):
    """An archive of a module and more members, pairs of info and bytes."""
    with tarfile.open(path, "w:gz") as archive:
        for file in sorted(module.rglob("*")):
            archive.add(file, file.relative_to(module), recursive=False)
        for info, data in more:
            archive.addfile(info, io.BytesIO(data))
    return path


def member(name, data=b"", **fields):
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (member("x", type=tarfile.SYMTYPE, linkname="/etc"), "is a link"),
        (member("x", type=tarfile.LNKTYPE, linkname="../x"), "is a link"),
        (member("x", type=tarfile.FIFOTYPE), "neither file nor folder"),
        (member("x", type=tarfile.CHRTYPE), "neither file nor folder"),
        (member("/tmp/x", b"x"), "lies outside"),
        (member("variables/../../x", b"x"), "lies outside"),
        (member("a\nb", b"x"), "odd name"),
        (member("..\\x", b"x"), "odd name"),
        (member("a/" * 20 + "b", b"x"), "at most"),
        (member("x" * 300, b"x"), "odd name"),
        (member("saved_model.pb", b"another"), "File exists"),
    ],
)
def test_members_that_no_module_has(tmp_path, module, more, words):
    path = pack(tmp_path / "x.tar.gz", module, more)
    with pytest.raises(UserError, match=f"cannot unpack .*{words}"):
        load_module(path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.tar.gz"]


def test_times_and_modes_of_members_do_not_count(tmp_path, module):
    odd = member("x", b"x", mtime=1e300, mode=0o7777, uid=2**40)
    with unpacked(pack(tmp_path / "x.tar.gz", module, odd)) as folder:
        assert (folder / "x").stat().st_mode & 0o7000 == 0
        names = {path.name for path in folder.iterdir()}
    assert {"x", "variables", "saved_model.pb"} <= names
    assert not folder.exists()


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.XHDTYPE])
def test_archives_that_claim_more_than_a_module_has(tmp_path, kind):
    path = tmp_path / "x.tar.gz"
    info = tarfile.TarInfo("x")
    info.type, info.size = kind, 3 << 30
    with gzip.open(path, "wb") as file:
        file.write(info.tobuf(tarfile.GNU_FORMAT))
        file.write(bytes(1 << 20))
    with pytest.raises(UserError, match="cannot unpack .*bytes"):
        load_module(path)


def test_too_many_members(tmp_path, module):
    more = (member(f"assets/{number}") for number in range(1000))
    with pytest.raises(UserError, match="at most 1,000 files"):
        load_module(pack(tmp_path / "x.tar.gz", module, *more))


def test_damaged_archives(tmp_path, module):
    whole = pack(tmp_path / "x.tar.gz", module).read_bytes()
    plain = gzip.decompress(whole)
    random = np.random.default_rng(0)
    for number in range(40):
        data = bytearray(whole if number % 2 else plain)
        for place in random.integers(0, min(len(data), 5000), 3):
            data[place] ^= 1 << int(random.integers(8))
        if number > 30:
            data = data[: int(random.integers(len(data)))]
        path = tmp_path / f"{number}.tar.gz"
        path.write_bytes(data)
        try:
            assert load_module(path).image_shape == (8, 8, 3)
        except UserError as error:
            assert "\n" not in str(error)
