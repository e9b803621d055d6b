"""The networks of a run as the start of another run."""

import dataclasses
import json
import zipfile

import numpy as np
import pytest
from tiny import checkpoint_values, make_folder, make_run

from progan_tf.checkpoint import load_generator
from progan_tf.config import load_config
from progan_tf.errors import UserError
from progan_tf.evaluation.snapshots import Snapshots
from progan_tf.export.card import licences
from progan_tf.keras_file import save_keras
from progan_tf.sampling import generate_images
from progan_tf.trainer import Trainer
from progan_tf.training.fine_tuning import write_run
from progan_tf.weights import read_published, read_run

# The schedule of the runs below: laptop to 16x16.
FADE_TO_16, STABLE_16, END = 48_000, 68_000, 92_000
SMALL = {"fmap_max": 8, "latent_size": 16}


def weights_in(run_dir):
    """The networks of a run's newest checkpoint, without the alphas."""
    return {
        key: value
        for key, value in checkpoint_values(run_dir).items()
        if key.startswith(("generator/", "discriminator/", "average/"))
        and not key.endswith("alpha")
        and "fade" not in key
    }


def assert_same_weights(run_dir, other):
    found, expected = weights_in(run_dir), weights_in(other)
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        np.testing.assert_array_equal(found[key], value, err_msg=key)


@pytest.mark.parametrize("seen", [30_000, 58_000, 80_000])
def test_a_run_goes_on_with_another_rate(tmp_path, seen):
    old = make_run(tmp_path / "old", seen)
    given = {"learning_rate": {16: 0.0005}}
    config = write_run(read_run(old), str(tmp_path / "new"), given)
    stored = load_config(old)
    assert stored.learning_rate == {4: 0.002, 8: 0.002, 16: 0.002}
    expected = dataclasses.replace(
        stored,
        run_dir=str(tmp_path / "new"),
        learning_rate={4: 0.002, 8: 0.002, 16: 0.0005},
        num_images=360_000,
    )
    assert config == expected
    assert_same_weights(tmp_path / "new", old)
    assert checkpoint_values(tmp_path / "new")["images_seen"] == seen
    # It trains on from there.
    end = seen + config.schedule().at(seen).batch_size
    trainer = Trainer(dataclasses.replace(config, total_kimg=end / 1000))
    assert trainer.train()
    assert trainer.images_seen == end


def test_a_finished_run_grows_on(tmp_path):
    old = make_run(tmp_path / "old", resolution=8, batch_size=32)
    assert load_config(old).schedule().total_images == FADE_TO_16
    config = write_run(read_run(old), str(tmp_path / "new"), {"resolution": 16})
    assert config.batch_size == {4: 32, 8: 32, 16: 16}
    assert checkpoint_values(tmp_path / "new")["images_seen"] == FADE_TO_16
    new = load_generator(tmp_path / "new", 8)
    np.testing.assert_array_equal(
        generate_images(new, [1, 2]),
        generate_images(load_generator(old), [1, 2]),
    )


def test_other_pictures_begin_where_the_weights_are_faded_in(tmp_path):
    old = make_run(tmp_path / "old")  # To its end, where nothing is left.
    data = make_folder(tmp_path / "data")
    config = write_run(
        read_run(old), str(tmp_path / "new"), {"data": str(data)}
    )
    assert (config.data, config.num_images) == (str(data), 20)
    assert checkpoint_values(tmp_path / "new")["images_seen"] == STABLE_16
    assert_same_weights(tmp_path / "new", old)


def test_devices_are_those_of_the_machine(tmp_path):
    # Logical devices cannot be made once TensorFlow computes.
    old = make_run(tmp_path / "old", 30_000, devices="CPU:0,CPU:1,CPU:2")
    assert write_run(read_run(old), tmp_path / "new", {}).devices == ""


def test_a_run_among_its_pictures_is_refused(tmp_path):
    old, data = make_run(tmp_path / "old"), make_folder(tmp_path / "data")
    with pytest.raises(UserError, match=r"must lie apart.* another --out"):
        write_run(read_run(old), data / "new", {"data": str(data)})
    assert sorted(x.name for x in data.iterdir()) == ["even", "odd"]


def test_who_is_to_be_named_is_not_forgotten(tmp_path):
    old, data = make_run(tmp_path / "old"), make_folder(tmp_path / "data")
    write_run(read_run(old), tmp_path / "new", {"data": str(data)})
    (licence,) = licences(load_config(tmp_path / "new"))[1:]
    assert "David Revoy, CC BY 4.0" in licence
    # Not of pictures that nothing is known of.
    (data / "weights.txt").touch()
    other = make_run(tmp_path / "other", data=str(data))
    assert read_run(other).info.licence == "that of the training data"


def test_what_is_read_in_the_middle_of_a_fade(tmp_path):
    old = make_run(tmp_path / "old", (FADE_TO_16 + STABLE_16) // 2)
    (old / "weights.txt").write_text("licence     CC BY-NC 4.0: only so\n")
    gan = read_published(old)
    assert gan.info.lod == 0.5
    assert gan.finished_resolution == 8
    assert gan.info.licence.endswith("; CC BY-NC 4.0: only so")
    assert "trained on  58,000 images\n" in gan.describe()
    assert gan.generator.block(16).fade.alpha.numpy() == 0.5
    np.testing.assert_array_equal(
        generate_images(gan.finished(), [3]),
        generate_images(load_generator(old), [3]),
    )
    # The last step's weights are others than their average.
    latest = generate_images(gan.finished(average=False), [3])
    assert not np.array_equal(latest, generate_images(gan.finished(), [3]))


def test_resolutions_that_were_never_trained_are_refused(tmp_path):
    run = make_run(tmp_path / "run", growing=False, total_kimg=0.1)
    gan = read_published(run)
    assert gan.finished().output_shape == (None, 16, 16, 3)
    with pytest.raises(UserError, match="no finished resolution 8; .* 16$"):
        gan.finished(8)


@pytest.mark.parametrize("name", ["latent_size", "minibatch_discrimination"])
def test_networks_larger_than_the_checkpoint_are_not_made(
    tmp_path, monkeypatch, name
):
    run = make_run(tmp_path / "run", seed=5)
    read_run(run)
    path = run / "config.json"
    settings = json.loads(path.read_text()) | {name: 9_000}
    path.write_text(json.dumps(settings))

    def refuse(architecture):
        raise AssertionError("gigabytes of memory")

    monkeypatch.setattr("progan_tf.networks.Generator.of", refuse)
    for read in (load_generator, read_run, Snapshots):
        with pytest.raises(UserError, match="too few for the .* parameters"):
            read(run)


def test_a_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="expected a run directory"):
        read_published(tmp_path)


def test_a_keras_model_is_a_generator_alone(tmp_path):
    path, folder = tmp_path / "generator.keras", tmp_path / "unpacked"
    save_keras(load_generator(make_run(tmp_path / "run")), path)
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    for place in (path, folder):
        with pytest.raises(UserError, match=r"is a Keras model, .*export"):
            read_published(place)
