"""Numbers, times and errors as text."""

import errno

import pytest

from progan_tf.text import (
    data_size,
    duration,
    first_line,
    kimg,
    kimg_in_names,
    listed,
)


def test_thousands_of_images():
    assert kimg(12_000_000) == "12,000.0"
    assert kimg(40_016) == "40.0"
    assert kimg(128) == "0.128"


def test_all_files_of_one_moment_have_one_name():
    assert kimg_in_names(0) == "000000"
    assert kimg_in_names(40_000) == "000040"
    assert kimg_in_names(40_016) == "000040.016"
    assert kimg_in_names(40_000, exact=True) == "000040.000"
    exact = [kimg_in_names(images, exact=True) for images in range(0, 9000, 16)]
    assert exact == sorted(exact)


def test_bytes():
    said = [data_size(count) for count in (15, 16_000, 40e6, 12_345e9)]
    assert said == ["15 bytes", "16.0 kB", "40.0 MB", "12,345.0 GB"]


def test_times():
    assert duration(0.4) == "0:00:00"
    assert duration(724.6) == "0:12:05"
    assert duration(3 * 86400 + 4 * 3600) == "3 days, 4:00:00"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError("\n  one  \n"), "one"),
        (ValueError(), "ValueError"),
        (OSError(errno.ENOSPC, "No space left", "x/y"), "No space left"),
        (
            RuntimeError(
                "{{function_node __wrapped__Save_device_/job:a}} x/y; No space "
                "left [Op:SaveV2] name: "
            ),
            "x/y; No space left name:",
        ),
    ],
)
def test_errors_in_one_line(error, said):
    assert first_line(error) == said


def test_many_things_are_not_all_named():
    assert listed([]) == ""
    assert listed([3, "b"]) == "3, b"
    assert listed(range(12)) == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11"
    assert listed(range(99)).endswith("8, 9, 10, ..., 98")
