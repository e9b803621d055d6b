"""Reading picture files of every kind as squares of pixels."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageOps

from progan_tf.data.picture_files import read_picture, read_size


def _read(tmp_path, image, extension="png", resolution=4, channels=3, **save):
    """Saves a picture and reads it back."""
    file = tmp_path / f"picture.{extension}"
    image.save(file, **save)
    return read_picture(file, resolution, channels)


@pytest.mark.parametrize(
    ("extension", "tolerance"),
    [("png", 0), ("bmp", 0), ("gif", 0), ("jpg", 3), ("webp", 6)],
)
def test_every_kind_of_file(tmp_path, extension, tolerance):
    image = Image.new("RGB", (8, 8), (200, 100, 50))
    pixels = _read(tmp_path, image, extension)
    assert pixels.shape == (4, 4, 3)
    assert pixels.dtype == np.uint8
    assert abs(pixels.astype(int) - (200, 100, 50)).max() <= tolerance


def test_of_an_animation_the_first_frame_counts(tmp_path):
    frames = [Image.new("L", (8, 8), value) for value in (70, 200)]
    pixels = _read(
        tmp_path, frames[0], "gif", save_all=True, append_images=frames[1:]
    )
    assert (pixels == 70).all()


@pytest.mark.parametrize(
    ("value", "expected"), [(0, 0), (0x8000, 128), (0xC000, 191), (65535, 255)]
)
def test_16_bit_grey_is_scaled_and_not_clipped(tmp_path, value, expected):
    image = Image.fromarray(np.full((8, 8), value, np.uint16))
    assert image.mode == "I;16"
    assert (_read(tmp_path, image) == expected).all()
    assert (_read(tmp_path, image, channels=1) == expected).all()


def test_16_bit_colour_is_scaled(tmp_path):
    # Pillow reads these files but does not write them.
    def block(kind, content):
        check = zlib.crc32(kind + content)
        return struct.pack(
            f">I4s{len(content)}sI", len(content), kind, content, check
        )

    row = b"\0" + 8 * struct.pack(">3H", 0x8000, 0x1234, 0xFFFF)
    file = tmp_path / "picture.png"
    file.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + block(b"IHDR", struct.pack(">2I5B", 8, 8, 16, 2, 0, 0, 0))
        + block(b"IDAT", zlib.compress(8 * row))
        + block(b"IEND", b"")
    )
    pixels = read_picture(file, 4, 3)
    assert (pixels == (0x80, 0x12, 0xFF)).all()


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparency_is_laid_over_white(tmp_path, mode):
    colour = (100, 0, 200, 51) if mode == "RGBA" else (100, 51)
    # An alpha of 51 is a fifth: 100 / 5 + 255 * 4 / 5 = 224.
    expected = (224, 204, 244) if mode == "RGBA" else (224, 224, 224)
    pixels = _read(tmp_path, Image.new(mode, (8, 8), colour))
    assert abs(pixels.astype(int) - expected).max() <= 1


def test_palette_with_a_transparent_colour(tmp_path):
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 20, 30, 40, 50, 60])
    image.paste(1, (0, 0, 8, 4))
    opaque = _read(tmp_path, image)
    assert opaque[:, 0].tolist() == [[40, 50, 60]] * 2 + [[10, 20, 30]] * 2
    pixels = _read(tmp_path, image, transparency=0)
    assert pixels[:, 0].tolist() == [[40, 50, 60]] * 2 + [[255] * 3] * 2


def test_grey_with_a_transparent_value(tmp_path):
    image = Image.new("L", (8, 8), 7)
    assert (_read(tmp_path, image) == 7).all()
    assert (_read(tmp_path, image, transparency=7) == 255).all()


def test_black_and_white(tmp_path):
    image = Image.new("1", (8, 8), 1)
    assert (_read(tmp_path, image, channels=1) == 255).all()


def test_cmyk_jpeg(tmp_path):
    image = Image.new("CMYK", (8, 8), (0, 255, 255, 0))  # Red ink.
    pixels = _read(tmp_path, image, "jpg").astype(int)
    assert abs(pixels - (255, 0, 0)).max() <= 6


def test_colour_to_grey_by_luma(tmp_path):
    pixels = _read(tmp_path, Image.new("RGB", (8, 8), (255, 0, 0)), channels=1)
    assert pixels.shape == (4, 4, 1)
    assert (pixels == 76).all()  # 0.299 * 255


def test_orientation_6_turns_the_picture_clockwise(tmp_path):
    image = Image.new("RGB", (8, 8), "black")
    image.paste("white", (0, 0, 8, 4))  # The upper half.
    exif = Image.Exif()
    exif[0x0112] = 6
    pixels = _read(tmp_path, image, channels=1, exif=exif)[..., 0]
    assert pixels.tolist() == [[0, 0, 255, 255]] * 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_as_pillow_sees_it(tmp_path, orientation):
    rng = np.random.default_rng(0)
    image = Image.fromarray(rng.integers(256, size=(4, 4, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = _read(tmp_path, image, exif=exif)
    with Image.open(tmp_path / "picture.png") as file:
        truth = np.asarray(ImageOps.exif_transpose(file))
    np.testing.assert_array_equal(pixels, truth)


@pytest.mark.parametrize("size", [(20, 8), (8, 20)])
def test_the_centre_square_is_kept(tmp_path, size):
    image = Image.new("L", size, 0)
    left, top = (size[0] - 8) // 2, (size[1] - 8) // 2
    image.paste(90, (left, top, left + 8, top + 8))
    assert (_read(tmp_path, image) == 90).all()


def test_shrinking_takes_the_mean_of_areas(tmp_path):
    rng = np.random.default_rng(0)
    array = rng.integers(256, size=(32, 32), dtype=np.uint8)
    pixels = _read(tmp_path, Image.fromarray(array), channels=1)[..., 0]
    means = array.reshape(4, 8, 4, 8).mean((1, 3))
    assert abs(pixels - means).max() <= 1


def test_enlarging_is_smooth(tmp_path):
    image = Image.fromarray(np.array([[0, 0], [200, 200]], np.uint8))
    pixels = _read(tmp_path, image, resolution=16, channels=1)[:, 0, 0]
    assert (np.diff(pixels[2:-2].astype(int)) >= 0).all()
    assert len(set(pixels.tolist())) > 4  # Nearest would give two values.


def test_a_large_jpeg_is_decoded_small_but_alike(tmp_path):
    y, x = np.mgrid[:1024, :1024]
    array = (127 + 60 * np.sin(x / 90) + 60 * np.cos(y / 70)).astype(np.uint8)
    pixels = _read(tmp_path, Image.fromarray(array), "jpg", 64, 1)[..., 0]
    means = array.reshape(64, 16, 64, 16).mean((1, 3))
    assert abs(pixels - means).mean() < 1.5


def test_a_malformed_orientation_does_not_lose_the_picture(tmp_path):
    pixels = _read(
        tmp_path, Image.new("L", (8, 8), 50), exif=b"Exif\0\0MM\0*garbage"
    )
    assert (pixels == 50).all()


def test_read_size_is_width_and_height(tmp_path):
    Image.new("L", (20, 8)).save(tmp_path / "picture.png")
    assert read_size(tmp_path / "picture.png") == (20, 8)


def test_other_formats_are_not_read_whatever_the_extension(tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "picture.png", "TIFF")
    with pytest.raises(ValueError, match="not a picture of a known kind"):
        read_size(tmp_path / "picture.png")


@pytest.mark.parametrize("value", [0, 700, 65535])
def test_a_transparent_value_of_16_bits(tmp_path, value):
    values = np.full([8, 8], 700, np.uint16)
    values[:4] = value
    Image.fromarray(values).save(tmp_path / "x.png", transparency=value)
    pixels = read_picture(tmp_path / "x.png", 8, 1)[..., 0]
    assert (pixels[:4] == 255).all()
    assert (pixels[4:] == (255 if value == 700 else 3)).all()


@pytest.mark.parametrize("alpha", [0, 128])
def test_a_bitmap_without_transparency(tmp_path, alpha):
    # Version 4 of the header has a mask for alpha; Pillow writes version 3.
    pixels = np.full([8, 8, 4], 100, np.uint8)
    pixels[..., 3] = 0
    pixels[0, 0, 3] = alpha
    header = struct.pack("<IiiHHIIiiII", 108, 8, 8, 1, 32, 3, 256, 0, 0, 0, 0)
    masks = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000) + b"BGRs"
    header = (header + masks).ljust(108, b"\0")
    start = struct.pack("<2sIHHI", b"BM", 14 + 108 + 256, 0, 0, 14 + 108)
    path = tmp_path / "x.bmp"
    path.write_bytes(start + header + pixels[::-1].tobytes())
    read = read_picture(path, 8, 3)
    assert (read[1:] == (255 if alpha else 100)).all()
    assert read[0, 0, 0] == (pytest.approx(178, abs=1) if alpha else 100)


@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_transparent_colour_of_8_bits(tmp_path, mode):
    image = Image.new(mode, (8, 8), "red" if mode == "RGB" else 9)
    image.paste(0, (0, 0, 8, 4))
    colour = (0, 0, 0) if mode == "RGB" else 0
    image.save(tmp_path / "x.png", transparency=colour)
    pixels = read_picture(tmp_path / "x.png", 8, 3)
    assert (pixels[:4] == 255).all()
    np.testing.assert_array_equal(
        pixels[4:], np.asarray(image.convert("RGB"))[4:]
    )


def test_a_transparent_colour_of_16_bits(tmp_path):
    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    # The second colour has the low bytes of the first, which means nothing.
    transparent = struct.pack(">3H", 0x0102, 0x0304, 0x0506)
    row = b"\0" + 4 * transparent + 4 * struct.pack(">3H", 0x200, 0x400, 0x600)
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)),
        (b"tRNS", transparent),
        (b"IDAT", zlib.compress(8 * row)),
        (b"IEND", b""),
    ]
    content = b"".join(chunk(*part) for part in parts)
    (tmp_path / "x.png").write_bytes(b"\x89PNG\r\n\x1a\n" + content)
    pixels = read_picture(tmp_path / "x.png", 8, 3)
    assert (pixels[:, :4] == 255).all()
    assert (pixels[:, 4:] == (2, 4, 6)).all()
