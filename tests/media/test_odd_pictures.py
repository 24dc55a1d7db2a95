"""Pictures with odd extras, unusual depths and missing parts: what one sees, or the reason, and never half of it."""

from __future__ import annotations

import io
import itertools
import re
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms, ImageOps

from tasks.data.kinds import kind_of
from tasks.media import BadMedia
from tasks.media.image import decode_image
from tests.encoders.media import picture, saved
from tests.media.pictures import chunk, exif, png, tiff

RNG = np.random.default_rng(5)
COLOURS = RNG.integers(0, 256, (13, 9, 3), dtype=np.uint8)
DEEP = RNG.integers(0, 1 << 16, (13, 9, 4), dtype=np.uint16)
DEEP[0, :4, :3] = [[0, 0, 0], [128, 129, 127], [255, 256, 257], [65_535, 65_407, 65_406]]
FORMS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "AVIF")
MARKED = Image.fromarray(np.pad(np.zeros((8, 24, 3), np.uint8), ((0, 24), (0, 24), (0, 0)), constant_values=255))


def shallow(levels: np.ndarray) -> np.ndarray:
    """16-bit levels as 8 bits."""
    return np.rint(levels / 257.0).astype(np.uint8)


def laid_on_white(levels: np.ndarray) -> np.ndarray:
    """Levels (height, width, 4) as one sees them."""
    alpha = levels[..., 3:] / 65_535
    return (levels[..., :3] * alpha + 65_535 * (1 - alpha)) / 257


def refusal(data: bytes) -> str:
    """The reason, or nothing."""
    try:
        decode_image(data)
    except BadMedia as error:
        return str(error)
    return ""


ODD = {
    "a rational without denominator": (0x011A, 5, 1, struct.pack("<I", 60_000)),
    "text for a number": (0x0128, 2, 4, b"two\0"),
    "a number for text": (0x010F, 4, 1, b"\xff\xff\xff\xff"),
    "a type that does not exist": (0x9286, 200, 9, b"\1\2\3\4"),
    "more values than bytes": (0x927C, 7, 1 << 31, b"\0\0\0\x10"),
    "a pointer to itself": (0x8769, 4, 1, struct.pack("<I", 8)),
    "a place beyond the block": (0x8825, 4, 1, b"\xff\xff\xff\x7f"),
}


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("odd", ODD)
def test_only_the_orientation_of_exif_matters(form: str, odd: str) -> None:
    """Whatever other entries hold, in every format that has EXIF."""
    block = b"Exif\0\0" + exif(6, ODD[odd])
    if form == "AVIF":  # Pillow reads it in writing too
        data = saved(MARKED, form, exif=exif(6, (0x011A, 4, 1, bytes(4))))
        there, other = exif(None, (0x011A, 4, 1, bytes(4))), exif(None, ODD[odd])
        assert data.count(there[:8]) == 1
        place = data.index(there[:8])
        data = data[:place] + other + data[place + len(other) :]
    elif form != "TIFF":
        data = saved(MARKED, form, exif=block)
    else:
        tag, kind, *_ = ODD[odd]
        values = {5: [1, 0], 2: [b"t", b"w", b"\0"]}.get(kind, [1 << 31])
        kind = kind if kind in {2, 4, 5} else 4
        data = tiff(np.asarray(MARKED), 2, tags={274: (3, [6]), tag: (kind, values)})  # type: ignore[dict-item]
    pixels = decode_image(data)
    assert pixels.shape == (48, 32, 3)
    assert pixels[:20, -6:].max() < 40  # the dark corner is now on the right
    assert pixels[30:, :].min() > 200


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"II",
        b"MM\0*\0\0\0\x08\xff\xff",
        exif(6)[:12],
        exif(6)[:-30],
        exif(0),
        exif(9),
        exif(None),
        b"\xff" * 60_000,
    ],
    ids=["empty", "two bytes", "no end", "cut in an entry", "cut in its values", "0", "9", "none", "noise"],
)
def test_exif_that_says_nothing_turns_nothing(form: str, block: bytes) -> None:
    """Cut, empty, long, or with an orientation that does not exist."""
    assert decode_image(saved(MARKED, form, exif=b"Exif\0\0" + block)).shape == (32, 48, 3)


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("orientation", range(1, 9))
def test_all_orientations_of_both_byte_orders(order: str, orientation: int) -> None:
    """As Pillow turns them, in JPEG, PNG, WebP and TIFF."""
    block = exif(orientation, order=order)
    image = Image.fromarray(COLOURS)
    with Image.open(io.BytesIO(saved(image, "PNG", exif=block))) as opened:
        upright = np.asarray(ImageOps.exif_transpose(opened))
    for form in ("PNG", "WEBP"):
        options = {"lossless": True} if form == "WEBP" else {}
        np.testing.assert_array_equal(decode_image(saved(image, form, exif=b"Exif\0\0" + block, **options)), upright)
    assert decode_image(saved(image, "JPEG", exif=b"Exif\0\0" + block)).shape == upright.shape
    turned = tiff(COLOURS, 2, order=order, tags={274: (3, [orientation])})
    np.testing.assert_array_equal(decode_image(turned), upright)


