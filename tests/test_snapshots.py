"""Images of a run's average at each checkpoint."""

import numpy as np
import pytest
from tiny import make_growing_run, make_run

from progan_tf.checkpoint import load_generator
from progan_tf.errors import UserError
from progan_tf.evaluation.snapshots import Snapshots


def test_snapshots_are_what_the_average_drew_then(tmp_path):
    folder = make_growing_run(tmp_path)
    run = Snapshots(folder)
    start, middle, end = run.snapshots
    assert [x.alpha for x in run.snapshots] == [0.0, 0.5, 1.0]
    assert [x.resolution for x in run.snapshots] == [16, 16, 16]
    inputs = np.random.RandomState(0).randn(2, 16).astype("float32")
    np.testing.assert_array_equal(
        run.generator(end)(inputs), load_generator(folder)(inputs)
    )
    # Half of the new block, and half of the lower resolution enlarged.
    images = run.generator(middle)(inputs).numpy()
    old = run._family.at(8)(inputs).numpy().repeat(2, 1).repeat(2, 2)
    new = run._family.at(16, fade=False)(inputs).numpy()
    np.testing.assert_allclose(images, (old + new) / 2, atol=1e-5)
    assert np.abs(old - new).max() > 0.01
    # At the start of a fade nothing of it shows.
    images = run.generator(start)(inputs).numpy()
    np.testing.assert_array_equal(images[:, ::2, ::2], images[:, 1::2, 1::2])


def test_unreadable_snapshots_are_left_out(tmp_path, caplog):
    run_dir = make_run(tmp_path / "run")
    (index,) = (run_dir / "checkpoints").glob("ckpt-1.index")
    index.write_bytes(index.read_bytes()[:20])
    with pytest.raises(UserError, match="cannot read checkpoint .*ckpt-1"):
        Snapshots(run_dir)


def remove(folder, number):
    for path in (folder / "checkpoints").glob(f"ckpt-{number}.*"):
        path.unlink()


def damage(folder, number):
    (path,) = (folder / "checkpoints").glob(f"ckpt-{number}.data*")
    path.write_bytes(path.read_bytes()[:100])


@pytest.mark.parametrize("spoil", [remove, damage])
def test_what_happens_to_checkpoints_meanwhile(spoil, tmp_path, caplog):
    folder = make_growing_run(tmp_path)
    newest, every = Snapshots(folder), Snapshots(folder, every=True)
    start, middle, end = (s.images_seen for s in Snapshots(folder).snapshots)
    spoil(folder, 3)
    # The newest that there still is.
    assert [subject.images_seen for subject in newest] == [middle]
    spoil(folder, 1)
    assert [subject.images_seen for subject in every] == [middle]
    spoil(folder, 2)
    for subjects in (newest, every):
        with pytest.raises(UserError, match="cannot read|no checkpoint"):
            list(subjects)


def test_checkpoints_written_meanwhile_are_evaluated(tmp_path):
    folder = make_growing_run(tmp_path)
    aside = tmp_path / "aside"
    aside.mkdir()
    for path in (folder / "checkpoints").glob("ckpt-3.*"):
        path.rename(aside / path.name)
    subjects = Snapshots(folder)
    for path in aside.iterdir():
        path.rename(folder / "checkpoints" / path.name)
    (subject,) = subjects
    assert subject.images_seen == Snapshots(folder).snapshots[-1].images_seen
