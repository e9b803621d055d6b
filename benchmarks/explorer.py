"""Time the explorer's page in headless Chromium, computing on one core.

  python benchmarks/explorer.py
      the included generator
  python benchmarks/explorer.py --run_dir=runs/x --rounds=10
      another one

Prints the size of the site in bytes, and the best and median over rounds of the
time from opening the page, with empty caches, to its first picture, and of
pictures per second in a walk. The CPU time per picture hardly depends on what
else the machine does; the others do.
"""

import shutil
import statistics
import time

from absl import flags

from progan_tf import command
from progan_tf.errors import UserError
from progan_tf.explorer import Server
from progan_tf.generation import opening

FLAGS = flags.FLAGS
_BROWSERS = ("chromium", "chromium-browser", "google-chrome")
_WALK = "#tab=walk"
_ROWS = (
    ("first picture, ms", min),
    ("pictures a second", max),
    ("processor, ms a picture", min),
)
_DRAWN = "() => Number(document.getElementById('picture').dataset.count)"
_FIRST = "() => performance.getEntriesByName('first picture')[0].startTime"


def define_flags():
    """Define the benchmark's flags."""
    opening.define_flags()
    flags.DEFINE_integer("rounds", 5, "times that the page is opened", 1)
    flags.DEFINE_float("seconds", 5, "length of the walk in each round", 0.1)


def main():
    """Make the site, open it again and again, and print the table."""
    executable = next(filter(None, map(shutil.which, _BROWSERS)), None)
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        executable = None
    if executable is None:
        raise UserError(
            "expected Chromium and the package playwright: apt install "
            "chromium, pip install playwright"
        )
    generator = opening.open_flagged(FLAGS)
    from progan_tf.export.site import site_files

    files = site_files(generator)
    print(f"site: {sum(map(len, files.values())):,} bytes", flush=True)
    server = Server(files)
    server.start()
    rows = []
    with sync_playwright() as playwright:
        for _ in range(FLAGS.rounds):
            browser = playwright.chromium.launch(
                executable_path=executable, args=["--no-sandbox"]
            )
            rows.append(measured(browser, server.address + _WALK))
            browser.close()
    server.stop()
    print("| | best | median |\n|---|---|---|")
    columns = zip(*rows, strict=True)
    for (name, best), values in zip(_ROWS, columns, strict=True):
        middle = statistics.median(values)
        print(f"| {name} | {best(values):,.4g} | {middle:,.4g} |")


def measured(browser, address):
    """One round: see the rows of the table."""
    page = browser.new_context().new_page()
    page.goto(address)
    page.wait_for_selector("html[data-state=ready]", timeout=120_000)
    first = page.evaluate(_FIRST)
    session = browser.new_browser_cdp_session()

    def spent():
        """Seconds of the processor that the page has used, and pictures."""
        processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
        times = [p["cpuTime"] for p in processes if p["type"] == "renderer"]
        return max(times), page.evaluate(_DRAWN)

    page.click("#play")
    time.sleep(1)  # The first pictures compile.
    begun, before = time.perf_counter(), spent()
    time.sleep(FLAGS.seconds)
    seconds, after = time.perf_counter() - begun, spent()
    drawn = after[1] - before[1]
    return first, drawn / seconds, 1000 * (after[0] - before[0]) / drawn


if __name__ == "__main__":
    command.run(main, define_flags)
