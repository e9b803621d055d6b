"""The train command from outside: the dry run, help and user errors."""

import re

import pytest
from processes import run_command

from progan_tf.config import PRESETS, resolve
from progan_tf.config.report import dry_run, notices


def train(folder, *flags):
    """Run the command in an empty folder, with this checkout importable."""
    return run_command("train", *flags, folder=folder)


def test_dry_run_at_1024(tmp_path):
    result = train(
        tmp_path, "--resolution=1024", "--dry_run", "--devices=CPU:0"
    )
    assert result.returncode == 0, result.stderr
    last = next(x for x in result.stdout.splitlines() if "1024x1024" in x)
    assert last.split()[:4] == ["1024x1024", "9000-9600", "9600-12000", "4"]
    assert "23,079,115" in last
    assert "23,087,249" in last
    assert "1,354,687 steps" in result.stdout
    assert result.stderr == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("flag", "message"),
    [
        ("--resolution=100", "power of two from 4 to 1024, not 100"),
        ("--preset=tiny", "should be one of <official|paper|table1-a|"),
        ("--resolutoin=64", "Unknown command line flag 'resolutoin'"),
        ("--total_kimg=many", "could not convert string to float: 'many'"),
        ("cats", "unexpected argument 'cats'"),
    ],
)
def test_mistakes_are_one_line_and_status_2(tmp_path, flag, message):
    result = train(tmp_path, flag)
    assert result.returncode == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("progan_tf.train: error: ")
    assert message in line


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", "/nowhere/at/all")
    result = train(tmp_path, "--run_dir=~/run", "--data=~/pictures")
    assert result.returncode == 2
    assert "'/nowhere/at/all/pictures' does not exist" in result.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_shows_commands_and_every_flag(tmp_path):
    result = train(tmp_path, "--help")
    assert result.returncode == 0
    assert "python -m progan_tf.train --preset=laptop" in result.stdout
    for flag in ("--resolution", "--batch_size", "--[no]labels", "--xla"):
        assert f"  {flag}: " in result.stdout
    assert "--replicas" not in result.stdout


def test_steps_of_the_phases_add_up():
    # 600 kimg are no whole number of minibatches of 128, so phases begin late.
    lines = dry_run(resolve()).splitlines()
    steps = [line.split()[5] for line in lines[1:10]]
    assert sum(int(s.replace(",", "")) for s in steps) == 1_354_687


def test_a_grey_small_network_is_counted_as_such():
    overrides = {"resolution": 4, "channels": 1, "fmap_max": 8}
    overrides |= {"latent_size": 2, "minibatch_stddev_group": 0}
    row = dry_run(resolve("official", overrides)).splitlines()[1].split()
    generator = (2 * 128 + 8) + (9 * 64 + 8) + (8 + 1)
    discriminator = (8 + 8) + (9 * 64 + 8) + (128 * 8 + 8) + (8 + 1)
    assert row[6:8] == [f"{generator:,}", f"{discriminator:,}"]


def test_data_are_looked_at(tmp_path):
    (tmp_path / "empty").mkdir()
    done = train(tmp_path, f"--data={tmp_path / 'empty'}", "--dry_run")
    assert done.returncode == 2
    assert "found no file at all" in done.stderr
    done = train(tmp_path, "--preset=laptop", "--labels", "--dry_run")
    assert re.search(r"^num_classes +15$", done.stdout, re.M)
    assert re.search(r"^num_images +360000$", done.stdout, re.M)


def test_a_run_that_ends_too_early_is_told():
    config = resolve("official", {"resolution": 16, "total_kimg": 1500})
    (line,) = notices(config, 1)
    # 4x4: 600; 8x8: 600 and 600; then 600 to fade in 16x16.
    assert line.startswith(
        "The run ends at 8x8 after 1500 kimg, before 16x16 is faded in, at "
        "2400 kimg: raise --total_kimg"
    )
    assert line in dry_run(config).splitlines()
    config = resolve("official", {"resolution": 16, "total_kimg": 2400})
    assert notices(config, 1) == []


def test_a_run_too_small_to_be_evaluated_is_told():
    config = resolve("laptop", {"resolution": 8, "eval_kimg": 5})
    (line,) = notices(config, 1)
    assert "--eval_kimg begins at 16x16, and the run ends at 8x8" in line


def test_a_standard_deviation_of_single_images_is_told():
    sizes = {"resolution": 16, "batch_size": {4: 6, 8: 10, 16: 14}}
    config = resolve("official", sizes)
    assert notices(config, 1) == []
    (line,) = notices(config, 2)  # 3, 5 and 7 images a device.
    assert "at 8x8 (5), 16x16 (7) cannot be split into groups of 2" in line
    config = resolve("official", {**sizes, "minibatch_stddev_group": 0})
    assert notices(config, 2) == []


def test_presets_leave_no_device_with_a_single_image():
    for preset in PRESETS:
        for replicas in (1, 2, 3, 4, 8):
            # Long enough for a preset that is made for a lower resolution.
            higher = {"resolution": 1024, "total_kimg": 100_000}
            config = resolve(preset, higher, replicas)
            assert notices(config, replicas) == []


def test_resuming_is_announced():
    config = resolve("official", {"run_dir": "there"})
    assert "new run: there" in dry_run(config)
    assert "resumes: there" in dry_run(config, resumed=True)


def test_gan_zoo_networks_have_a_bias_for_each_output_of_the_first_layer():
    overrides = {"resolution": 4, "fmap_max": 8, "latent_size": 2}
    overrides |= {"variant": "gan_zoo"}
    row = dry_run(resolve("official", overrides)).splitlines()[1].split()
    generator = (2 * 128 + 128) + (9 * 64 + 8) + (8 * 3 + 3)
    assert row[6] == f"{generator:,}"


def test_tables_that_are_no_column_are_listed():
    overrides = {"resolution": 8, "average_decay": {4: 0.9, 8: 0.99}}
    text = dry_run(resolve("official", {**overrides, "fmap_max": 64}))
    (line,) = (x for x in text.splitlines() if x.startswith("average_decay"))
    assert line.split(None, 1)[1] == "4: 0.9, 8: 0.99"
    (line,) = (x for x in text.splitlines() if x.startswith("fmap_max"))
    assert line.split() == ["fmap_max", "64"]
