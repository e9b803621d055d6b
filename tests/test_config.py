"""Settings: presets, checks, JSON."""

import dataclasses
import functools
import json
import re
import types

import pytest
from absl import flags

from progan_tf import settings
from progan_tf.config import (
    TrainConfig,
    load_config,
    presets,
    resolve,
)
from progan_tf.errors import UserError

# The official code's limits for one GPU in float32.
OFFICIAL_LIMITS = {256: 16, 512: 8, 1024: 4}


def test_the_class_defaults_are_the_official_presets():
    expected = resolve("official")
    assert TrainConfig(total_kimg=12000) == expected


def test_official_defaults():
    config = resolve()
    assert config.resolution == 1024
    assert config.batch_size[1024] == 4
    assert config.learning_rate[512] == 0.001
    assert config.learning_rate[1024] == 0.0015
    assert set(config.gradient_penalty.values()) == {10.0}
    assert config.drift == 0.001
    assert set(config.average_decay.values()) == {0.999}
    assert config.run_dir == "runs/cats-official-1024"


@pytest.mark.parametrize("replicas", presets.OFFICIAL_BATCH_SIZES)
def test_official_rows_share_evenly_within_one_gpus_limits(replicas):
    config = resolve("official", replicas=replicas)
    assert config.batch_size == presets.OFFICIAL_BATCH_SIZES[replicas]
    assert config.learning_rate == presets.OFFICIAL_LEARNING_RATES[replicas]
    for resolution, limit in OFFICIAL_LIMITS.items():
        assert config.batch_size[resolution] <= limit * replicas


def test_cifar10_is_the_papers():
    config = resolve("cifar10")
    assert (config.data, config.resolution) == ("tfds:cifar10", 32)
    assert (config.wgan_target, config.latent_size) == (750, 128)
    assert set(config.batch_size.values()) == {16}
    assert config.schedule().total_images == 20_000_000
    # 4x4 for 400 kimg, then 400 to fade in and 400 more for each.
    starts = [phase.start for phase in config.schedule().phases]
    assert starts == [0, 400_000, 1_200_000, 2_000_000]
    # Of 128 feature maps: known from the original networks.
    assert config.architecture.generator_parameters() == 1_296_908
    assert config.architecture.discriminator_parameters() == 1_298_689


def test_official_row_is_the_largest_not_above():
    three, sixteen = resolve(replicas=3), resolve(replicas=16)
    assert three.learning_rate == presets.OFFICIAL_LEARNING_RATES[2]
    assert sixteen.learning_rate == presets.OFFICIAL_LEARNING_RATES[8]
    assert sixteen.batch_size == presets.OFFICIAL_BATCH_SIZES[8]


@pytest.mark.parametrize("preset", presets.PRESETS)
@pytest.mark.parametrize("replicas", [1, 2, 3, 5, 7, 64])
def test_every_preset_works_on_any_number_of_devices(preset, replicas):
    for batch in resolve(preset, None, replicas).batch_size.values():
        share, remainder = divmod(batch, replicas)
        assert share >= 1
        assert remainder == 0


def test_shares_split_into_whole_groups():
    # 256 // 3 is 85, which only groups of one sample would divide.
    assert resolve(replicas=3).batch_size[4] == 3 * 84


def test_paper_preset():
    config = resolve("paper")
    batches = config.batch_size
    assert [batches[r] for r in (128, 256, 512, 1024)] == [16, 14, 6, 3]
    assert config.minibatch_stddev_group == 16
    assert not config.fused_scale
    assert resolve("official").fused_scale
    schedule = config.schedule()
    assert schedule.phases[-1].start == 12_000_000
    assert schedule.total_images == 19_000_000


def test_laptop_schedule_is_the_sum_of_its_phases():
    config = resolve("laptop-wgan", {"precision": "float32"})
    assert config.schedule().total_images == 180_000
    assert config.fade_kimg == {4: 0, 8: 16, 16: 20, 32: 24}
    config = resolve("laptop", {"precision": "float32"})
    assert config.schedule().total_images == 240_000
    assert config.fade_kimg == {4: 0, 8: 8, 16: 12, 32: 12}


def test_one_number_stands_for_every_resolution():
    config = resolve("official", {"batch_size": 6, "resolution": 16})
    assert config.batch_size == {4: 6, 8: 6, 16: 6}
    config = resolve("official", {"fade_kimg": 0.5, "resolution": 16})
    assert config.fade_kimg == {4: 0, 8: 0.5, 16: 0.5}
    assert config.schedule().phases[1].fade_images == 500


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ("cats", "cats"),
        ("/pictures/my dogs/", "my-dogs"),
        ("tfds:lsun/bedroom", "tfds-lsun-bedroom"),
        ("/", "data"),
    ],
)
def test_run_dir_is_named_after_the_data(data, name):
    config = resolve("paper", {"data": data, "resolution": 256})
    assert config.run_dir == f"runs/{name}-paper-256"


