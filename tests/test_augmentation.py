"""The transforms against NumPy, on fixed random numbers."""

import statistics

import numpy as np
import pytest
import tensorflow as tf

from progan_tf.augmentation import (
    ADAPTING_STEPS,
    TRANSFORMS,
    adapted,
    augmented,
    leaks,
)
from progan_tf.config import resolve
from progan_tf.config.report import notices
from progan_tf.errors import UserError

# A switch is on below p: here all are, by numbers of 0.
ON = 0.0
HALF = 0.5  # In the middle: no change where one is about 0.
DIFF_AUGMENT = ("color", "translation", "cutout")
POLICIES = [DIFF_AUGMENT, ("ada",), *((name,) for name in DIFF_AUGMENT)]


def noise(side=8, channels=3, batch=2, seed=0):
    random = np.random.default_rng(seed)
    shape = (batch, side, side, channels)
    return random.uniform(-1, 1, shape).astype("float32")


def changed(images, name, *numbers, p=1.0):
    """What a transform makes of pictures that all have the same numbers."""
    uniform = np.tile(np.float32(numbers), (len(images), 1))
    return augmented(tf.constant(images), {name: tf.constant(uniform)}, p)


def random_numbers(names, batch, seed):
    """What `augmented` takes for some transforms, dict of arrays."""
    random = np.random.default_rng(seed)
    return {
        name: random.uniform(size=(batch, TRANSFORMS[name].numbers)).astype(
            "float32"
        )
        for name in names
    }


def ada_numbers(**given):
    """The numbers of `ada`; only the changes that are named are on."""
    order = ("flip", "turn", "shift", "scale", "angle")
    order += ("brightness", "contrast", "hue", "saturation")
    counts = {"shift": 2}
    numbers = []
    for name in order:
        values = np.atleast_1d(given.get(name, [HALF] * counts.get(name, 1)))
        numbers += [ON if name in given else 0.99, *values]
    assert len(numbers) == TRANSFORMS["ada"].numbers
    return numbers


def quantile(u):
    return statistics.NormalDist().inv_cdf(u)


@pytest.mark.parametrize("channels", [1, 3])
def test_color(channels):
    x = noise(channels=channels)
    found = changed(x, "color", ON, 0.9, 0.2, 0.7)
    x = x.astype("float64") + 0.4
    grey = x.mean(3, keepdims=True)
    x = (x - grey) * 0.4 + grey
    mean = x.mean((1, 2, 3), keepdims=True)
    np.testing.assert_allclose(found, (x - mean) * 1.2 + mean, atol=1e-6)


@pytest.mark.parametrize(
    ("side", "down", "right"),
    # Of 2 * side // 8 + 1 shifts, by numbers 0, 0.99 and 0.5.
    [(8, -1, 1), (16, -2, 2), (32, -4, 4)],
)
def test_translation_is_relative_to_the_picture(side, down, right):
    x = noise(side)
    found = changed(x, "translation", ON, 0.0, 0.99).numpy()
    expected = np.zeros_like(x)
    expected[:, :down, right:] = x[:, -down:, :-right]
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(changed(x, "translation", ON, 0.5, 0.5), x)


def test_a_picture_of_4x4_is_not_shifted():
    x = noise(4)
    np.testing.assert_array_equal(changed(x, "translation", ON, 0.0, 0.99), x)


@pytest.mark.parametrize("side", [4, 8, 64])
def test_cutout_is_half_of_the_side(side):
    x = noise(side)
    quarter = side // 4
    # The middle is at the last pixel's end below, in the picture's across.
    found = changed(x, "cutout", ON, 0.9999, 0.5).numpy()
    expected = x.copy()
    expected[:, -quarter:, quarter:-quarter] = 0
    np.testing.assert_array_equal(found, expected)


ANGLE = 0.3
BLITS = {
    "flip": (0.75, lambda x: x[:, :, ::-1]),
    "turn": (0.3, lambda x: np.rot90(x, 1, (1, 2))),
    "half turn": (0.6, lambda x: x[:, ::-1, ::-1]),
}


@pytest.mark.parametrize("name", BLITS)
def test_blits_of_ada_move_whole_pixels(name):
    number, expected = BLITS[name]
    x = noise()
    numbers = ada_numbers(**{name.split()[-1]: number})
    found = changed(x, "ada", *numbers, p=0.5).numpy()
    if name == "turn":
        # Either way round, as its distribution has both alike.
        either = [expected(x), np.rot90(x, -1, (1, 2))]
        assert any(np.array_equal(found, y) for y in either)
    else:
        np.testing.assert_array_equal(found, expected(x))


