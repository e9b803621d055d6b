"""How the explorer's page behaves: keys, screens, errors, memory."""

import re

import browsing
import pytest
from browsing import READY, wait_for

from progan_tf.explorer import Server

browser, tiny = browsing.browser, browsing.tiny
served, open_page = browsing.served, browsing.open_page
pytestmark = browsing.NEEDS_BROWSER


def test_keyboard_alone_reaches_everything(open_page):
    page = open_page("#z=3")
    reached = set()
    for tab in ("change", "walk", "near", "grow", "grid"):
        page.focus(f"#tab-{tab}")
        page.keyboard.press("Enter")
        assert page.is_visible(f"#{tab}")
        page.evaluate("() => document.activeElement.blur()")
        # As many as there are, and a few more.
        for _ in range(40):
            page.keyboard.press("Tab")
            name = page.evaluate("() => document.activeElement.id")
            reached.add(
                name
                or page.evaluate(
                    "() => document.activeElement.parentElement?.id"
                )
            )
    controls = page.eval_on_selector_all(
        "button, input, select",
        """all => all.filter(x => x.id && x.id !== "again" && !x.disabled)
          .map(x => x.id)""",
    )
    # Of a group that arrow keys go through, one is reached by Tab.
    tabs = {f"tab-{tab}" for tab in ("change", "walk", "near", "grow", "grid")}
    assert set(controls) - tabs <= reached
    page.focus("#tab-grid")
    for key, tab in ("ArrowRight", "change"), ("ArrowLeft", "grid"):
        page.keyboard.press(key)
        assert page.get_attribute(f"#tab-{tab}", "aria-selected") == "true"
    page.focus("#cells button")
    for key in ("ArrowRight", "ArrowDown", "Enter"):
        page.keyboard.press(key)
    wait_for(page, "9", 1)
    page.focus("#tab-change")
    page.keyboard.press("Enter")
    page.focus("#direction-1")
    page.keyboard.press("ArrowRight")
    wait_for(page, "9*1:0.05", 1)
    page.keyboard.press("Control+z")
    wait_for(page, "9", 1)


def test_everything_has_a_name(open_page):
    page = open_page("#z=3&tab=grid")
    nameless = page.eval_on_selector_all(
        "button, input, select, [role=img], progress",
        """all => all.filter(x => !(x.getAttribute("aria-label") ||
          x.textContent.trim() || x.labels?.[0]?.textContent.trim()))
          .map(x => x.outerHTML)""",
    )
    assert nameless == []
    assert page.get_attribute("#picture", "aria-label") == "Picture of seed 3"


@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_wider_than_the_screen(open_page, width):
    page = open_page("#z=3", viewport={"width": width, "height": 800})
    for tab in ("change", "walk", "near", "grow", "grid"):
        page.click(f"#tab-{tab}")
        wide = "() => document.documentElement.scrollWidth"
        assert page.evaluate(wide) <= width


@pytest.mark.parametrize("width", [390, 1200])
def test_nothing_jumps_while_it_loads(open_page, width):
    """Cumulative layout shift; 0.1 and less is what is called good."""
    page = open_page(
        viewport={"width": width, "height": 800},
        script="""
          window.shift = 0;
          new PerformanceObserver(list => {
            for (const entry of list.getEntries()) window.shift += entry.value;
          }).observe({ type: "layout-shift", buffered: true });
        """,
    )
    assert page.evaluate("() => window.shift") < 0.03


def test_dark_and_light(open_page):
    colours = [
        open_page(color_scheme=scheme).evaluate(
            "() => getComputedStyle(document.body).backgroundColor"
        )
        for scheme in ("light", "dark")
    ]
    brightness = [sum(map(int, re.findall(r"\d+", c)[:3])) for c in colours]
    assert brightness[0] > 600 and brightness[1] < 150


def test_no_request_leaves_the_host(open_page, browser, served):
    asked = []
    context = browser.new_context()
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.goto(served.address)
    page.wait_for_selector(READY)
    for tab in ("walk", "near", "grow", "grid"):
        page.click(f"#tab-{tab}")
    context.close()
    own = (served.address, "data:")
    assert asked and all(url.startswith(own) for url in asked)
    assert len(asked) < 15


