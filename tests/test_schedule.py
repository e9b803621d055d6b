"""The schedule: what holds at any number of images seen."""

import pytest

from progan_tf.config import resolve
from progan_tf.errors import UserError
from progan_tf.schedule import GrowthSchedule, Phase

KIMG = 1000
# First and last kimg of each fade with the official code's default settings.
OFFICIAL_FADES = {
    8: (600, 1200),
    16: (1800, 2400),
    32: (3000, 3600),
    64: (4200, 4800),
    128: (5400, 6000),
    256: (6600, 7200),
    512: (7800, 8400),
    1024: (9000, 9600),
}


def small_schedule(total_images=None, fade=100, stable=50):
    """4x4 for 50 images, then 8x8 and 16x16 fade over 100, train 50."""
    return GrowthSchedule(
        16,
        fade_images=dict.fromkeys((4, 8, 16, 32), fade),
        stable_images=dict.fromkeys((4, 8, 16, 32), stable),
        batch_sizes={4: 8, 8: 4, 16: 3, 32: 1},
        learning_rates={4: 0.1, 8: 0.2, 16: 0.3, 32: 0.4},
        total_images=total_images,
    )


def test_phases_in_full():
    assert small_schedule().phases == (
        Phase(4, 0, 0, 50, 50, 8, 0.1),
        Phase(8, 50, 100, 50, 200, 4, 0.2),
        Phase(16, 200, 100, 50, 350, 3, 0.3),
    )


def test_a_resolution_is_finished_where_its_fade_ends():
    finished = small_schedule().finished
    assert finished(0) == finished(149) == (4,)
    assert finished(150) == finished(299) == (4, 8)
    assert finished(300) == finished(350) == (4, 8, 16)


def test_official_fade_windows():
    schedule = resolve("official").schedule()
    fades = {
        phase.resolution: (phase.start / KIMG, phase.fade_end / KIMG)
        for phase in schedule.phases
        if phase.fade_images
    }
    assert fades == OFFICIAL_FADES
    assert schedule.phases[-1].stable_images == 2400 * KIMG
    assert schedule.total_images == 12000 * KIMG


def test_official_minibatch_during_a_fade_is_the_higher_resolutions():
    schedule = resolve("official").schedule()
    assert schedule.at(3000 * KIMG - 1).batch_size == 128
    assert schedule.at(3000 * KIMG).batch_size == 64
    assert schedule.at(9000 * KIMG).learning_rate == 0.0015


@pytest.mark.parametrize(
    ("preset", "replicas", "steps"),
    [
        ("official", 1, 1_354_687),
        ("official", 8, 277_733),
        ("paper", 1, 3_264_284),
    ],
)
def test_steps_in_total_are_the_official_codes(preset, replicas, steps):
    schedule = resolve(preset, replicas=replicas).schedule()
    ours = schedule.steps_until(0, schedule.total_images)
    # The official code sees a boundary only at every fourth minibatch.
    assert ours == pytest.approx(steps, rel=1e-4)


def test_phases_follow_each_other_and_double():
    phases = resolve("official").schedule().phases
    assert phases[0].start == 0
    assert phases[0].fade_images == 0
    for before, after in zip(phases, phases[1:], strict=False):
        assert after.start == before.end
        assert after.resolution == 2 * before.resolution


def test_alpha_is_piecewise_linear():
    schedule = small_schedule()
    expected = {0: 1, 49: 1, 50: 0, 75: 0.25, 100: 0.5, 149: 0.99}
    expected |= {150: 1, 199: 1, 200: 0, 290: 0.9, 300: 1, 349: 1, 999: 1}
    assert {n: schedule.alpha(n) for n in expected} == pytest.approx(expected)


def test_alpha_stays_in_range_and_grows_within_a_phase():
    schedule = small_schedule()
    for n in range(400):
        assert 0.0 <= schedule.alpha(n) <= 1.0
        if schedule.at(n) == schedule.at(n + 1):
            assert schedule.alpha(n) <= schedule.alpha(n + 1)


def test_stage_changes_exactly_at_both_ends_of_each_fade():
    schedule = small_schedule()
    changes = [
        n for n in range(1, 500) if schedule.stage(n) != schedule.stage(n - 1)
    ]
    assert changes == [50, 150, 200, 300]
    assert [schedule.stage(n) for n in (0, 50, 150, 200, 300)] == [*range(5)]


def test_stage_does_not_depend_on_lengths():
    at_once = small_schedule(fade=0)
    assert [p.resolution for p in at_once.phases] == [4, 8, 16]
    assert [at_once.stage(n) for n in (0, 50, 100)] == [0, 2, 4]