@pytest.mark.parametrize("side", [4, 16])
def test_shifts_of_ada_come_in_mirrored(side):
    x = noise(side)
    found = changed(x, "ada", *ada_numbers(shift=[0.95, HALF]), p=0.5).numpy()
    # 0.45 / 4 of the side, rounded.
    shift = round(0.1125 * side)
    expected = np.concatenate([x[:, :shift][:, ::-1], x], 1)[:, :side]
    np.testing.assert_array_equal(found, expected)


def sampled(picture, y, x):
    """One pixel, bilinear, mirrored at the picture's edges; by a loop."""
    side = len(picture)

    def pixel(row, column):
        row, column = (
            min(n % (2 * side), 2 * side - 1 - n % (2 * side))
            for n in (row, column)
        )
        return picture[row, column].astype("float64")

    top, left = int(np.floor(y)), int(np.floor(x))
    down, right = y - top, x - left
    upper = (1 - right) * pixel(top, left) + right * pixel(top, left + 1)
    lower = (1 - right) * pixel(top + 1, left) + right * pixel(
        top + 1, left + 1
    )
    return (1 - down) * upper + down * lower


def test_scale_and_rotation_of_ada():
    side = 6
    x = noise(side, batch=1)
    u_scale, u_angle = 0.05, 0.62
    scale = 2 ** (0.2 * quantile(u_scale))
    angle = (2 * u_angle - 1) * np.pi
    numbers = ada_numbers(scale=u_scale, angle=u_angle)
    found = changed(x, "ada", *numbers, p=0.5).numpy()[0]
    middle = (side - 1) / 2
    cosine, sine = np.cos(angle) / scale, np.sin(angle) / scale
    for i in range(side):
        for j in range(side):
            a, b = i - middle, j - middle
            place = cosine * a - sine * b, sine * a + cosine * b
            expected = sampled(x[0], place[0] + middle, place[1] + middle)
            np.testing.assert_allclose(found[i, j], expected, atol=1e-5)


def test_colours_of_ada():
    x = noise()
    u = {"brightness": 0.7, "contrast": 0.2, "hue": 0.8, "saturation": 0.9}
    found = changed(x, "ada", *ada_numbers(**u), p=0.5)
    x = x + 0.2 * quantile(0.7)
    x = x * 2 ** (0.5 * quantile(0.2))
    # A rotation matrix about the axis of greys has these in its rows.
    angle = 0.6 * np.pi
    a, b, c = (
        (1 + 2 * np.cos(angle + k * 2 * np.pi / 3)) / 3 for k in range(3)
    )
    matrix = np.array([[a, b, c], [c, a, b], [b, c, a]])
    assert np.linalg.det(matrix) == pytest.approx(1)
    x = x @ matrix.T
    grey = x.mean(3, keepdims=True)
    x = (x - grey) * 2 ** quantile(0.9) + grey
    np.testing.assert_allclose(found, x, atol=1e-5)


@pytest.mark.parametrize("names", POLICIES)
@pytest.mark.parametrize(("side", "channels"), [(4, 3), (8, 1), (16, 3)])
def test_with_p_0_not_a_bit_changes(names, side, channels):
    x = noise(side, channels, batch=5)
    numbers = random_numbers(names, 5, seed=1)
    found = augmented(tf.constant(x), numbers, tf.constant(0.0))
    np.testing.assert_array_equal(found, x)
    found = augmented(tf.constant(x), numbers, tf.constant(1.0))
    assert found.shape == x.shape
    # Nothing is shifted at 4x4.
    same = names == ("translation",) and side == 4
    assert np.array_equal(found, x) == same


@pytest.mark.parametrize("names", POLICIES)
def test_each_picture_is_changed_by_its_own_numbers(names):
    x = np.repeat(noise(batch=1), 8, 0)
    numbers = random_numbers(names, 8, seed=2)
    found = augmented(tf.constant(x), numbers, 0.6).numpy()
    assert len(np.unique(found.reshape(8, -1), axis=0)) > 2
    numbers = {name: some[3:4] for name, some in numbers.items()}
    alone = augmented(tf.constant(x[:1]), numbers, 0.6)
    np.testing.assert_allclose(alone[0], found[3], atol=1e-6)


@pytest.mark.parametrize("names", POLICIES)
@pytest.mark.parametrize("jit", [False, True])
def test_derivatives_are_those_of_finite_differences(names, jit):
    x = tf.constant(noise(batch=3))
    numbers = random_numbers(names, 3, seed=3)
    for some in numbers.values():
        some[:, 0] = ON
    direction, weights = noise(batch=3, seed=4), noise(batch=3, seed=5)

    @tf.function(jit_compile=jit)
    def total(images):
        found = augmented(images, numbers, 0.9)
        return tf.reduce_sum(found * weights)

    @tf.function(jit_compile=jit)
    def slope(images):
        (gradient,) = tf.gradients(total(images), images)
        return tf.reduce_sum(gradient * direction)

    # The transforms are linear in the pictures, so steps may be large.
    step = 0.5
    difference = (total(x + step * direction) - total(x - step * direction)) / (
        2 * step
    )
    assert float(slope(x)) == pytest.approx(float(difference), rel=1e-4)