def test_a_folder_of_data_is_kept_with_its_whole_path(tmp_path, monkeypatch):
    (tmp_path / "my dogs" / "cats").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "my dogs")
    for data in (".", "../my dogs/", str(tmp_path / "my dogs")):
        config = resolve("laptop", {"data": data})
        assert config.data == str(tmp_path / "my dogs")
        assert config.run_dir == "runs/my-dogs-laptop-32"
    # The drawn ones, although there is a folder of that name.
    assert resolve("laptop", {"data": "cats"}).data == "cats"


def test_a_part_of_a_table_leaves_the_rest_to_the_preset():
    config = resolve("laptop", {"batch_size": {8: 6}, "fmap_max": {32: 9}})
    assert config.batch_size == {4: 32, 8: 6, 16: 16, 32: 16}
    assert config.fmap_max == {4: 64, 8: 64, 16: 48, 32: 9}
    # What the preset does not name is the official code's.
    config = resolve("official", {"resolution": 8, "average_decay": {4: 0.5}})
    assert config.average_decay == {4: 0.5, 8: 0.999}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("abc", "must be a whole number for all resolutions, or"),
        ("2.5", "must be a whole number for all resolutions, or"),
        ("4:", "such as 4:64,8:32; not '4:'"),
        ("4:1,8", "such as 4:64,8:32; not '4:1,8'"),
        ("4:2,4:2", "has a resolution twice: '4:2,4:2'"),
    ],
)
def test_tables_that_cannot_be_read_as_flags(text, message):
    with pytest.raises(UserError, match=f"batch_size.*{re.escape(message)}"):
        settings.given_flags(flags_of(f"--batch_size={text}"), TrainConfig)


def test_flags_of_tables():
    given = flags_of("--batch_size=16", "--learning_rate=4:1e-3,32:0.5")
    assert settings.given_flags(given, TrainConfig) == {
        "batch_size": 16,
        "learning_rate": {4: 0.001, 32: 0.5},
    }


def flags_of(*arguments):
    """absl's values of the flags of settings, given on a command line."""
    values = flags.FlagValues()
    definers = {
        name: functools.partial(getattr(flags, name), flag_values=values)
        for name in dir(flags)
        if name.startswith("DEFINE_")
    }
    module = types.SimpleNamespace(disclaim_key_flags=lambda: None, **definers)
    settings.define_flags(module, TrainConfig)
    values(["program", *arguments])
    return values


WRONG = {
    "resolution": [(100, "power of two from 4 to 1024, not 100")],
    "precision": [("int8", "one of auto, float32, bfloat16, float16, not")],
    "xla": [("maybe", "xla must be one of auto, on, off, not 'maybe'")],
    "batch_size": [
        (0, "batch_size at 4x4 must be 1 or more, not 0"),
        (2.5, "must be a whole number, not 2.5"),
        (True, "must be a whole number, not True"),
    ],
    "learning_rate": [
        (0.0, "learning_rate at 4x4 must be more than 0"),
        (float("nan"), "must be a number, not nan"),
        (1e300, "learning_rate at 4x4 must be less than 1000000000"),
    ],
    "fade_kimg": [(-1, "fade_kimg at 4x4 must be 0 or more, not -1")],
    "stable_kimg": [({"7": 1}, "has a number for '7', which is no resolution")],
    "total_kimg": [
        (0, "total_kimg must be more than 0, not 0"),
        (1e300, "total_kimg must be less than 1000000000, not 1e"),
    ],
    "tick_kimg": [(0, "tick_kimg must be more than 0, not 0")],
    "latent_size": [
        (0, "latent_size must be 1 or more, not 0"),
        (10**30, "latent_size must be less than 10000000"),
    ],
    "channels": [(2, "channels must be 1 or 3, not 2")],
    "average_decay": [
        (1.0, "average_decay at 4x4 must be less than 1, not 1.0")
    ],
    "fmap_base": [(4, "fmap_base must be 512 or more for 1024x1024, not 4")],
    "mirror": [(1, "mirror must be true or false, not 1")],
    "data": [(3, "data must be text, not 3")],
    "keep_checkpoint": [(3, "unknown settings: keep_checkpoint")],
}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [(name, *case) for name, cases in WRONG.items() for case in cases],
)
def test_wrong_settings_are_told_in_one_line(name, value, message):
    with pytest.raises(UserError, match=message) as caught:
        resolve("official", {name: value})
    assert "\n" not in str(caught.value)


def test_unknown_preset_lists_the_known():
    with pytest.raises(
        UserError, match="official, paper, table1-a, .*, cats-128, not"
    ):
        resolve("tiny")


def test_a_given_batch_must_be_shared_evenly():
    wanted = "batch_size 6 at 4x4 cannot be shared evenly by 4 devices"
    with pytest.raises(UserError, match=wanted):
        resolve("official", {"batch_size": 6}, replicas=4)


@pytest.mark.parametrize("preset", presets.PRESETS)
def test_json_round_trip(preset):
    config = resolve(preset, {"seed": 7, "labels": True})
    text = config.to_json()
    assert TrainConfig.from_json(text) == config
    assert json.loads(text)["batch_size"]["4"] == config.batch_size[4]


def test_the_configuration_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        resolve().seed = 1


