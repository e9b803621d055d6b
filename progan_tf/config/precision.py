"""Which number format computes fastest here, found without TensorFlow."""

import functools
import pathlib
import shutil
import subprocess

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
    capability = None if "CPU" in devices.upper() else gpu_capability()
    if capability is not None:
        native = capability >= _GPU_CAPABILITY
    else:
        native = _cpu_has_bfloat16()
    return "bfloat16" if native else "float32"


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
