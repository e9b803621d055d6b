"""The explorer's page in a real browser, for tests.

A test module takes the fixtures by name: `browser = browsing.browser`.
"""

import os
import shutil

import numpy as np
import pytest
from tiny import make_run

from progan_tf.explorer import Server
from progan_tf.export.site import site_files
from progan_tf.generation.opening import open_generator

playwright = pytest.importorskip(
    "playwright.sync_api", reason="the package playwright drives the browser"
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, _NAMES)), None)
NEEDS_BROWSER = pytest.mark.skipif(
    CHROMIUM is None, reason="no Chromium is installed: apt install chromium"
)
READY = "html[data-state=ready]"


# Chromium's sandbox does not work for root, as in containers. The GPU is
# emulated in software, which Chromium uses only with these flags.
FLAGS = ["--no-sandbox"] if os.name == "posix" else []
FLAGS += ["--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader"]


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A generator of 8x8 with three classes, from a run, and its site."""
    run = make_run(
        tmp_path_factory.mktemp("run"),
        resolution=8,
        num_classes=3,
        data="cats",
        labels=True,
    )
    generator = open_generator(str(run))
    return generator, site_files(generator)


@pytest.fixture(scope="module")
def served(tiny):
    server = Server(tiny[1])
    server.start()
    yield server
    server.stop()


@pytest.fixture
def open_page(browser, served):
    """A function that opens the page; errors there fail the test."""
    contexts, wrong = [], []

    def opened(fragment="", address=None, ready=True, script=None, **options):
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        if script:
            page.add_init_script(script)
        if ready:
            page.on("pageerror", lambda error: wrong.append(str(error)))
            page.on(
                "console",
                lambda message: (
                    message.type in ("error", "warning")
                    and wrong.append(message.text)
                ),
            )
        page.goto((address or served.address) + fragment)
        if ready:
            page.wait_for_selector(READY)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def pixels(page, canvas="#picture"):
    """The pixels of a canvas, uint8 [height, width, 3]."""
    width, height, data = page.evaluate(
        """selector => {
          const c = document.querySelector(selector);
          const { width, height } = c;
          const copy = new OffscreenCanvas(width, height);
          const context = copy.getContext("2d", { willReadFrequently: true });
          context.drawImage(c, 0, 0);
          const all = context.getImageData(0, 0, width, height);
          return [width, height, Array.from(all.data)];
        }""",
        canvas,
    )
    return np.array(data, "uint8").reshape(height, width, 4)[..., :3]


def wait_for(page, shown, grown):
    """Wait until the picture of a point is drawn at a level."""
    page.wait_for_selector(f'#picture[data-shown="{shown} {grown}"]')


def assert_same(image, expected):
    difference = np.abs(image.astype(int) - expected.astype(int))
    assert difference.max() <= 2
