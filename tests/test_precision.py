"""What precision=auto is on a machine."""

import sys
import types

import pytest

from progan_tf.config import precision, resolve


@pytest.mark.parametrize(
    ("flags", "info", "capability", "expected"),
    [
        ("", "flags : avx2 avx512_bf16", None, "bfloat16"),
        ("", "flags : amx_bf16", None, "bfloat16"),
        ("", "flags : avx512_bf16x", None, "float32"),
        ("", "flags : avx2", 9.0, "bfloat16"),
        ("GPU:0", "flags : avx512_bf16", 7.5, "float32"),
        ("CPU:0", "flags : avx2", 9.0, "float32"),
    ],
)
def test_auto_precision(
    monkeypatch, tmp_path, flags, info, capability, expected
):
    (tmp_path / "cpuinfo").write_text(info)
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "gpu_capability", lambda: capability)
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)
    overrides = {"precision": "auto", "devices": flags}
    assert resolve("official", overrides).precision == expected


@pytest.mark.parametrize(
    ("capabilities", "expected"),
    [
        ([], "float32"),  # One that TensorFlow cannot use.
        ([{"compute_capability": (9, 0)}], "bfloat16"),
        ([{"compute_capability": (8, 0)}], "bfloat16"),
        ([{"compute_capability": (7, 5)}], "float32"),
        ([{"compute_capability": (c, 0)} for c in (9, 7)], "float32"),
        ([{}], "float32"),
    ],
)
def test_auto_precision_is_that_of_the_gpus_tensorflow_has(
    monkeypatch, tmp_path, capabilities, expected
):
    (tmp_path / "cpuinfo").write_text("flags : avx2")
    monkeypatch.setattr(precision, "_CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(precision, "gpu_capability", lambda: 9.0)
    loaded = types.SimpleNamespace(
        config=types.SimpleNamespace(
            list_physical_devices=lambda kind: range(len(capabilities)),
            experimental=types.SimpleNamespace(
                get_device_details=capabilities.__getitem__
            ),
        )
    )
    monkeypatch.setitem(sys.modules, "tensorflow", loaded)
    config = resolve("official", {"precision": "auto"})
    assert config.precision == expected
