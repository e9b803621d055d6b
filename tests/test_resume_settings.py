"""Resuming: what may change and what may not."""

import dataclasses
import pathlib

import pytest

from progan_tf.config import presets, resolve, resume
from progan_tf.errors import UserError


def one_device(devices):
    """Stands in for counting the devices of this machine."""
    del devices
    return 1


def start_run(folder, preset="laptop-wgan", replicas=1, **overrides):
    config = resolve(preset, {"run_dir": str(folder), **overrides}, replicas)
    config.save_config()
    return config


def test_changed_settings(tmp_path):
    stored = start_run(tmp_path)
    new = dataclasses.replace(stored, seed=1, total_kimg=300)
    assert resume.changed_settings(stored, stored) == {}
    assert resume.changed_settings(stored, new) == {
        "seed": (1000, 1),
        "total_kimg": (None, 300),
    }


def test_a_new_run(tmp_path):
    given = {"preset": "laptop-wgan", "run_dir": str(tmp_path), "seed": 3}
    config, resumed = resume.resolve_for_run(given, one_device)
    assert not resumed
    assert config == resolve(
        "laptop-wgan", {"run_dir": str(tmp_path), "seed": 3}
    )


def test_a_new_run_takes_the_row_of_its_devices(tmp_path):
    asked = []

    def four_devices(devices):
        asked.append(devices)
        return 4

    given = {"run_dir": str(tmp_path), "devices": "GPU:0,GPU:1,GPU:2,GPU:3"}
    config, _ = resume.resolve_for_run(given, four_devices)
    assert asked == [given["devices"]]
    assert config.replicas == 4
    assert config.batch_size == presets.OFFICIAL_BATCH_SIZES[4]


def test_mistakes_are_found_before_devices_are_counted(tmp_path):
    def never(devices):
        raise AssertionError("counting devices takes seconds")

    given = {"run_dir": str(tmp_path), "resolution": 100}
    with pytest.raises(UserError, match="not 100"):
        resume.resolve_for_run(given, never)


def test_run_dir_alone_resumes_with_the_stored_settings(tmp_path):
    stored = start_run(tmp_path, replicas=2, fmap_max=32)
    given = {"run_dir": str(tmp_path)}
    assert resume.resolve_for_run(given, one_device) == (stored, True)


def test_the_same_command_resumes_in_the_default_run_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = {"preset": "laptop-wgan", "resolution": 16, "batch_size": 8}
    first, resumed = resume.resolve_for_run(given, one_device)
    assert not resumed
    first.save_config()
    assert pathlib.Path("runs/cats-laptop-wgan-16/config.json").exists()
    assert resume.resolve_for_run(given, one_device) == (first, True)


def test_settings_of_length_and_place_may_change(tmp_path):
    stored = start_run(tmp_path)
    changes = {"total_kimg": 400.0, "tick_kimg": 1.5, "xla": "off"}
    changes |= {"sample_kimg": 5, "checkpoint_kimg": 5, "keep_checkpoints": 9}
    changes |= {"devices": "CPU:0"}
    given = {"run_dir": str(tmp_path), "preset": "laptop-wgan", **changes}
    config, resumed = resume.resolve_for_run(given, one_device)
    assert resumed
    assert config == dataclasses.replace(stored, **changes)
    before, after = stored.schedule().phases, config.schedule().phases
    assert after[:-1] == before[:-1]
    assert after[-1].end == 400_000


def test_an_earlier_total_is_kept_unless_given_anew(tmp_path):
    stored = start_run(tmp_path, "official", total_kimg=50)
    given = {"run_dir": str(tmp_path), "preset": "official"}
    assert resume.resolve_for_run(given, one_device) == (stored, True)


def test_other_changes_name_each_setting_with_both_values(tmp_path):
    start_run(tmp_path)
    given = {"run_dir": str(tmp_path), "seed": 1, "batch_size": 16}
    with pytest.raises(UserError) as caught:
        resume.resolve_for_run(given, one_device)
    message = str(caught.value)
    assert "seed is 1000 there, not 1;" in message
    assert "batch_size is 4: 32, 8: 32, 16: 16, 32: 16 there, not 16" in message
    assert "\n" not in message


