"""Which number format computes fastest here; TensorFlow is not imported."""

import functools
import pathlib
import shutil
import subprocess
import sys

# Computing formats; weights, averages and losses are float32 with each.
PRECISIONS = ("float32", "bfloat16", "float16")

_CPU_INFO = pathlib.Path("/proc/cpuinfo")
_CPU_FLAGS = {"avx512_bf16", "amx_bf16"}
# NVIDIA GPUs compute in bfloat16 from this compute capability (Ampere) on.
_GPU_CAPABILITY = 8.0


def fastest_precision(devices=""):
    """What `precision=auto` means on this machine, for such `--devices`.

    "bfloat16" where they have it in hardware, else "float32".
    """
    capability = None if "CPU" in devices.upper() else _capability()
    if capability is not None:
        native = capability >= _GPU_CAPABILITY
    else:
        native = _cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


def _capability():
    """The lowest compute capability of the GPUs that would train, or None."""
    tf = sys.modules.get("tensorflow")
    if tf is None:
        return gpu_capability()
    # It is loaded before a run begins, and knows better than the driver: a GPU
    # that it cannot use, or that CUDA_VISIBLE_DEVICES hides, does not train.
    details = map(
        tf.config.experimental.get_device_details,
        tf.config.list_physical_devices("GPU"),
    )
    # Other GPUs than NVIDIA's have none.
    found = (each.get("compute_capability", (0, 0)) for each in details)
    return min((major + minor / 10 for major, minor in found), default=None)


def _cpu_has_bfloat16():
    try:
        info = _CPU_INFO.read_text(errors="replace")
    except OSError:
        # Not Linux: without a way to know, the safe choice.
        return False
    return not _CPU_FLAGS.isdisjoint(info.split())


@functools.cache
def gpu_capability():
    """The lowest compute capability of the NVIDIA GPUs; None without one."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return None
    query = [program, "--query-gpu=compute_cap", "--format=csv,noheader"]
    try:
        answer = subprocess.run(
            query, capture_output=True, text=True, timeout=20, check=True
        )
        return min(float(line) for line in answer.stdout.split())
    except (OSError, ValueError, subprocess.SubprocessError):
        # No driver or an old one; whatever the reason, there is no GPU to
        # choose a format for.
        return None
