"""Comparison of pictures with the data."""

import numpy as np
import pytest
from comparing import (
    ALL,
    FAKES,
    SIZE,
    WITHOUT_FEATURES,
    Projections,
    comparison,
    in_batches,
    no_bar,
    reals_in,
    values_of,
)
from pictures import random_pixels, write_pictures
from tiny import make_folder

from progan_tf import metrics
from progan_tf.data import Cats, open_source
from progan_tf.errors import UserError
from progan_tf.evaluation import measures
from progan_tf.evaluation.comparison import Comparison
from progan_tf.evaluation.reals import Reals, at_resolution
from progan_tf.evaluation.statistics_cache import StatisticsCache


@pytest.fixture
def folder(tmp_path):
    return write_pictures(tmp_path / "data", count=40, size=SIZE)


def test_reals_come_in_one_shuffled_order(folder):
    reals = reals_in(folder)
    images = np.concatenate([*reals.batches(0, 40)])
    by_number = random_pixels(40, SIZE, SIZE, 3)
    numbers = [(by_number == image).all((1, 2, 3)).argmax() for image in images]
    assert numbers != sorted(numbers)
    assert sorted(numbers) == list(range(40))
    some = np.concatenate([*reals.batches(7, 9)])
    np.testing.assert_array_equal(some, images[7:16])
    # Beyond the last all come again.
    again = np.concatenate([*reals.batches(40, 40)])
    assert {image.tobytes() for image in again} == {
        image.tobytes() for image in images
    }


def test_half_of_the_reals_are_mirrored(folder):
    plain = np.concatenate([*reals_in(folder).batches(0, 40)])
    mirrored = np.concatenate([*reals_in(folder, mirror=True).batches(0, 40)])
    same = (plain == mirrored).all((1, 2, 3))
    turned = (plain[:, :, ::-1] == mirrored).all((1, 2, 3))
    assert (same ^ turned).all()
    assert 10 < turned.sum() < 30


def test_fakes_are_asked_for_classes_as_frequent_as_in_the_data(tmp_path):
    make_folder(tmp_path, count=30)
    for path in sorted((tmp_path / "odd").iterdir())[3:]:
        path.unlink()
    reals = Reals(open_source(str(tmp_path), labels=True), str(tmp_path), 8)
    labels = reals.fake_labels(0, 3000)
    # Of 18 pictures 15 are even.
    assert abs(np.mean(labels == 0) - 15 / 18) < 0.03
    np.testing.assert_array_equal(reals.fake_labels(5, 10), labels[5:15])


def test_results_are_those_of_the_metrics(tmp_path):
    features = Projections()
    reals = Reals(Cats(), "cats", SIZE)
    made = comparison(reals, tmp_path, ALL, 64, features)
    assert made.images == 64
    assert made.notices() == []
    first, second = (
        np.concatenate([*reals.batches(start, 64)]) for start in (0, 64)
    )
    results = made.results(in_batches(FAKES, 64), "")
    floors = {result.metric: result.reals for result in results}
    assert {result.images for result in results} == {64}
    assert {result.reals_images for result in results} == {64}
    for fakes, found in ((FAKES, values_of(results)), (second, floors)):
        distance = metrics.sliced_wasserstein(first, fakes)
        assert found["swd"] == {
            "swd_16": distance.levels[16],
            "swd_avg": distance.average,
        }
        vectors = [
            metrics.extract_features(features, x) for x in (first, fakes)
        ]
        gaussians = map(metrics.gaussian_statistics, vectors)
        assert found["frechet"] == {
            "frechet_distance": metrics.frechet_distance(*gaussians)
        }
        distance = metrics.kernel_distance(*vectors)
        assert found["kid"] == {
            "kid": distance.mean,
            "kid_deviation": distance.deviation,
        }
        shares = metrics.precision_recall(*vectors)
        assert found["precision_recall"] == {
            "precision": shares.precision,
            "recall": shares.recall,
        }
        score = metrics.inception_score(vectors[1])
        assert found["inception_score"]["inception_score"] == score.mean
    similarity = metrics.ms_ssim(FAKES)
    assert values_of(results)["ms_ssim"] == {"ms_ssim": similarity}
    assert floors["ms_ssim"] == {"ms_ssim": metrics.ms_ssim(first)}


