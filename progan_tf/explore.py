"""Explore a generator's latent space, in a page of your browser.

  python -m progan_tf.explore
      the included generator
  python -m progan_tf.explore --run_dir=runs/x
      that of a run, with the resolutions that it grew through
  python -m progan_tf.export --run_dir=runs/x --format=web --out=site
      the same page as a folder, for any web server

Move along directions, walk between pictures, look at their neighbours, and
see the same picture at every resolution. The network runs in the browser. The
page is served to this machine only, until Ctrl-C.
"""

import math
import os
import sys
import threading
import time
import webbrowser

from absl import flags

from progan_tf import command, signals
from progan_tf.explorer import Server
from progan_tf.generation import opening

FLAGS = flags.FLAGS


def define_flags():
    """Define the command's flags."""
    opening.define_flags()
    flags.DEFINE_boolean("browser", True, "open the page in the browser")
    flags.DEFINE_float("seconds", None, "until it stops; by default never", 0)


def main():
    """Load the generator, make the site and serve it until told to stop."""
    generator = opening.open_flagged(FLAGS)
    from progan_tf.export.site import site_files

    server = Server(site_files(generator))
    stopped = threading.Event()
    with signals.handled(lambda number, frame: stopped.set()):
        server.start()
        print(f"Open {server.address} (Ctrl-C stops it)", flush=True)
        if FLAGS.browser and _has_screen():
            webbrowser.open(server.address)
        seconds = math.inf if FLAGS.seconds is None else FLAGS.seconds
        end = time.monotonic() + seconds
        # In short waits: on Windows no signal interrupts an unlimited one.
        while not stopped.wait(min(1, seconds)) and time.monotonic() < end:
            pass
        server.stop()
    print("Stopped.")


def _has_screen():
    """Whether a browser would open a window, not run in the terminal."""
    others = sys.platform in ("darwin", "win32")
    return others or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())


if __name__ == "__main__":
    command.run(main, define_flags)
