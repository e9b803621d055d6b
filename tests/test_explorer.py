"""What the explorer's page draws, against the generator itself."""

import json
import re
import time

import browsing
import numpy as np
import pytest
from browsing import READY, assert_same, pixels, wait_for
from PIL import Image

from progan_tf.checkpoint import load_generator
from progan_tf.explorer import Server
from progan_tf.export.site import site_files
from progan_tf.generation.latent_directions import pca
from progan_tf.generation.opening import open_generator
from progan_tf.images import nearest_up, to_uint8
from progan_tf.latents import interpolate, moved, one_hot, seeded_latents
from progan_tf.sampling import generate_images

browser, tiny = browsing.browser, browsing.tiny
served, open_page = browsing.served, browsing.open_page
pytestmark = browsing.NEEDS_BROWSER


def test_latents_are_those_of_the_program(open_page):
    page = open_page()
    for seed in (0, 1, 5, 123456, 2**32 - 1):
        latent = page.evaluate(f"Array.from(seededLatent({seed}, 515))")
        (expected,) = seeded_latents([seed], 515)
        np.testing.assert_allclose(latent, expected, rtol=2e-7)
    first, second = seeded_latents([3, 4], 16)
    offset = np.linspace(-1, 2, 16)
    page.evaluate("offset => { window.offset = offset; }", offset.tolist())
    latent = page.evaluate("Array.from(moved(seededLatent(3, 16), offset))")
    expected = moved(first[np.newaxis], offset)[0]
    np.testing.assert_allclose(latent, expected, rtol=1e-6)
    two = "seededLatent(3, 16), seededLatent(4, 16)"
    latent = page.evaluate(f"Array.from(interpolated({two}, 0.3))")
    expected = interpolate(first, second, 0.3)
    np.testing.assert_allclose(latent, expected, rtol=1e-6)


def test_points_are_read_as_they_are_written(open_page):
    page = open_page()
    parsed = "text => { const p = parsedPoint(text, 3, 10);"
    parsed += " return p && pointText(p); }"
    for text in (
        "5",
        "4294967295",
        "5~77x20~3x5*0:1.5,3:-2@2",
        "(5@1_9*1:0.25_0.125)~4x60*2:-3",
        "((1_2_0.5)_3_1)",
    ):
        assert page.evaluate(parsed, text) == text
    assert page.evaluate(parsed, "5@7") == "5"  # There is no such class.
    for text in ("", "x", "5~", "4294967296", "(5_9)", "5*0", "5)", "(" * 99):
        assert page.evaluate(parsed, text) is None


def test_every_resolution_is_that_of_keras(open_page, tiny):
    generator, _ = tiny
    page = open_page("#z=4&tab=grow&grown=0")
    images = {}
    for level, resolution in enumerate((4, 8)):
        page.click(f"#levels figure:nth-child({level + 1}) button")
        wait_for(page, "4", level)
        model = load_generator(generator.origin[0].run_dir, resolution)
        inputs = seeded_latents([4], 16), one_hot([1], 3)
        images[resolution] = np.asarray(model(list(inputs)))
        assert_same(pixels(page), to_uint8(images[resolution])[0])
    # What the others are is known from the picture itself.
    own = pixels(page, "#levels figure:nth-child(1) canvas")
    assert_same(own, to_uint8(images[4])[0])
    page.fill("#grown", "0.6")
    page.dispatch_event("#grown", "change")
    wait_for(page, "4", 0.6)
    faded = 0.4 * nearest_up(images[4], 2) + 0.6 * images[8]
    assert_same(pixels(page), to_uint8(faded)[0])


def test_sliders_go_along_the_directions(open_page, tiny):
    generator, _ = tiny
    page = open_page("#z=2")
    page.fill("#direction-0", "1.5")
    page.fill("#direction-3", "-2")
    page.dispatch_event("#direction-3", "change")
    wait_for(page, "2*0:1.5,3:-2", 1)
    vectors = pca(generator, 10).vectors
    latents = seeded_latents([2], 16)
    latents = moved(latents, 1.5 * vectors[0] - 2 * vectors[3])
    assert_same(pixels(page), generator.images_of(latents, [2])[0])
    assert page.text_content("#direction-3-out") == "−2.00"
    page.click("#reset")
    wait_for(page, "2", 1)
    assert_same(pixels(page), generate_images(generator, [2])[0])
    page.click("#undo")
    wait_for(page, "2*0:1.5,3:-2", 1)


def test_seed_and_class(open_page, tiny):
    generator, _ = tiny
    page = open_page()
    page.fill("#seed", "7")
    page.press("#seed", "Enter")
    wait_for(page, "7", 1)
    assert_same(pixels(page), generate_images(generator, [7])[0])
    names = page.eval_on_selector_all(
        "#class option", "x => x.map(o => o.text)"
    )
    assert names == ["class 1 (of the seed)", "class 0", "class 1", "class 2"]
    page.select_option("#class", "2")
    wait_for(page, "7@2", 1)
    expected = generate_images(generator, [7], labels=[2])[0]
    assert_same(pixels(page), expected)
    page.click("#seed-up")
    wait_for(page, "8@2", 1)
    page.click("#random")
    page.wait_for_selector("#picture:not([data-shown='8@2 1'])")


