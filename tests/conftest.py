"""The environment of every test: processes, signals, devices, warnings.

Warnings are errors through pyproject.toml, where each exception has its
reason.
"""

import os
import pathlib
import signal
import sys

import pytest

# Before TensorFlow is imported: without its start-up chatter a failure's
# captured output is the test's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# What is ignored here, as nohup and shells do for programs in the background,
# would be by every process that a test starts and sends it; a handler is not
# handed on.
for _name in ("SIGINT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


def pytest_xdist_auto_num_workers(config):
    """Two processes for folders of tests; files that are named stay in this.

    Each process takes seconds to import TensorFlow. -n 0 keeps all in this one.
    """
    return 2 if all(pathlib.Path(x).is_dir() for x in config.args) else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish():
    """Split the CPU in two, so that any test can train on two devices.

    Devices can only be set before TensorFlow's first operation, and test
    modules run none while they are imported. Tests that reach TensorFlow
    import it at the top of their module; where none was collected its
    seconds of import are saved.
    """
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
