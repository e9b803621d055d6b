"""Evaluating runs, modules and folders, in the library and by the command."""

import json
import pathlib
import zipfile

import numpy as np
import pytest
import tensorflow as tf
from pictures import write_pictures
from PIL import Image
from processes import assert_mistake, finished, started_command
from tiny import make_folder, make_growing_run, make_run

from progan_tf import metrics, preparation
from progan_tf.checkpoint import load_generator
from progan_tf.config import resolve
from progan_tf.data import Cats, open_source
from progan_tf.errors import UserError
from progan_tf.evaluation.evaluation import Evaluation, reals_for
from progan_tf.evaluation.lines import read_lines
from progan_tf.evaluation.opening import open_subjects
from progan_tf.evaluation.reals import Reals
from progan_tf.evaluation.snapshots import Snapshots
from progan_tf.export import export_saved_model
from progan_tf.sampling import as_generator, generate_images

COUNT = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A run of three snapshots; the second is fading in, half way."""
    return make_growing_run(tmp_path_factory.mktemp("run"))


def evaluated(where, names, cache, count=COUNT, every=False, **options):
    """What is found in the pictures of `open_subjects(**where)`."""
    what = open_subjects(**where, every=every)
    reals = reals_for(what, options.pop("data", None))
    evaluation = Evaluation(
        what, reals, names, num_images=count, cache_dir=cache, **options
    )
    return evaluation.run()


def distance_from_cats(images):
    """The sliced Wasserstein distance from as many cats."""
    reals = Reals(Cats(), "cats", images.shape[1])
    (first,) = reals.batches(0, len(images))
    return metrics.sliced_wasserstein(first, images).average


def test_every_snapshot_of_a_run(folder, tmp_path, capsys):
    cache = tmp_path / "cache"
    where = {"run_dir": str(folder)}
    found = evaluated(where, ["swd", "ms_ssim"], cache, every=True)
    run = Snapshots(folder)
    # The oldest first, as TensorBoard wants them.
    assert [subject.images_seen for subject, _ in found] == [
        snapshot.images_seen for snapshot in run.snapshots
    ]
    for (_, results), snapshot in zip(found, run.snapshots, strict=True):
        fakes = generate_images(run.generator(snapshot), range(COUNT))
        values = {result.metric: result.values for result in results}
        assert values["swd"]["swd_avg"] == distance_from_cats(fakes)
        assert values["ms_ssim"]["ms_ssim"] == metrics.ms_ssim(fakes)
    told = capsys.readouterr().out
    *_, head, reals, first, second, third = told.splitlines()
    assert head.split() == ["swd_16", "swd_avg", "ms_ssim"]
    assert reals.startswith("reals ")
    assert second.startswith("58.0 kimg, 16x16 alpha 0.50 ")
    assert third.startswith("92.0 kimg, 16x16 ")
    assert first.split()[-3:] == [
        f"{value:.4g}"
        for result in found[0][1]
        for value in result.values.values()
    ]
    lines = read_lines(folder / "evaluation")
    assert [(line["images_seen"], line["metric"]) for line in lines] == [
        (snapshot.images_seen, metric)
        for snapshot in run.snapshots
        for metric in ("ms_ssim", "swd")
    ]
    assert lines[-1]["values"] == found[-1][1][0].values
    assert (folder / "evaluation" / "metrics.png").stat().st_size > 10_000
    (events,) = (folder / "tensorboard").glob("*.evaluation")
    scalars = {
        (event.step, value.tag): tf.make_ndarray(value.tensor).item()
        for event in tf.compat.v1.train.summary_iterator(str(events))
        for value in event.summary.value
    }
    # Of steps that go back TensorBoard would show the last alone.
    assert [*scalars] == sorted(scalars, key=lambda place: place[0])
    assert len(scalars) == 3 * 3
    seen = run.snapshots[-1].images_seen
    value = scalars[seen, "evaluation/swd_avg_16x16_32"]
    np.testing.assert_allclose(value, lines[-1]["values"]["swd_avg"], 1e-6)


def test_a_growing_run_is_compared_at_its_final_resolution(tmp_path):
    config = resolve("laptop-wgan", {"resolution": 32, "precision": "float32"})
    (phase,) = (p for p in config.schedule().phases if p.resolution == 16)
    run_dir = make_run(tmp_path / "run", phase.fade_end, resolution=32)
    where = {"run_dir": str(run_dir)}
    out = str(tmp_path / "out")
    evaluated(where, ["swd"], tmp_path / "cache", seed=100, out=out)
    (line,) = read_lines(out)
    assert (line["resolution"], line["seed"]) == (32, 100)
    seeds = range(100, 100 + COUNT)
    fakes = generate_images(load_generator(run_dir, 16), seeds)
    fakes = fakes.repeat(2, 1).repeat(2, 2)
    assert line["values"]["swd_avg"] == distance_from_cats(fakes)
    # The folder of the run itself, which may be read-only, is left alone.
    assert not (run_dir / "evaluation").exists()
    assert not (run_dir / "tensorboard").exists()
    assert (tmp_path / "out" / "tensorboard").is_dir()


def test_classes_are_drawn_as_in_the_data(tmp_path):
    data = make_folder(tmp_path / "data", count=40)
    for path in sorted((data / "odd").iterdir())[2:]:
        path.unlink()
    settings = {"labels": True, "num_classes": 2, "data": str(data)}
    run_dir = make_run(tmp_path / "run", **settings)
    where = {"run_dir": str(run_dir)}
    ((_, results),) = evaluated(where, ["ms_ssim"], tmp_path / "cache", 128)
    reals = Reals(open_source(str(data), 3, True), str(data), 16)
    labels = reals.fake_labels(0, 128)
    assert 0 < labels.sum() < 30
    fakes = generate_images(load_generator(run_dir), range(128), labels)
    assert results[0].values["ms_ssim"] == metrics.ms_ssim(fakes)
    with pytest.raises(
        UserError, match="2 classes, as the generator has; cats has 15"
    ):
        evaluated(where, ["ms_ssim"], tmp_path / "cache", data="cats")


def test_one_picture_is_nothing_to_compare_with(tmp_path):
    preparation.prepare(Cats(), np.arange(1), tmp_path / "one", 16)
    where = {"images": str(make_folder(tmp_path / "images"))}
    with pytest.raises(UserError, match="two or more pictures .*one has 1"):
        evaluated(
            where, ["swd"], tmp_path / "cache", data=str(tmp_path / "one")
        )


def test_a_folder_and_an_array(tmp_path, monkeypatch):
    data = write_pictures(tmp_path / "data", count=40, size=16)
    cache, out = tmp_path / "cache", tmp_path / "out"
    pictures = np.stack(
        [np.asarray(Image.open(p)) for p in sorted(data.iterdir())]
    )
    np.savez(tmp_path / "x.npz", images=pictures)
    found = [
        evaluated({"images": str(path)}, ["swd"], cache, None, data="cats")
        for path in (data, tmp_path / "x.npz")
    ]
    ((_, (one,)),), ((_, (other,)),) = found
    assert one.values == other.values
    # No more than there are.
    assert one.images == 40
    where = {"images": str(data)}
    with pytest.raises(UserError, match="expected 41 pictures .* there are 40"):
        evaluated(where, ["swd"], cache, 41, data="cats")
    with pytest.raises(UserError, match="'nowhere' does not exist"):
        open_subjects(images="nowhere")
    # A folder, and not the drawn ones.
    monkeypatch.chdir(tmp_path)
    data.rename("cats")
    assert open_subjects(images="cats").available == 40
    pathlib.Path("cats").rename(data)
    # Its own pictures are the nearest to themselves.
    with pytest.raises(UserError, match="give --out="):
        evaluated(where, ["neighbours"], cache, None, data=str(data))
    evaluated(where, ["neighbours"], cache, None, data=str(data), out=out)
    with Image.open(out / "neighbours.png") as image:
        grid = np.asarray(image)[::4, ::4]
    assert image.size == (8 * 64, 4 * 64)
    np.testing.assert_array_equal(grid[:16], grid[16:32])
    assert not np.array_equal(grid[:16], grid[32:48])


def test_features_of_a_module(tmp_path):
    @tf.function(input_signature=[tf.TensorSpec([None, 16, 16, 3])])
    def corners(images):
        return tf.reshape(images[:, ::15, ::15], [-1, 12])

    module = tf.Module()
    module.corners = corners
    place = str(tmp_path / "module")
    tf.saved_model.save(module, place, {"default": corners})
    data = write_pictures(tmp_path / "data", count=40, size=16)
    cache, out = tmp_path / "cache", str(tmp_path / "out")
    where = {"images": str(data)}
    options = {"data": "cats", "features": place, "out": out}
    ((_, results),) = evaluated(where, ["frechet"], cache, **options)
    (reals,) = Reals(Cats(), "cats", 16).batches(0, COUNT)
    ((_, _, stream),) = open_subjects(**where)
    (fakes,) = stream(range(COUNT), None)
    gaussians = [
        metrics.gaussian_statistics(
            (x[:, ::15, ::15] / np.float32(255)).reshape(-1, 12)
        )
        for x in (reals, fakes)
    ]
    distance = metrics.frechet_distance(*gaussians)
    found = results[0].values["frechet_distance"]
    np.testing.assert_allclose(found, distance, 1e-5)
    (line,) = read_lines(out)
    assert line["features"] == place
    assert line["pictures"] == str(data)


def test_what_does_not_go_together(tmp_path, folder):
    generator, cache = load_generator(folder), tmp_path / "cache"
    export_saved_model(generator, tmp_path / "module")
    small = write_pictures(tmp_path / "small", count=20, size=8)
    module = {"module": str(tmp_path / "module")}
    with pytest.raises(UserError, match="16 is beyond the data"):
        evaluated(module, ["ms_ssim"], cache, data=str(small))
    ((_, results),) = evaluated(module, ["ms_ssim"], cache, data="cats")
    fakes = generate_images(generator, range(COUNT))
    similarity = metrics.ms_ssim(fakes)
    assert abs(results[0].values["ms_ssim"] - similarity) < 1e-3
    with pytest.raises(UserError, match="expected --data="):
        evaluated(module, ["ms_ssim"], cache)


def test_a_diverged_generator(folder):
    generator = load_generator(folder)
    generator.get_layer("to_rgb_16").bias.assign([np.nan, 0, 0])
    with pytest.raises(UserError, match="NaN or infinity: it has diverged"):
        list(as_generator(generator).stream(range(8)))


def command(*arguments, name="evaluate"):
    return started_command(name, *arguments)


def test_the_command(tmp_path):
    run_dir, cache = make_run(tmp_path / "run"), f"--cache_dir={tmp_path}/c"
    few = f"--num_images={COUNT}"
    # At the same time, because most of it is importing TensorFlow.
    good = command(f"--run_dir={run_dir}", few, cache)
    bad = command(f"--run_dir={run_dir}", "--num_images=1", cache)
    # What an evaluation found goes into the card of what is exported.
    other, out = make_run(tmp_path / "other"), tmp_path / "x.keras"
    line = {"images_seen": 92_000, "resolution": 16, "metric": "swd"}
    line |= {"images": 64, "data": "cats", "mirror": False, "seed": 0}
    line |= {"values": {"swd_avg": 12.34}, "reals": {"swd_avg": 5.0}}
    (other / "evaluation").mkdir()
    (other / "evaluation" / "metrics.jsonl").write_text(json.dumps(line))
    flags = f"--run_dir={other}", "--format=keras", f"--out={out}"
    export = command(*flags, name="export")
    output, errors = good.communicate()
    assert (good.returncode, errors) == (0, "")
    assert output.splitlines()[0] == "swd: 32 images, 32 other reals"
    assert output.splitlines()[-1].startswith("92.0 kimg, 16x16 ")
    assert {path.name for path in (run_dir / "evaluation").iterdir()} == {
        "metrics.jsonl",
        "metrics.png",
    }
    lines = read_lines(run_dir / "evaluation")
    assert [line["images"] for line in lines] == [COUNT, COUNT]
    output, errors = export.communicate()
    assert export.returncode == 0, errors
    with zipfile.ZipFile(out) as archive:
        card = archive.read("README.md").decode()
    assert "| swd_avg, 64 images | 12.34 |" in card
    words = "expected at least 2 pictures for the MS-SSIM"
    assert_mistake(finished(bad), words)


def test_mistakes_of_the_command(tmp_path):
    place = f"--run_dir={tmp_path}/run"
    mistakes = {
        (place, "--metrics=fid"): "expected metrics of swd, ms_ssim, frechet",
        (place, "--metrics="): "expected metrics of swd, ms_ssim, frechet",
        (place, "--metrics=kid"): "kid need --features=",
        (place, f"--images={tmp_path}"): "one of --run_dir, --module and",
        (f"--images={tmp_path}",): "--module and --images need --data",
        (f"--images={tmp_path}", "--all"): "--all needs --run_dir",
        (place, "--held_out=x"): "--held_out needs --metrics=neighbours",
        (f"--images={tmp_path}/no", "--data=cats"): "does not exist",
    }
    processes = [command(*arguments) for arguments in mistakes]
    for process, words in zip(processes, mistakes.values(), strict=True):
        assert_mistake(finished(process), words)
    assert not list(tmp_path.iterdir())


def test_results_do_not_lie_among_the_pictures(tmp_path):
    pictures = write_pictures(tmp_path / "pictures", count=20, size=16)
    flags = f"--images={pictures}", f"--data={pictures}", "--metrics=ms_ssim"
    done = finished(command(*flags, f"--out={pictures}/found"))
    assert_mistake(done, "must lie apart")
    others = write_pictures(tmp_path / "others", count=20, size=16)
    flags = f"--images={pictures}", f"--data={others}", "--metrics=ms_ssim"
    done = finished(command(*flags, f"--out={pictures}"))
    assert_mistake(done, "must lie apart")
    assert len(list(pictures.iterdir())) == 20