def test_results_do_not_depend_on_the_batches(tmp_path):
    reals = Reals(Cats(), "cats", SIZE)
    made = comparison(reals, tmp_path, ALL, 50, Projections())
    one = made.results(in_batches(FAKES[:50], 50), "")
    other = made.results(in_batches(FAKES[:50], 1, 13, 30), "")
    assert one == other


def test_the_published_numbers_of_images():
    names = {
        name: measure.images
        for measure in measures.make_measures(ALL, Projections())
        for name in measure.metrics
    }
    assert names == {
        "swd": 16384,
        "ms_ssim": 20000,
        "frechet": 50000,
        "inception_score": 50000,
        "kid": 50000,
        "precision_recall": 50000,
    }


def test_each_metric_takes_its_own_number_from_one_pass(tmp_path, monkeypatch):
    reals = Reals(Cats(), "cats", SIZE)
    swd, ms_ssim = measures.make_measures(WITHOUT_FEATURES)
    swd.images, ms_ssim.images = 24, 64
    cache = StatisticsCache(tmp_path)
    made = Comparison([swd, ms_ssim], reals, None, None, cache, no_bar)
    made.prepare()
    assert made.images == 64
    found = values_of(made.results(in_batches(FAKES, 10), ""))
    first = np.concatenate([*reals.batches(0, 24)])
    distance = metrics.sliced_wasserstein(first, FAKES[:24])
    assert found["swd"]["swd_avg"] == distance.average
    assert found["ms_ssim"]["ms_ssim"] == metrics.ms_ssim(FAKES)


def test_fewer_data_than_pictures(folder, tmp_path):
    reals = reals_in(folder)
    made = comparison(reals, tmp_path / "cache", ALL, 64, Projections())
    notices = " ".join(made.notices())
    assert "swd: the data have 40 pictures, which are repeated" in notices
    assert "precision_recall: compared with all 40 pictures" in notices
    assert "compares two sets of 20 pictures, fewer than" in notices
    results = {x.metric: x for x in made.results(in_batches(FAKES, 64), "")}
    once = np.concatenate([*reals.batches(0, 40)])
    repeated = np.concatenate([*reals.batches(0, 64)])
    distance = metrics.sliced_wasserstein(repeated, FAKES)
    assert results["swd"].values["swd_avg"] == distance.average
    vectors = [
        metrics.extract_features(Projections(), x) for x in (once, FAKES)
    ]
    shares = metrics.precision_recall(*vectors)
    assert results["precision_recall"].values["recall"] == shares.recall
    # The floor is that of two sets without a picture in common.
    distance = metrics.sliced_wasserstein(once[:20], once[20:])
    assert results["swd"].reals["swd_avg"] == distance.average
    assert results["swd"].reals_images == 20


def test_mistakes(tmp_path):
    reals = Reals(Cats(), "cats", SIZE)
    with pytest.raises(UserError, match="at least 2 pictures for the MS-SSIM"):
        comparison(reals, tmp_path, count=1)
    made = comparison(reals, tmp_path, count=32)
    small = in_batches(random_pixels(32, 8, 8, 3), 32)
    with pytest.raises(UserError, match="expected pictures of 16x16"):
        made.results(small, "")
    with pytest.raises(UserError, match="power of two from 16x16 up"):
        comparison(Reals(Cats(), "cats", 8), tmp_path, ["swd"], 32)
    with pytest.raises(UserError, match="received 'fid'"):
        measures.check_names(["swd", "fid"], True)
    with pytest.raises(UserError, match="kid need --features=: the file"):
        measures.check_names(["swd", "kid"], False)


def test_pictures_of_another_size():
    image = np.array([[[[10], [20]], [[30], [42]]]], "uint8")
    up = at_resolution(image, 4)
    assert up[0, :, :, 0].tolist() == [
        [10, 10, 20, 20],
        [10, 10, 20, 20],
        [30, 30, 42, 42],
        [30, 30, 42, 42],
    ]
    np.testing.assert_array_equal(at_resolution(up, 2), image)
    # 102 / 4 = 25.5, to the nearest even number.
    assert at_resolution(image, 1).tolist() == [[[[26]]]]
    with pytest.raises(UserError, match="2x2 at 3x3"):
        at_resolution(image, 3)