def test_walk(open_page, tiny):
    generator, _ = tiny
    page = open_page("#tab=walk&a=1&b=5&z=(1_5_0.25)")
    wait_for(page, "(1_5_0.25)", 1)
    ends = seeded_latents([1, 5], 16)
    latent = interpolate(*ends, 0.25)[np.newaxis]
    labels = 0.75 * np.eye(3)[[1]] + 0.25 * np.eye(3)[[2]]
    assert_same(pixels(page), generator.images_of(latent, labels)[0])
    for canvas, seed in ("#pin-a", 1), ("#pin-b", 5):
        expected = generate_images(generator, [seed])[0]
        assert_same(pixels(page, canvas), expected)
    page.fill("#seconds", "1")
    page.click("#play")
    places = set()
    end = time.monotonic() + 30
    while len(places) < 5:
        assert time.monotonic() < end
        places.add(page.get_attribute("#picture", "data-shown"))
    page.click("#play")
    assert page.get_attribute("#play", "aria-pressed") == "false"
    assert all(re.fullmatch(r"\(1_5_[\d.]+\) 1", place) for place in places)
    page.click("#go-b")
    wait_for(page, "5", 1)
    page.click("#set-a")
    assert "a=5" in page.url


def test_neighbours(open_page, tiny):
    generator, _ = tiny
    page = open_page("#z=3&tab=near")
    count, end = 0, time.monotonic() + 30
    while count < 8:
        assert time.monotonic() < end
        canvases = "x => x.filter(c => c.width === 8).length"
        count = page.eval_on_selector_all("#ring button canvas", canvases)
    shown = pixels(page, "#ring button:nth-child(2) canvas")
    page.click("#ring button:nth-child(2)")
    page.wait_for_selector("#picture[data-shown^='3~']")
    text = page.get_attribute("#picture", "data-shown")
    seed, percent = map(int, re.fullmatch(r"3~(\d+)x(\d+) 1", text).groups())
    assert percent == 20
    ends = seeded_latents([3, seed], 16)
    latent = interpolate(*ends, 0.2)[np.newaxis]
    expected = generator.images_of(latent, [0])[0]
    assert_same(pixels(page), expected)
    assert_same(shown, expected)


def test_grid(open_page, tiny):
    generator, _ = tiny
    page = open_page("#tab=grid")
    page.wait_for_selector("#cells button:nth-child(64) canvas[data-shown]")
    expected = generate_images(generator, range(64))
    for i in (0, 9, 63):
        cell = f"#cells button:nth-child({i + 1}) canvas"
        assert_same(pixels(page, cell), expected[i])
    page.click("#grid-after")
    label = "#cells button:nth-child(64)[aria-label='Seed 127']"
    page.wait_for_selector(f"{label} canvas[data-shown='127']")
    page.click(label)
    wait_for(page, "127", 1)
    assert page.text_content("#grid-range") == "Seeds 64 to 127"


def test_a_link_shows_the_same_picture(open_page):
    page = open_page("#z=(1*0:2_5~9x30_0.4)*1:-1.5@2")
    page.click("#tab-walk")
    page.click("#set-b")
    image, link = pixels(page), page.url
    other = open_page("#" + link.partition("#")[2])
    np.testing.assert_array_equal(pixels(other), image)
    assert other.url == link
    assert other.is_visible("#walk") and not other.is_visible("#change")
    # Typed into the address of a page that is open, too.
    page.evaluate("() => { location.hash = 'z=11'; }")
    wait_for(page, "11", 1)


def test_what_is_saved(open_page):
    page = open_page("#z=6")
    with page.expect_download() as download:
        page.click("#save-png")
    with Image.open(download.value.path()) as image:
        np.testing.assert_array_equal(np.asarray(image)[..., :3], pixels(page))
    assert download.value.suggested_filename.endswith("-6.png")
    with page.expect_download() as download:
        page.click("#save-npy")
    latents = np.load(download.value.path(), allow_pickle=False)
    assert latents.dtype == np.float32
    expected = seeded_latents([6], 16)
    np.testing.assert_allclose(latents, expected, rtol=2e-7)


def test_the_gpu_draws_the_same(open_page, tiny):
    generator, _ = tiny
    page = open_page("?engine=webgpu#z=6", ready=False)
    page.wait_for_selector(f"{READY}, html[data-state=failed]")
    if page.get_attribute("html", "data-state") == "failed":
        pytest.skip("this Chromium has no WebGPU, nor an imitation")
    assert page.text_content("#speed") == "WebGPU"
    assert_same(pixels(page), generate_images(generator, [6])[0])


def test_without_relaxed_simd_it_draws_the_same(open_page, tiny):
    generator, files = tiny
    name, asks = "runtime/litert.js", b"return (await check).supported;"
    assert files[name].count(asks) == 1
    files = {**files, name: files[name].replace(asks, b"return false;")}
    server = Server(files)
    server.start()
    try:
        page = open_page("#z=6", address=server.address)
        loaded = page.workers[0].evaluate(
            """() => performance.getEntriesByType("resource")
              .map(each => each.name)"""
        )
        assert any("litert_wasm_compat_internal.wasm.gz" in x for x in loaded)
        assert_same(pixels(page), generate_images(generator, [6])[0])
    finally:
        server.stop()


def test_the_shipped_generator(open_page):
    """Its site is small, and seed 0 is what Keras draws."""
    generator = open_generator("cats-128")
    files = site_files(generator)
    assert sum(map(len, files.values())) < 20e6
    assert json.loads(files["network.json"])["classes"][3] == "body3"
    server = Server(files)
    server.start()
    try:
        begun = time.monotonic()
        page = open_page(address=server.address)
        # 1 second on a machine that does nothing else.
        assert time.monotonic() - begun < 20
        image = pixels(page)
    finally:
        server.stop()
    assert image.shape == (128, 128, 3)
    assert_same(image, generate_images(generator, [0])[0])
    assert "David Revoy" in page.text_content("#licence")
