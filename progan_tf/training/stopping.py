"""Being told to stop: by Ctrl-C or other signals, here or at another worker."""

import contextlib
import signal

import tensorflow as tf

from progan_tf import signals
from progan_tf.training import devices


class StopRequest:
    """Whether this run, or any worker of it, was told to stop.

    While it is entered as a context, Ctrl-C and other signals are noted instead
    of ending the process, see `signals.handled`, and `tell` is called with a
    str; a second Ctrl-C raises `KeyboardInterrupt`.
    """

    def __init__(self, strategy, tell):
        self._strategy = strategy
        self._tell = tell
        self._told = False
        self._handled = signals.handled(self._note)
        self._sum = tf.function(self._sum_over_replicas)

    def __enter__(self):
        self._handled.__enter__()
        return self

    def __exit__(self, *exception):
        self._handled.__exit__(*exception)

    def _note(self, number, frame):
        if self._told and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._told = True
        # Python refuses to print while a print waits, as for a pager; the
        # stop matters more than its message.
        with contextlib.suppress(RuntimeError):
            self._tell("Stopping: saving everything first.")

    @property
    def told(self):
        """bool, whether this process was; others may get another answer."""
        return self._told

    def made(self):
        """bool; every worker gets the same answer, so all must ask."""
        if devices.worker_count(self._strategy) > 1:
            flag = tf.constant(float(self._told))
            self._told = bool(self._sum(flag).numpy())
        return self._told

    def _sum_over_replicas(self, flag):
        flags = self._strategy.run(tf.identity, (flag,))
        return self._strategy.reduce("SUM", flags, axis=None)