def test_brightness_of_ada_has_the_deviation_of_the_paper():
    x = np.tile(noise(4, batch=1), (4000, 1, 1, 1))
    uniform = np.tile(np.float32(ada_numbers(brightness=HALF)), (4000, 1))
    (column,) = np.flatnonzero(uniform[0] == ON) + 1
    uniform[:, column] = np.random.default_rng(6).uniform(size=4000)
    found = augmented(tf.constant(x), {"ada": uniform}, 0.5)
    shifts = (found.numpy() - x).mean((1, 2, 3))
    assert shifts.std() == pytest.approx(0.2, rel=0.05)
    assert abs(shifts.mean()) < 0.02


def test_p_follows_the_scores_of_reals():
    state = tf.constant([0.5, 0.0, 0.0])
    for number in range(1, ADAPTING_STEPS):
        state = adapted(state, 1.0, 50, 0.6)
        np.testing.assert_array_equal(state, [0.5, number, number])
    # Four minibatches of 50 of 500,000 images.
    state = adapted(state, 1.0, 50, 0.6)
    np.testing.assert_allclose(state, [0.5 + 200 / 500_000, 0, 0])
    for _ in range(ADAPTING_STEPS):
        state = adapted(state, 0.5, 50, 0.6)
    np.testing.assert_allclose(state, [0.5, 0, 0])
    for p, sign in ((0.0, -1.0), (1.0, 1.0)):
        state = tf.constant([p, 0.0, 0.0])
        for _ in range(ADAPTING_STEPS):
            state = adapted(state, sign, 50, 0.6)
        np.testing.assert_array_equal(state, [p, 0, 0])


@pytest.mark.parametrize("name", TRANSFORMS)
def test_a_transform_takes_as_many_numbers_as_it_says(name):
    count = TRANSFORMS[name].numbers
    changed(noise(), name, *[0.0] * count)
    with pytest.raises((StopIteration, RuntimeError)):
        changed(noise(), name, *[0.0] * (count - 1))


ADAPTED = {"loss": "logistic", "penalty": "r1", "augment": "ada"}
WRONG = [
    ({"augment": "colour"}, "augment must be none, ada, or a list out of"),
    ({"augment": "color,color"}, "augment must be none, ada, or a list out"),
    ({"augment": "ada,color"}, "augment must be none, ada, or a list out of"),
    ({"augment": ""}, "augment must be none, ada, or a list out of"),
    ({"augment_p": 0.5}, "augment_p needs --augment, which is none"),
    ({"augment": "color", "augment_p": 1.5}, "augment_p must be from 0 to 1"),
    ({"augment": "color", "augment_p": -0.1}, "augment_p must be 0 or more"),
    ({"augment": "ada"}, "needs --augment_p with --loss=wgan"),
    ({"augment": "ada", "ada_target": 0.5}, "with --loss=wgan"),
    ({"ada_target": 0.5}, "ada_target needs --augment=ada without"),
    ({"augment": "color", "ada_target": 0.5}, "ada_target needs --augment=ada"),
    (ADAPTED | {"augment_p": 0.1, "ada_target": 0.5}, "without --augment_p"),
    (ADAPTED | {"ada_target": 1.0}, "less than 1"),
    (ADAPTED | {"ada_target": 0.0}, "ada_target must be more than 0"),
]


@pytest.mark.parametrize(("given", "message"), WRONG, ids=str)
def test_settings_that_contradict(given, message):
    with pytest.raises(UserError) as caught:
        resolve("laptop", given)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "given",
    [
        {"augment": "cutout,color"},
        {"augment": "ada", "augment_p": 0.5},
        {"augment": "ada", "augment_p": 1.0},
        ADAPTED,
        ADAPTED | {"ada_target": 0.5},
        *(
            {"loss": loss, "penalty": "r1_r2", "augment": "ada"}
            for loss in ("hinge", "lsgan", "relativistic")
        ),
    ],
    ids=str,
)
def test_settings_that_agree(given):
    config = resolve("laptop", given)
    assert {name: getattr(config, name) for name in given} == given


def test_what_leaks_is_told():
    assert "grey squares" in leaks("color,cutout", 1.0)
    assert "turned" in leaks("ada", 0.8)
    for text, p in (("color,translation", 1.0), ("ada", 0.7), ("none", 1.0)):
        assert leaks(text, p) == ""
    config = resolve("laptop", {"augment": "cutout"})
    (line,) = notices(config, 1)
    assert line == leaks("cutout", 1.0)
    adapted_config = resolve("laptop", ADAPTED)
    assert notices(adapted_config, 1) == []