@pytest.mark.parametrize("preset", [{}, {"preset": "laptop-wgan"}])
@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"augment": "none"}, "augment is 'ada' there, not 'none'"),
        ({"augment_p": 0.5}, "augment_p is None there, not 0.5"),
        ({"loss": "wgan"}, "loss is 'logistic' there, not 'wgan'"),
        ({"freeze_discriminator": 9}, "freeze_discriminator is 0 there, not 9"),
    ],
)
def test_what_is_at_odds_with_the_run_is_a_change(
    tmp_path, preset, changed, words
):
    # Each is refused by the check of settings, which alone would speak of
    # others, that nobody gave.
    old = {"augment": "ada", "loss": "logistic", "ada_target": 0.4}
    start_run(tmp_path, **old)
    given = {"run_dir": str(tmp_path), **(old if preset else {}), **changed}
    with pytest.raises(UserError, match=words):
        resume.resolve_for_run(given | preset, one_device)
    # What is wrong and may change is told as such.
    given = {"run_dir": str(tmp_path), "eval_images": 1}
    with pytest.raises(UserError, match="eval_images must be 2 or more"):
        resume.resolve_for_run(given, one_device)


def test_another_resolution_cannot_be_resumed(tmp_path):
    start_run(tmp_path)
    for preset in ({}, {"preset": "laptop-wgan"}):
        given = {"run_dir": str(tmp_path), "resolution": 64, **preset}
        with pytest.raises(UserError, match="resolution is 32 there, not 64"):
            resume.resolve_for_run(given, one_device)


def test_an_explicit_preset_is_compared_in_full(tmp_path):
    start_run(tmp_path, fmap_max=32)
    given = {"run_dir": str(tmp_path), "preset": "laptop-wgan"}
    with pytest.raises(
        UserError, match="fmap_max is 32 there, not 64"
    ) as error:
        resume.resolve_for_run(given, one_device)
    assert "leave --preset and those flags out" in str(error.value)
    del given["preset"]
    with pytest.raises(UserError, match="; leave those flags .* --run_dir$"):
        resume.resolve_for_run(given | {"fmap_max": 64}, one_device)
    # Other settings are for another run, of the same networks.
    with pytest.raises(UserError, match="convert --format=run begins one with"):
        resume.resolve_for_run(given | {"drift": 0.1}, one_device)


def test_a_run_of_a_preset_that_has_changed_goes_on(tmp_path):
    stored = start_run(tmp_path)
    assert stored.fmap_max[32] == 64
    stored = dataclasses.replace(stored, preset="laptop")
    stored.save_config()
    given = {"run_dir": str(tmp_path), "preset": "laptop", "tick_kimg": 3}
    config, resumed = resume.resolve_for_run(given, one_device)
    assert resumed and config == dataclasses.replace(stored, tick_kimg=3)
    # One that was begun as the preset is now is that of no other.
    given["fmap_max"] = 24
    with pytest.raises(UserError, match="fmap_max is 64 there, not 24"):
        resume.resolve_for_run(given, one_device)


def test_an_explicit_preset_has_the_stored_number_of_devices(tmp_path):
    stored = start_run(tmp_path, "official", replicas=4)
    given = {"run_dir": str(tmp_path), "preset": "official"}
    assert resume.resolve_for_run(given, one_device) == (stored, True)


def test_auto_precision_keeps_what_it_was(tmp_path):
    for stored in ("float32", "bfloat16"):
        start_run(tmp_path, precision=stored)
        given = {"run_dir": str(tmp_path), "preset": "laptop-wgan"}
        config, _ = resume.resolve_for_run(given, one_device)
        assert config.precision == stored


def test_resuming_on_devices_that_cannot_share_is_refused(tmp_path):
    start_run(tmp_path)
    with pytest.raises(UserError, match="by 3 devices"):
        resume.resolve_for_run({"run_dir": str(tmp_path)}, lambda _: 3)


def test_classes_counted_at_the_start_are_kept(tmp_path):
    stored = start_run(tmp_path, labels=True, num_classes=15)
    given = {"run_dir": str(tmp_path), "preset": "laptop-wgan", "labels": True}
    assert resume.resolve_for_run(given, one_device) == (stored, True)


def test_data_may_be_given_where_they_were_moved_to(tmp_path):
    run, old, new = tmp_path / "run", tmp_path / "old", tmp_path / "new"
    old.mkdir()
    start_run(run, data=str(old))
    new.mkdir()
    given = {"run_dir": str(run), "data": str(new)}
    with pytest.raises(UserError, match="data is '.*old' there, not '.*new'"):
        resume.resolve_for_run(given, one_device)
    old.rmdir()
    config, resumed = resume.resolve_for_run(given, one_device)
    assert resumed
    assert config.data == str(new)


def test_a_part_of_a_table_is_compared_alone(tmp_path):
    start_run(tmp_path)
    given = {"run_dir": str(tmp_path), "batch_size": {8: 32}}
    config, _ = resume.resolve_for_run(given, one_device)
    assert config.batch_size == {4: 32, 8: 32, 16: 16, 32: 16}
    given["batch_size"] = {8: 64}
    with pytest.raises(UserError, match="batch_size is 4: 32, 8: 32, .*8: 64"):
        resume.resolve_for_run(given, one_device)
