"""The environment of every test: processes, signals, devices, warnings.

Warnings are errors through pyproject.toml, where each exception has its
reason.
"""

import os
import pathlib
import signal
import sys

import pytest

# Set before TensorFlow is imported: without its start-up messages the captured
# output of a failure is the test's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# Child processes inherit ignored signals (those of nohup and of background
# jobs), but not handlers. Tests send signals to processes that they start, so
# none may be ignored.
for _name in ("SIGINT", "SIGHUP"):
    _number = getattr(signal, _name, None)
    if _number and signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, lambda number, frame: None)


def pytest_xdist_auto_num_workers(config):
    """Two processes for folders of tests; named files run in this process.

    Each process takes seconds to import TensorFlow. -n 0 runs all in this one.
    """
    return 2 if all(pathlib.Path(x).is_dir() for x in config.args) else 0


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish():
    """Split the CPU in two, so that any test can train on two devices.

    Devices can only be set before TensorFlow's first operation, and test
    modules run none while they are imported. Tests that need TensorFlow
    import it at the top of their module; if none was collected, the seconds
    of importing it are saved.
    """
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return
    cpu = tf.config.list_physical_devices("CPU")[0]
    two = [tf.config.LogicalDeviceConfiguration()] * 2
    tf.config.set_logical_device_configuration(cpu, two)
