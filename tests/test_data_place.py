"""Where prepared sets may be written, and how one replaces another."""

import pytest
from absl import flags
from PIL import Image
from processes import assert_mistake, run_command
from tiny import make_folder, make_run

from progan_tf.data import check_apart, open_source
from progan_tf.errors import UserError
from progan_tf.export.exporting import export_generator
from progan_tf.generation.opening import open_flagged, open_generator
from progan_tf.preparation import check_place


def test_a_set_does_not_lie_within_its_source(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    (tmp_path / "link").symlink_to("photos")
    monkeypatch.chdir(tmp_path)
    for source in ("photos", "link", "celeba:photos", str(tmp_path)):
        with pytest.raises(UserError, match="photos/set lies within"):
            check_place("photos/set", False, source)
    for source in ("photos/set/more", "phot", "cats", "tfds:mnist"):
        check_place("photos/set", False, source)


def test_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", path)

    # Not by its mode, which means nothing to root.
    monkeypatch.setattr("os.listdir", refuse)
    message = f"^cannot read {tmp_path}: Permission denied$"
    with pytest.raises(UserError, match=message):
        check_place(tmp_path, overwrite=True)
    with pytest.raises(UserError, match=message):
        open_source(str(tmp_path))


def test_what_lies_among_pictures(tmp_path, monkeypatch):
    pictures = make_folder(tmp_path / "pictures")
    (tmp_path / "link").symlink_to("pictures")
    for place in ("pictures", "pictures/even/a.png", "link/new/folder"):
        with pytest.raises(UserError, match="must lie apart.* another --x"):
            check_apart(str(pictures), tmp_path / place, "--x")
    check_apart(str(pictures), tmp_path / "pictures.png", "--x")
    check_apart(str(pictures), tmp_path, "--x")
    with pytest.raises(UserError, match="must lie apart"):
        check_apart(str(pictures), tmp_path, "--x", around=True)
    check_apart("cats", "cats/x", "--x")
    # What lies elsewhere does not wait for a look into the folder.
    monkeypatch.setattr("progan_tf.data.sources.kind_at", None)
    check_apart(str(pictures), tmp_path / "elsewhere", "--x", around=True)


@pytest.fixture
def run_dir(tmp_path):
    """A run that was trained on the folder `pictures` beside it."""
    pictures = make_folder(tmp_path / "pictures")
    return str(make_run(tmp_path / "run", data=str(pictures)))


def test_generated_files_do_not_lie_among_the_pictures(tmp_path, run_dir):
    values = flags.FlagValues()
    for name in ("run_dir", "module", "resolution", "out", "samples", "trust"):
        flags.DEFINE_string(name, None, "", flag_values=values)
    values.mark_as_parsed()
    values.run_dir, values.out = run_dir, str(tmp_path / "pictures/new")
    with pytest.raises(UserError, match="must lie apart"):
        open_flagged(values)
    values.out = str(make_folder(tmp_path / "sorted"))
    assert open_flagged(values).resolution == 16
    values.samples = values.out
    with pytest.raises(UserError, match="must lie apart"):
        open_flagged(values)


def test_neither_films_nor_modules_lie_among_the_pictures(tmp_path, run_dir):
    (tmp_path / "run/samples").mkdir()
    sample = tmp_path / "run/samples/fakes-000000.png"
    Image.new("RGB", (64, 64)).save(sample)
    growth = f"--out={tmp_path}/pictures/growth.gif"
    done = run_command("film", f"--run_dir={run_dir}", growth)
    assert_mistake(done, "must lie apart")
    generator = open_generator(run_dir)
    with pytest.raises(UserError, match="must lie apart"):
        export_generator(generator, tmp_path / "pictures/module")
    module = f"--out={tmp_path}/pictures/module"
    done = run_command(
        "convert", f"--weights={run_dir}", "--format=hub", module
    )
    assert_mistake(done, "must lie apart")
    # It has no picture.
    export_generator(generator, tmp_path / "pictures/x.keras", "keras")
