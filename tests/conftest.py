"""The environment of every test: signals, two CPU devices, strict warnings.

Warnings are errors through pyproject.toml, where each exception has its
reason.
"""

import os
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
