"""Images: every accepted kind gives the visible pixels, every broken kind is refused with a reason."""

from __future__ import annotations

import re
import struct
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.media import LARGEST, BadMedia
from tasks.media.image import MOST_PIXELS, decode_image
from tests.encoders.media import WEB_PAGE, picture, png_claiming, saved

RED, WHITE = (255, 0, 0), (255, 255, 255)
ORIENTATION = 0x0112


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "GIF", "WEBP", "JPEG", "AVIF"])
def test_every_format_gives_its_pixels(form: str) -> None:
    """The result is writable (height, width, 3) uint8 with the saved colour."""
    pixels = decode_image(saved(Image.new("RGB", (7, 5), (200, 40, 90)), form))
    assert (pixels.shape, pixels.dtype) == ((5, 7, 3), np.uint8)
    assert pixels.flags.writeable
    np.testing.assert_allclose(pixels, np.broadcast_to([200, 40, 90], (5, 7, 3)), atol=3)


@pytest.mark.parametrize(
    ("mode", "colour", "form", "seen"),
    [
        ("L", 90, "PNG", (90, 90, 90)),
        ("1", 1, "PNG", WHITE),
        ("P", 0, "PNG", (0, 0, 0)),
        ("CMYK", (0, 255, 255, 0), "TIFF", RED),
        ("CMYK", (0, 255, 255, 0), "JPEG", RED),
        ("LA", (0, 0), "PNG", WHITE),
        ("RGBA", (255, 0, 0, 255), "PNG", RED),
        ("RGBA", (255, 0, 0, 0), "PNG", WHITE),
        ("RGBA", (255, 0, 0, 128), "WEBP", (255, 127, 127)),
    ],
)
def test_every_mode_becomes_the_rgb_one_sees(
    mode: str, colour: int | tuple[int, ...], form: str, seen: tuple[int, int, int]
) -> None:
    """Transparent pixels get a white background; CMYK and grey become RGB."""
    options = {"lossless": True} if form == "WEBP" else {}
    pixels = decode_image(saved(Image.new(mode, (4, 4), colour), form, **options))
    np.testing.assert_allclose(pixels, np.broadcast_to(seen, (4, 4, 3)), atol=2)


@pytest.mark.parametrize("transparent", [0, bytes([0, 255])], ids=["one index", "alpha of each index"])
def test_transparent_palettes_are_laid_on_white(transparent: int | bytes) -> None:
    """A palette may have one transparent colour or an alpha value per colour."""
    image = Image.new("P", (2, 1))
    image.putpalette([10, 20, 30, 255, 0, 0])
    image.putpixel((1, 0), 1)
    pixels = decode_image(saved(image, "PNG", transparency=transparent))
    np.testing.assert_array_equal(pixels, [[WHITE, RED]])


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_grey_of_16_bits_is_scaled(form: str) -> None:
    """Every 16-bit level is rounded to the nearest 8-bit level and not clipped to white."""
    levels = np.arange(1 << 16, dtype=np.uint16).reshape(256, 256)
    pixels = decode_image(saved(Image.fromarray(levels), form))
    np.testing.assert_array_equal(pixels[..., 0], np.rint(levels / 257.0).astype(np.uint8))
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_is_turned_as_its_exif_says(orientation: int) -> None:
    """The EXIF rotation of a camera is applied: after decoding the mark is where viewers show it."""
    corners = {1: (0, 0), 2: (0, -1), 3: (-1, -1), 4: (-1, 0), 5: (0, 0), 6: (0, -1), 7: (-1, -1), 8: (-1, 0)}
    image = Image.new("RGB", (6, 4), WHITE)
    image.putpixel((0, 0), RED)
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    pixels = decode_image(saved(image, "PNG", exif=exif))
    assert pixels.shape == ((4, 6, 3) if orientation < 5 else (6, 4, 3))
    np.testing.assert_array_equal(pixels[corners[orientation]], RED)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_of_an_animation_the_first_frame_counts(form: str) -> None:
    """Later frames do not matter."""
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, WHITE, (0, 0, 0))]
    pixels = decode_image(saved(frames[0], form, save_all=True, append_images=frames[1:]))
    np.testing.assert_allclose(pixels, np.broadcast_to(RED, (4, 4, 3)), atol=4)


def flipped(data: bytes, place: int) -> bytes:
    """Return the data with one byte changed."""
    return data[:place] + bytes([data[place] ^ 0xFF]) + data[place + 1 :]


