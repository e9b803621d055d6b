"""The environment of every test: two logical CPU devices, strict warnings.

Warnings are errors through pyproject.toml, where each exception has its
reason.
"""

import os
import sys

import pytest

# Before TensorFlow is imported: without its start-up chatter a failure's
# captured output is the test's own.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")


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