def test_the_policy_forbids_other_hosts_and_texts_as_programs(open_page):
    page = open_page(ready=False)
    page.wait_for_selector(READY)
    # In a turn of its own: what a debugger evaluates may do more.
    blocked = page.evaluate(
        """async () => {
          await new Promise(resolve => setTimeout(resolve));
          const other = fetch("http://127.0.0.2:9/");
          const program = new Promise((resolve, reject) => setTimeout(() => {
            try { resolve(eval("1")); } catch (error) { reject(error); }
          }));
          const all = await Promise.allSettled([other, program]);
          return all.map(each => each.status);
        }"""
    )
    assert blocked == ["rejected", "rejected"]


def damaged(files, name, change):
    return {**files, name: change(files[name])}


@pytest.mark.parametrize(
    ("name", "change", "sentence"),
    [
        (
            "network.tflite",
            lambda data: data[:5000] + b"\0\1\2\3" + data[5004:],
            "network.tflite is damaged",
        ),
        (
            "network.tflite",
            lambda data: data[: len(data) // 2],
            "The download of network.tflite was cut short",
        ),
        (
            "directions.bin",
            lambda data: data[:-4],
            "The download of directions.bin was cut short",
        ),
        ("network.json", lambda data: data[:-9], "network.json is damaged"),
        (
            "runtime/litert_wasm_internal.wasm.gz",
            lambda data: data[: len(data) // 2],
            "A file of the folder runtime is damaged",
        ),
        (
            "network.json",
            lambda data: data.replace(
                b'"file": "network.tflite"', b'"file": "x"'
            ),
            "x could not be loaded: the server answered with status 404",
        ),
    ],
)
def test_broken_files_are_told(open_page, tiny, name, change, sentence):
    server = Server(damaged(tiny[1], name, change))
    server.start()
    try:
        page = open_page(address=server.address, ready=False)
        page.wait_for_selector("html[data-state=failed]")
        assert sentence in page.text_content("[role=alert]")
        assert page.is_visible("#again")
        # It stays, although other files go on loading.
        page.evaluate("showProgress(1, 1)")
        assert sentence in page.text_content("[role=alert]")
    finally:
        server.stop()


def test_a_download_that_breaks_off_is_told(open_page, tiny):
    server = Server(tiny[1])

    class Breaking(server._server.RequestHandlerClass):
        def end_headers(self):
            super().end_headers()
            if "network.tflite" in self.path:
                # The first of the many bytes that were announced.
                self.wfile.write(b"\x1c")
                raise ConnectionResetError

    server._server.RequestHandlerClass = Breaking
    server.start()
    try:
        page = open_page(address=server.address, ready=False)
        page.wait_for_selector("html[data-state=failed]")
        told = page.text_content("[role=alert]")
        assert "The download of network.tflite was cut short" in told
    finally:
        server.stop()


def test_without_webassembly(open_page):
    page = open_page(ready=False, script="delete globalThis.WebAssembly")
    page.wait_for_selector("html[data-state=failed]")
    assert "has no WebAssembly" in page.text_content("[role=alert]")


def test_a_thousand_moves_leak_no_memory(open_page):
    page = open_page("#z=3")
    session = page.context.new_cdp_session(page)
    (worker,) = page.workers

    def memory():
        """Bytes of the page's objects, and of the network's."""
        session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")["usedSize"]
        return used, worker.evaluate("liteRt.liteRtWasm.HEAPU8.length")

    def move(times):
        page.evaluate(
            """async times => {
              const inputs = [...document.querySelectorAll("#sliders input")];
              const picture = document.getElementById("picture");
              const end = performance.now() + 120000;
              for (let i = 0; i < times; i++) {
                const input = inputs[Math.floor(Math.random() * inputs.length)];
                const before = picture.dataset.count;
                input.value = 6 * Math.random() - 3;
                for (const type of ["input", "change"]) {
                  input.dispatchEvent(new Event(type, { bubbles: true }));
                }
                while (picture.dataset.count === before) {
                  await new Promise(resolve => setTimeout(resolve));
                  if (performance.now() > end) throw new Error("too slow");
                }
              }
            }""",
            times,
        )

    # The first moves compile what the page does.
    move(100)
    before = memory()
    move(1000)
    after = memory()
    assert after[0] <= 1.2 * before[0]
    assert after[1] == before[1]