def broken(kind: bytes, body: bytes, **what: int) -> bytes:
    """A chunk with another checksum, or another length."""
    data = bytearray(chunk(kind, body))
    if "length" in what:
        data[:4] = struct.pack(">I", what["length"])
    else:
        data[-1] ^= 0xFF
    return bytes(data)


BOMB = zlib.compress(bytes(60 << 20))
EXTRAS = {
    "much text": [chunk(b"tEXt", b"k\0" + b"x" * 3_000_000)] * 3,
    "a bomb of text": [chunk(b"zTXt", b"k\0\0" + BOMB), chunk(b"iTXt", b"k\0\1\0\0\0" + BOMB)],
    "a bomb of a profile": [chunk(b"iCCP", b"p\0\0" + BOMB)],
    "two profiles and no sense": [chunk(b"iCCP", b"?"), chunk(b"iCCP", b""), chunk(b"gAMA", b"1"), chunk(b"pHYs", b"")],
    "wrong checksums": [broken(kind, b"x\0yz") for kind in (b"tEXt", b"iTXt", b"gAMA", b"tIME", b"eXIf", b"vpAg")],
    "too short a length": [broken(b"tEXt", b"comment\0" + b"\1\2" * 40, length=20)],
    "too long a length": [broken(b"tEXt", b"comment\0" + b"\1\2" * 40, length=140)],
    "a length beyond the file": [broken(b"tEXt", b"comment\0", length=1 << 30)],
    "an animation that is none": [chunk(b"acTL", b""), chunk(b"fcTL", b"\0" * 26)],
}


@pytest.mark.parametrize("what", EXTRAS)
def test_chunks_that_decide_no_pixel_do_not_matter(what: str) -> None:
    """However large, packed, damaged or many they are, before the pixels and behind them."""
    for where in ("extras", "late"):
        if where == "late" and "length" in what:
            continue
        np.testing.assert_array_equal(decode_image(png(COLOURS, **{where: EXTRAS[what]})), COLOURS)
    np.testing.assert_array_equal(decode_image(png(COLOURS) + b"\0appended" * 9), COLOURS)


def test_around_the_first_frame_of_a_gif_it_is_white() -> None:
    """Where it is smaller than the whole, also without a transparent colour."""
    data = bytearray(saved(Image.new("P", (4, 3), 5), "GIF"))
    struct.pack_into("<HH", data, 6, 8, 6)
    place = data.index(b"\x2c\0\0\0\0\4\0\3\0")
    struct.pack_into("<HH", data, place + 1, 2, 1)
    pixels = decode_image(bytes(data))
    assert pixels.shape == (6, 8, 3)
    inner = np.zeros((6, 8), bool)
    inner[1:4, 2:6] = True
    assert (pixels[~inner] == 255).all()
    assert (pixels[inner] == pixels[1, 2]).all()
    assert pixels[1, 2].max() < 255