@pytest.mark.fault("F12")
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (WEB_PAGE, r"HTML page, not a picture of JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF$"),
        (b"\xff\xd8\xff", "damaged JPEG"),
        (saved(picture(), "PNG")[:-200], r"damaged PNG \(it ends within chunk IDAT\)"),
        (saved(picture(), "PNG")[:-12], r"damaged PNG \(it ends before its end chunk \(IEND\)\)"),
        (saved(picture(), "JPEG")[:600], "damaged JPEG"),
        (saved(picture(), "WEBP")[:300], r"damaged WebP \(300 bytes, expected \d+\)"),
        (saved(picture(), "GIF")[:1200], r"damaged GIF \(it ends within a block\)"),
        (saved(picture(), "BMP")[:600], "damaged BMP"),
        (saved(picture(), "TIFF")[:600], "damaged TIFF"),
        (saved(picture(), "AVIF")[:-20], "damaged AVIF"),
        (flipped(saved(picture(), "PNG"), 1000), r"damaged PNG \(checksum of IDAT\)"),
        (saved(picture(), "PPM"), "not a picture of a known format"),
        (saved(picture(), "ICO"), r"icon \(ICO\), not a picture of"),
        (saved(picture(), "PCX"), "not a picture of a known format"),
        (saved(Image.new("F", (4, 4), 0.5), "TIFF"), "a picture of 32-bit numbers"),
        (saved(Image.new("I", (4, 4), 70_000), "TIFF"), "a picture of 32-bit numbers"),
        (png_claiming(60_000, 60_000), f"60000 x 60000 pixels, more than {MOST_PIXELS}"),
        (png_claiming(12_000, 6_000), f"12000 x 6000 pixels, more than {MOST_PIXELS}"),
        (png_claiming(10_000, 5_001), f"10000 x 5001 pixels, more than {MOST_PIXELS}"),
    ],
)
def test_what_is_no_whole_picture_is_refused(data: bytes, reason: str) -> None:
    """Each file is refused with its reason, and a too large image before its pixels are decoded."""
    with pytest.raises(BadMedia, match=f"^({reason})"):
        decode_image(data)


@pytest.mark.fault("F12")
@pytest.mark.filterwarnings("ignore")
def test_a_bomb_is_refused_where_warnings_are_switched_off() -> None:
    """Pillow itself would only warn."""
    with pytest.raises(BadMedia, match=rf"^10000 x 5001 pixels, more than {MOST_PIXELS}$"):
        decode_image(png_claiming(10_000, 5_001))


def test_a_gif_whose_frame_is_larger_than_itself_is_refused() -> None:
    """The first frame of a small GIF may declare 65,535 x 65,535 pixels."""
    data = bytearray(saved(Image.new("P", (8, 8)), "GIF"))
    place = data.index(b"\x2c\0\0\0\0\x08\0\x08\0")  # the frame's descriptor: its position, then its size
    data[place + 5 : place + 9] = struct.pack("<HH", 65_535, 65_535)
    with pytest.raises(BadMedia):
        decode_image(bytes(data))


def test_the_limit_on_bytes_is_said() -> None:
    """The size limit is checked before decoding."""
    with pytest.raises(BadMedia, match=rf"bytes, image may have {LARGEST['image']}$"):
        decode_image(bytes(LARGEST["image"] + 1))


FORMS = {form: saved(picture((16, 12)), form) for form in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "AVIF")}


def outcome(data: bytes) -> str:
    """Return the shape of the image, or the reason of refusal."""
    try:
        return " x ".join(map(str, decode_image(data).shape))
    except BadMedia as error:
        return str(error)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(sorted(FORMS)), st.data())
def test_damaged_files_are_decoded_or_refused(form: str, data: st.DataObject) -> None:
    """Changing a few bytes raises no exception but BadMedia with a reason on one line."""
    content = bytearray(FORMS[form])
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    assert re.fullmatch(r"\d+ x \d+ x 3|[^\n]+", outcome(bytes(content)))


def test_threads_decode_side_by_side() -> None:
    """Threads decode the same pixels as sequential calls, and refuse decompression bombs."""
    whole = [saved(picture(seed=seed), "PNG") for seed in range(4)]
    expected = [decode_image(data) for data in whole]

    def decoded(place: int) -> np.ndarray | None:
        try:
            return decode_image(whole[place // 2 % 4] if place % 2 else png_claiming(12_000, 6_000))
        except BadMedia:
            return None

    with ThreadPoolExecutor(4) as pool:
        for place, pixels in enumerate(pool.map(decoded, range(80))):
            if place % 2:
                np.testing.assert_array_equal(pixels, expected[place // 2 % 4])  # type: ignore[arg-type]
            else:
                assert pixels is None


@pytest.mark.realdata
def test_real_posters_are_decoded(shared_data: Path) -> None:
    """Every eighth poster is decoded, in portrait format."""
    paths = sorted((shared_data / "ml1m_posters" / "images").glob("*.jpg"))[::8]
    shapes = np.array([decode_image(path.read_bytes()).shape for path in paths])
    assert len(shapes) > 400
    assert (shapes[:, 2] == 3).all()
    assert np.median(shapes[:, 0] / shapes[:, 1]) > 1.3