def test_next_boundary_is_where_alpha_or_the_phase_bends():
    schedule = small_schedule()
    boundaries = [0]
    while boundaries[-1] < schedule.total_images:
        boundaries.append(schedule.next_boundary(boundaries[-1]))
    assert boundaries == [0, 50, 150, 200, 300, 350]
    assert schedule.next_boundary(149) == 150
    assert schedule.next_boundary(999) == schedule.total_images


def test_a_longer_total_extends_the_last_phase_only():
    longer, plain = small_schedule(1000), small_schedule()
    assert longer.phases[:-1] == plain.phases[:-1]
    assert longer.phases[-1] == Phase(16, 200, 100, 700, 1000, 3, 0.3)


@pytest.mark.parametrize("total", [1, 50, 51, 130, 150, 199, 200, 201, 349])
def test_a_shorter_total_moves_nothing_before_it(total):
    shorter, plain = small_schedule(total), small_schedule()
    assert shorter.total_images == total
    assert shorter.phases[-1].start < total
    for n in range(total):
        assert shorter.alpha(n) == plain.alpha(n)
        assert shorter.stage(n) == plain.stage(n)
        assert shorter.at(n).start == plain.at(n).start
        assert shorter.at(n).resolution == plain.at(n).resolution


def test_a_total_within_a_fade_ends_it_early():
    last = small_schedule(130).phases[-1]
    assert last == Phase(8, 50, 100, 0, 130, 4, 0.2)
    assert last.fade_end == 150
    assert small_schedule(130).next_boundary(60) == 130


def test_past_the_end_the_last_phase_holds():
    schedule = small_schedule()
    assert schedule.at(350) == schedule.at(10**9) == schedule.phases[-1]


def test_steps_until_counts_what_a_loop_would():
    schedule = small_schedule()
    for target in (0, 1, 8, 50, 52, 201, 350, 400):
        images_seen = steps = 0
        while images_seen < target:
            images_seen += schedule.at(images_seen).batch_size
            steps += 1
        assert schedule.steps_until(0, target) == steps
    assert schedule.steps_until(349, 350) == 1
    assert schedule.steps_until(350, 350) == 0


def test_something_is_finished_in_the_end():
    # 4x4 is left out, and 8x8 fades in over 100 images.
    small_schedule(100, stable=0)
    message = (
        "the schedule must fade in its first resolution, 8x8, which takes "
        "0.1 kimg, but ends at 0.099; raise --total_kimg or lower --fade_kimg"
    )
    with pytest.raises(UserError, match=f"^{message}$"):
        small_schedule(99, stable=0)
    # Here 4x4 is finished when training ends.
    small_schedule(60)


def test_no_growth_at_all_with_zero_lengths():
    schedule = small_schedule(500, fade=0, stable=0)
    assert schedule.phases == (Phase(16, 0, 0, 500, 500, 3, 0.3),)
    assert schedule.alpha(0) == 1.0


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("fade_images", {4: 0, 8: -1}, "fade_images at 8x8 must be 0 or more"),
        ("stable_images", {4: 1}, "stable_images must have a number for 8x8"),
        ("batch_sizes", {4: 0, 8: 1}, "batch_sizes at 4x4 must be 1 or more"),
        ("learning_rates", {4: 0.0, 8: 1}, "must be more than 0, not 0.0"),
        ("resolution", 12, "power of two from 4 to 1024, not 12"),
        ("total_images", 0, "a schedule of at least one image"),
    ],
)
def test_wrong_arguments_are_named(name, value, message):
    arguments = {
        "resolution": 8,
        "fade_images": {4: 1, 8: 1},
        "stable_images": {4: 1, 8: 1},
        "batch_sizes": {4: 1, 8: 1},
        "learning_rates": {4: 1, 8: 1},
    }
    with pytest.raises(UserError, match=message):
        GrowthSchedule(**{**arguments, name: value})


def rates_of(seen, **ramps):
    """Rates of 4x4, 1.0, and 8x8, 3.0, whose stages have 100 images."""
    schedule = GrowthSchedule(
        8,
        {4: 0, 8: 100},
        {4: 100, 8: 100},
        {4: 10, 8: 20},
        {4: 1.0, 8: 3.0},
        **ramps,
    )
    return [schedule.learning_rate(each) for each in seen]


def test_the_rate_rises_from_both_ends_of_each_fade():
    seen = [0, 10, 30, 90, 100, 120, 180, 200, 220]
    rates = rates_of(seen, rampup_images=40)
    assert rates == [0.25, 0.5, 1, 1, 1.5, 3, 3, 1.5, 3]


def test_the_rate_falls_towards_the_end():
    seen = [0, 100, 170, 180, 200, 240, 280, 299, 300]
    rates = rates_of(seen, rampup_images=40, rampdown=0.4)
    # At 200 a stage begins: half of it, of 100 / 120 of the rate.
    assert rates == pytest.approx(
        [0.25, 1.5, 3, 3, 1.25, 1.5, 0.5, 0.025, 0], abs=1e-12
    )