@pytest.mark.parametrize("form", FORMS)
def test_bytes_behind_a_picture_do_not_matter(form: str) -> None:
    """Zeros, text and another picture."""
    data = saved(picture(), form)
    for behind in (b"\0" * 99, b"appended by a program", b"\0appended" * 9, saved(picture(seed=1), form), b"\xff"):
        np.testing.assert_array_equal(decode_image(data + behind), decode_image(data))


@pytest.mark.parametrize("bound", [b"IHDR", b"IDAT", b"IEND", b"tRNS"])
def test_chunks_that_decide_pixels_have_to_be_whole(bound: bytes) -> None:
    """A changed byte in any of them, or a chunk that nobody knows, is named."""
    data = bytearray(png(COLOURS, extras=[chunk(b"tRNS", bytes(6))]))
    data[data.index(bound) + 4] ^= 1
    assert refusal(bytes(data)).startswith(f"damaged PNG (checksum of {bound.decode()})")
    assert "unknown chunk" in refusal(png(COLOURS, extras=[chunk(b"CRIT", b"")]))


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_one_grey_of_a_png_is_transparent(depth: int) -> None:
    """At any depth the pixels of exactly this grey show white, and no others."""
    most = (1 << depth) - 1
    levels = RNG.integers(0, most + 1, (11, 8, 1)).astype(np.uint16 if depth == 16 else np.uint8)
    levels[0, :3, 0] = [0, most // 2, max(most // 2 - 1, 0)]
    key = most // 2
    pixels = decode_image(png(levels, depth=depth, extras=[chunk(b"tRNS", struct.pack(">H", key))]))
    expected = np.where(levels == key, 255, np.rint(levels * (255 / most))).repeat(3, axis=2)
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("deep", [False, True])
def test_one_colour_of_a_png_is_transparent(deep: bool) -> None:
    """Compared with all bits of the colour."""
    levels = DEEP[..., :3] if deep else COLOURS
    levels = levels.copy()
    levels[1, 1] = levels[0, 0]
    levels[2, 2] = levels[0, 0] ^ np.array([0, 0, 1], levels.dtype)
    pixels = decode_image(png(levels, extras=[chunk(b"tRNS", levels[0, 0].astype(">u2").tobytes())]))
    expected = shallow(levels) if deep else levels.copy()
    expected[[0, 1], [0, 1]] = 255
    np.testing.assert_array_equal(pixels, expected)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_png_of_16_bits_is_divided_by_257(channels: int, interlaced: bool) -> None:
    """Grey and colours, with transparency on white."""
    levels = DEEP[..., -channels:] if channels in {2, 4} else DEEP[..., :channels]
    pixels = decode_image(png(levels, interlaced=interlaced))
    if channels in {1, 3}:
        np.testing.assert_array_equal(pixels, np.broadcast_to(shallow(levels), pixels.shape))
    else:
        full = levels if channels == 4 else levels[..., [0, 0, 0, 1]]
        np.testing.assert_allclose(pixels, laid_on_white(full), atol=1.5)


TIFFS = [
    dict(zip(("order", "deflated", "predictor", "planes", "tile"), values, strict=True))
    for values in itertools.product("<>", (False, True), (1, 2), (False, True), (0, 16))
    if values[1] or values[2] == 1
]


@pytest.mark.parametrize("how", TIFFS, ids=lambda how: "-".join(map(str, how.values())))
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_tiff_of_16_bits_is_divided_by_257(how: dict[str, int], channels: int) -> None:
    """In strips and tiles, packed, with differences, in planes, in both byte orders."""
    extra = {338: (3, [2])} if channels == 4 else {}
    pixels = decode_image(tiff(DEEP[..., :channels], 1 if channels == 1 else 2, tags=extra, **how))  # type: ignore[arg-type]
    if channels == 4:
        np.testing.assert_allclose(pixels, laid_on_white(DEEP), atol=1.5)
    else:
        np.testing.assert_array_equal(pixels, np.broadcast_to(shallow(DEEP[..., :channels]), pixels.shape))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("deflated", [False, True])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_a_tiff_whose_zero_is_white(bits: int, order: str, deflated: bool) -> None:
    """At any depth it is the negative of the one whose zero is black; with transparency too."""
    most = (1 << bits) - 1
    levels = RNG.integers(0, most + 1, (10, 16, 1)).astype(np.uint16 if bits == 16 else np.uint8)
    pixels = decode_image(tiff(levels, 0, bits=bits, order=order, deflated=deflated))
    black = decode_image(tiff(levels, 1, bits=bits, order=order, deflated=deflated))
    np.testing.assert_array_equal(pixels, 255 - black)
    np.testing.assert_array_equal(black[..., :1], np.rint(levels * (255 / most)))
    if bits >= 8:
        both = np.concatenate([levels, np.where(levels > most // 2, most, 0).astype(levels.dtype)], axis=2)
        clear = decode_image(tiff(both, 0, bits=bits, order=order, deflated=deflated, tags={338: (3, [2])}))
        np.testing.assert_array_equal(clear, np.where(levels > most // 2, pixels, 255))


def test_deep_pictures_may_have_as_many_numbers_as_others_have_pixels() -> None:
    """They are refused before memory is taken for them."""
    said = r"10000 x 4000 pixels of 3 times 16 bits, more than 50000000 numbers"
    header = struct.pack(">IIBBBBB", 10_000, 4_000, 16, 2, 0, 0, 0)
    data = png(DEEP[..., :3])
    assert refusal(data[:8] + chunk(b"IHDR", header) + data[33:]) == said


def test_other_tiffs() -> None:
    """Inks of 8 and 16 bits and L*a*b* are the colour that they mean; 12 bits are refused by their number."""
    inks = np.broadcast_to(np.array([0, 65_535, 65_535, 0], np.uint16), (4, 4, 4))
    np.testing.assert_array_equal(decode_image(tiff(inks, 5)), np.broadcast_to([255, 0, 0], (4, 4, 3)))
    shallow_inks = (inks // 257).astype(np.uint8)
    np.testing.assert_array_equal(decode_image(tiff(shallow_inks, 5)), np.broadcast_to([255, 0, 0], (4, 4, 3)))
    profiles = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.new("RGB", (4, 4), (200, 30, 90)), *profiles, outputMode="LAB")
    np.testing.assert_allclose(decode_image(saved(lab, "TIFF")), np.broadcast_to([200, 30, 90], (4, 4, 3)), atol=4)
    assert refusal(tiff(np.zeros((4, 4, 1), np.uint8), 1, tags={258: (3, [12])})) == (
        "a TIFF with 12 bits, expected 1, 2, 4, 8 or 16 bits"
    )


@pytest.mark.parametrize("form", FORMS)
def test_a_file_that_was_cut_anywhere_is_refused(form: str) -> None:
    """After every part of it, also of progressive, packed and animated ones; the reason names the format."""
    options: list[dict[str, object]] = [{}]
    if form == "JPEG":
        options += [{"progressive": True}, {"quality": 30, "subsampling": 2, "restart_marker_rows": 1}]
    if form in {"GIF", "WEBP", "AVIF", "PNG"}:
        options += [{"save_all": True, "append_images": [picture(seed=2), picture(seed=3)]}]
    if form == "TIFF":
        options += [{"compression": name} for name in ("tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")]
    for option in options:
        data = saved(picture(), form, **option)
        assert refusal(data) == ""
        for length in sorted({*range(20, len(data), max(len(data) // 60, 1)), *range(len(data) - 12, len(data))}):
            kind = re.escape(kind_of(data))
            assert re.match(f"damaged {kind}|a picture without", refusal(data[:length])), (option, length, len(data))


def test_a_png_with_fewer_rows_than_it_says_is_refused() -> None:
    """Pillow leaves the others black; black rows that are there are read."""
    data = bytearray(png(COLOURS))
    struct.pack_into(">I", data, 20, 26)
    struct.pack_into(">I", data, 29, zlib.crc32(data[12:29]))
    assert re.match(r"damaged PNG \(\d+ bytes of pixels, expected 728\)", refusal(bytes(data)))
    dark = np.concatenate([COLOURS, COLOURS * 0])
    np.testing.assert_array_equal(decode_image(png(dark)), dark)
    woven = png(COLOURS, interlaced=True)
    np.testing.assert_array_equal(decode_image(woven), COLOURS)
    short = png(COLOURS[:8])  # seven passes are promised, and one is there
    other = woven[:33] + short[33:]
    assert refusal(other).startswith("damaged PNG")
    for length in range(40, len(woven), 7):
        assert refusal(woven[:length]).startswith("damaged PNG")


def test_a_jpeg_whose_scan_ends_early_is_refused() -> None:
    """Some programs close what was cut with the right last bytes; libjpeg makes the rest grey and only warns.

    Pictures that are of one colour at their end are read, whatever their kind.
    """
    plain = Image.fromarray(np.pad(np.asarray(picture((64, 40))), ((0, 40), (0, 30), (0, 0)), constant_values=200))
    for option in ({}, {"progressive": True}, {"subsampling": 0}, {"restart_marker_rows": 1}, {"quality": 30}):
        data = saved(picture((120, 120)), "JPEG", **option)
        for share in (3, 5, 8):
            cut = data[: len(data) * share // 10] + b"\xff\xd9"
            assert refusal(cut) == "damaged JPEG (its pixels end before the picture does)", (option, share)
        for mode in ("RGB", "L", "CMYK"):
            assert refusal(saved(plain.convert(mode), "JPEG", **option)) == ""


def test_a_run_length_coded_bmp_is_read_whole_or_not() -> None:
    """Pillow writes none, and fills what is missing with black."""
    rows = b"".join(bytes([4, row, 4, 9, 0, 0]) for row in range(8)) + b"\0\1"
    head = struct.pack("<IiiHHIIiiII", 40, 8, 8, 1, 8, 1, len(rows), 0, 0, 256, 0)
    colours = b"".join(bytes([level, level, level, 0]) for level in range(256))
    start = 14 + len(head) + len(colours)
    data = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + colours + rows
    assert decode_image(data)[0, 0].tolist() == [7, 7, 7]
    for length in range(start, len(data)):
        assert refusal(data[:length]).startswith("damaged BMP")


def test_of_a_photo_with_a_second_picture_behind_it_the_first_is_read() -> None:
    """As telephones write them (MPO)."""
    one, other = Image.new("RGB", (8, 6), (250, 10, 10)), Image.new("RGB", (8, 6), (0, 0, 250))
    pixels = decode_image(saved(one, "MPO", save_all=True, append_images=[other]))
    np.testing.assert_allclose(pixels, np.broadcast_to([250, 10, 10], (6, 8, 3)), atol=4)


NAMED = {
    "HEIC": b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
    "JPEG XL": b"\xff\x0a\xfa\x1f",
    "JPEG 2000": saved(picture(), "JPEG2000"),
    "Photoshop (PSD)": b"8BPS\0\1" + bytes(20),
    "SVG": b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- made -->\n<svg xmlns="http://www.w3.org/2000/svg"/>',
    "PDF": b"%PDF-1.7\n",
    "HTML page": b"\n <!doctype HTML><title>404</title>",
    "JSON": b'{"error": "not found"}',
    "XML": b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
    "WAV": b"RIFF\0\0\0\0WAVEfmt ",
    "zip": b"PK\3\4" + bytes(30),
    "UTF-16 text": "<html>".encode("utf-16"),
}


@pytest.mark.parametrize("kind", NAMED)
def test_what_is_no_picture_is_called_what_it_is(kind: str) -> None:
    """An error page under the name of a picture, and pictures of formats that are not read."""
    assert refusal(NAMED[kind]) == f"{kind}, not a picture of JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF"


@pytest.mark.parametrize("form", FORMS)
def test_a_reason_is_the_same_each_night(form: str) -> None:
    """No address in memory is in it, though Pillow names the object that it read from."""
    for data in (saved(picture(), form)[:30], kind_start(form)):
        first = refusal(data)
        assert first.startswith("damaged")
        assert "0x" not in first
        assert refusal(bytes(bytearray(data))) == first


def kind_start(form: str) -> bytes:
    """The first bytes of a format, and nothing that belongs to it."""
    return saved(picture(), form)[:12] + b"?" * 300
