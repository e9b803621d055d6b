"""Writing films: GIF, MP4 and strips. No TensorFlow here.

A film is an iterator of frames, so that it is encoded while it is computed.
"""

import contextlib
import importlib.util
import itertools
import os
import pathlib
import subprocess
import tempfile

import numpy as np
from PIL import Image

from progan_tf.errors import UserError
from progan_tf.files import replacing
from progan_tf.images import make_grid, save_png
from progan_tf.progress import progress

# Few players show larger films.
_LONGEST_SIDE = 8192
# The same as for a grid of images in `image_files`.
_LONGEST_STRIP = 65_500
# Browsers slow down GIFs with frames of 0.01 s.
_HIGHEST_GIF_FPS = 50
# Pillow holds all frames of a GIF in memory, a byte a pixel.
_GIF_BYTES = 2 * 10**9
# Nearly lossless, so that the edges of enlarged pixels stay sharp. The colours
# are tagged, because players guess those of untagged films by their size.
_H264 = (
    "-an -c:v libx264 -crf 16 -pix_fmt yuv420p -movflags +faststart "
    "-vf scale=out_color_matrix=bt709:out_range=tv,setparams=colorspace=bt709"
    ":color_primaries=bt709:color_trc=bt709 -f mp4"
)


def check_place(path, suffixes, fps):
    """Raise UserError unless a film can be written there; see `write_film`.

    Its suffix may be one of several, such as `(".mp4", ".gif")`.
    """
    path = pathlib.Path(path)
    suffix = path.suffix.lower()
    if suffix not in suffixes:
        names = ", ".join(f"FILE{known}" for known in suffixes)
        raise UserError(f"expected {names}; received {str(path)!r}")
    if not os.access(path.parent, os.W_OK | os.X_OK) or path.is_dir():
        expected = "expected a file in a folder to write to"
        raise UserError(f"cannot write {path}: {expected}")
    if suffix == ".gif" and fps > _HIGHEST_GIF_FPS:
        raise UserError(
            f"expected at most {_HIGHEST_GIF_FPS} frames a second in a GIF; "
            f"received {fps}; write an .mp4, or give a lower --fps"
        )
    if suffix == ".mp4" and importlib.util.find_spec("imageio_ffmpeg") is None:
        raise UserError(
            "an .mp4 needs imageio-ffmpeg: pip install progan-tf[film], or "
            "write a .gif"
        )


def check_size(height, width, most=_LONGEST_SIDE):
    """Raise UserError for more pixels a side than a film may have."""
    if max(height, width) > most:
        raise UserError(
            f"expected at most {most} pixels a side; received "
            f"{width}x{height}; show fewer or smaller cells"
        )


def write_film(frames, path, fps, total):
    """Write a looping GIF or an MP4 (H.264, yuv420p), whole or not at all.

    FILE.png is the frames in a row. There are `total` frames, one or more,
    uint8 `[height, width, 1 or 3]`, all of one shape; their progress is shown.
    A GIF merges equal consecutive frames; durations are rounded to 0.01 s
    without changing the length of the film. An MP4 has even sides: a black row
    or column is added if necessary. Raises UserError if it cannot be written
    there, or not in that size, and ValueError for other frames or another
    number of them.
    """
    check_place(path, (".mp4", ".gif", ".png"), fps)
    path, frames = pathlib.Path(path), _checked(frames, total)
    suffix = path.suffix.lower()
    if suffix == ".png":
        first = next(frames)
        height, width, _ = first.shape
        # Checked before the others are made: a strip needs all in memory.
        check_size(height, width * total, _LONGEST_STRIP)
        save_png(path, make_grid(np.stack([first, *frames]), total))
        return
    with replacing(path) as temporary:
        if suffix == ".gif":
            _write_gif(frames, temporary, fps, total)
        else:
            _write_mp4(frames, temporary, fps)


def _checked(frames, total):
    """The frames as RGB, with a progress bar; see `write_film`."""
    shape, count = None, 0
    for frame in progress(frames, total, "frame", "written"):
        count += 1
        shape = shape or frame.shape
        if frame.shape != shape or frame.dtype != np.uint8 or count > total:
            raise ValueError(
                f"expected {total} frames uint8 {shape}; frame {count} is "
                f"{frame.dtype} {frame.shape}"
            )
        check_size(*shape[:2])
        yield np.ascontiguousarray(np.broadcast_to(frame, (*shape[:2], 3)))
    if count != total:
        raise ValueError(f"expected {total} frames; received {count}")


def _write_gif(frames, path, fps, total):
    first = next(frames)
    size = total * first.shape[0] * first.shape[1]
    if size > _GIF_BYTES:
        raise UserError(
            f"a GIF of {total} frames {first.shape[1]}x{first.shape[0]} would "
            f"take {size / 1e9:.1f} GB of memory; write an .mp4, or give fewer "
            "--seconds, a lower --fps or smaller cells"
        )
    # GIF counts in 0.01 s: rounding the end times keeps the total length.
    ends = np.rint(100 * np.arange(total + 1) / fps).astype(int)
    times = [10 * int(hundredths) for hundredths in np.diff(ends)]
    film = {"append_images": map(Image.fromarray, frames), "duration": times}
    Image.fromarray(first).save(path, "GIF", save_all=True, loop=0, **film)


def _write_mp4(frames, path, fps):
    import imageio_ffmpeg

    try:
        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError as error:
        raise UserError(
            f"cannot find ffmpeg: {error}; install it, or write a .gif"
        ) from error
    first = next(frames)
    height, width = (side + side % 2 for side in first.shape[:2])
    # Without the prefix file: a colon in the path would make it a URL.
    command = [
        *(ffmpeg, "-y", "-v", "error"),
        *("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}"),
        *("-r", str(fps), "-i", "-", *_H264.split(), f"file:{path}"),
    ]
    add = [(0, height - first.shape[0]), (0, width - first.shape[1]), (0, 0)]
    with tempfile.TemporaryFile() as errors:
        # In a session of its own, so that Ctrl-C does not end it before us.
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            start_new_session=True,
        )
        try:
            # If the pipe breaks, ffmpeg's message and status say why.
            with contextlib.suppress(BrokenPipeError), process.stdin as pipe:
                for frame in itertools.chain([first], frames):
                    pipe.write(np.pad(frame, add).tobytes())
            status = process.wait()
        finally:
            process.kill()
            process.wait()
        errors.seek(0)
        said = errors.read().decode(errors="replace").strip().splitlines()
    if status:
        reason = said[-1] if said else f"it ended with status {status}"
        raise UserError(f"ffmpeg cannot write the film: {reason}")