def test_load_config_follows_a_moved_run(tmp_path):
    config = resolve("laptop", {"run_dir": str(tmp_path / "here" / "run")})
    config.save_config()
    (tmp_path / "here").rename(tmp_path / "there")
    moved = tmp_path / "there" / "run"
    expected = dataclasses.replace(config, run_dir=str(moved))
    assert load_config(moved) == expected


def test_folder_that_is_no_run(tmp_path):
    with pytest.raises(UserError, match="expected a run dir") as caught:
        load_config(tmp_path)
    # Not the system's words for it, which are no help.
    assert str(caught.value).endswith(f"there is no {tmp_path}/config.json")


@pytest.mark.parametrize("text", ["{", "[]", '{"sead": 1}', '{"seed":""}'])
def test_unreadable_config_names_its_path(tmp_path, text):
    path = tmp_path / "config.json"
    path.write_text(text)
    with pytest.raises(UserError) as caught:
        load_config(tmp_path)
    assert str(path) in str(caught.value)


def test_step_is_4_passes_of_one_and_14_of_the_other():
    config = resolve("official", {"resolution": 16})
    flops = config.architecture.forward_flops
    generator, discriminator = (
        flops(name, 16) for name in ("generator", "discriminator")
    )
    step = config.step_flops_per_image(16)
    assert step == 4 * generator + 14 * discriminator
    config = resolve(
        "official",
        {"resolution": 16, "penalty_every": 4, "discriminator_steps": 3},
    )
    # A penalty in every fourth step, the generator in every third.
    step = config.step_flops_per_image(16)
    expected = 2 * generator + (6 + 6 / 4 + 2 / 3) * discriminator
    assert step == pytest.approx(expected)
    # R1 takes the slope of scores that are there anyway.
    settings = {"resolution": 16, "loss": "logistic", "penalty": "r1"}
    step = resolve("official", settings).step_flops_per_image(16)
    assert step == 4 * generator + (8 + 3) * discriminator


def test_step_at_64_with_at_most_128_maps():
    config = resolve("official", {"resolution": 64, "fmap_max": 128})
    assert config.step_flops_per_image(64) == pytest.approx(42e9, rel=0.01)


def test_the_weight_of_a_penalty_follows_it():
    settings = {"resolution": 16, "batch_size": 8, "loss": "logistic"}
    for penalty, weight in (("wgan_gp", 10.0), ("r1", 10.0), ("none", 0.0)):
        config = resolve("official", settings | {"penalty": penalty})
        assert config.gradient_penalty == {4: weight, 8: weight, 16: weight}
    settings |= {"penalty": "r1", "gradient_penalty": {8: 3.0}}
    config = resolve("official", settings)
    assert config.drift == 0
    assert config.gradient_penalty == {4: 10.0, 8: 3.0, 16: 10.0}
    assert TrainConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"penalty": "r1"}, "use --penalty=wgan_gp or r1_r2"),
        ({"penalty": "none"}, "wgan needs a penalty that bounds its scores"),
        ({"loss": "hinge", "drift": 0.1}, "drift belongs to --loss=wgan"),
        (
            {"loss": "hinge", "penalty": "r1", "wgan_target": 750.0},
            "wgan_target belongs to --penalty=wgan_gp, not to r1",
        ),
        (
            {"loss": "hinge", "penalty": "none", "gradient_penalty": 1.0},
            "gradient_penalty needs a penalty",
        ),
        (
            {"loss": "hinge", "penalty": "none", "penalty_every": 2},
            "penalty_every needs a penalty",
        ),
        ({"loss": "wasserstein"}, "loss must be one of wgan, logistic"),
        ({"penalty_every": 0}, "penalty_every must be 1 or more"),
        ({"gradient_penalty": -1.0}, "gradient_penalty at 4x4 must be 0 or"),
        ({"discriminator_steps": -1}, "discriminator_steps must be 1 or more"),
        ({"adam_beta2": 1.0}, "adam_beta2 must be less than 1"),
        ({"rampup_kimg": -1}, "rampup_kimg must be 0 or more"),
        ({"minibatch_discrimination": 10_000}, "must be less than 10000"),
    ],
)
def test_settings_of_losses_that_do_not_go_together(settings, message):
    with pytest.raises(UserError, match=message):
        resolve("official", settings)


def test_a_run_that_does_not_grow():
    settings = {"resolution": 16, "growing": False}
    (phase,) = resolve("official", settings).schedule().phases
    # 12,000 kimg by the preset; else as many as it would have in growing.
    assert (phase.resolution, phase.start, phase.end) == (16, 0, 12_000_000)
    assert phase.fade_end == 0
    (phase,) = resolve("laptop", settings).schedule().phases
    assert phase.end == 1000 * (8 + 8 + 12 + 12 + 20)
    with pytest.raises(UserError, match="a schedule of at least one image"):
        resolve("laptop", settings | {"total_kimg": 0.0004})


def test_classes_of_which_none_has_pictures():
    text = TrainConfig(num_classes=2, empty_classes="0").to_json()
    assert TrainConfig.from_json(text).drawn_classes() == [1]
    with pytest.raises(UserError, match="empty_classes"):
        TrainConfig.from_json(text.replace('classes": "0"', 'classes": "0,1"'))
