"""What a file is by its first bytes, whatever its name says; for the sentence that refuses it."""

from __future__ import annotations

import codecs
import re

LOOKED_AT = 1024  # bytes at the start that tell: a text may begin with blanks and comments, a tar has its mark at 257

# Prefix -> what a person calls it. Where one begins like another, the longer comes first.
PREFIXES: dict[bytes, str] = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"8BPS": "Photoshop (PSD)",
    b"\0\0\1\0": "icon (ICO)",
    b"\x1f\x8b": "gzip",
    b"PK\3\4": "zip",
    b"PK\5\6": "zip",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"BZh": "bzip2",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!": "RAR",
    b"\x04\x22\x4d\x18": "lz4",
    b"SQLite format 3\0": "SQLite",
    b"PAR1": "Parquet",
    b"ARROW1": "Arrow",
    b"Obj\1": "Avro",
    b"ORC": "ORC",
    b"\x89HDF\r\n": "HDF5",
    b"\x93NUMPY": "NumPy",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "old Office (xls, doc)",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"ID3": "MP3",
    b"\x1a\x45\xdf\xa3": "Matroska",
    b"\x7fELF": "program",
    b"MZ": "program",
}
TEXTUAL = {b"%PDF-": "PDF", b"%!PS": "PostScript", b"{\\rtf": "RTF"}  # these begin as text does
RIFF = {b"WEBP": "WebP", b"WAVE": "WAV", b"AVI ": "AVI"}
BRANDS = {  # of ISO base media files (ISO/IEC 14496-12), in the order in which they decide
    "AVIF": (b"avif", b"avis"),
    "HEIC": (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
}
MARKUP = re.compile(
    rb"(?:\s|<\?xml[^>]*>|<!--.*?-->)*<(?P<html>!doctype\s+html|html|head|body)\b|"
    rb"(?:\s|<\?xml[^>]*>|<!--.*?-->|<!doctype\s+svg[^>]*>)*<(?P<svg>(?:svg:)?svg)\b|\s*<\?(?P<xml>xml)\b",
    re.IGNORECASE | re.DOTALL,
)
JSON = re.compile(rb'\s*(?:\{\s*(?:"|\})|\[\s*(?:[\[{"\]]|-?\d|null|true|false))')
MARKS = {  # byte order marks; that of UTF-32 begins with that of UTF-16
    b"\xff\xfe\0\0": "UTF-32",
    b"\0\0\xfe\xff": "UTF-32",
    b"\xff\xfe": "UTF-16",
    b"\xfe\xff": "UTF-16",
}
CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
HIGHEST = 0x20  # of the high bytes of UTF-16 that are looked for: Latin, Greek, Cyrillic, Hebrew, Arabic, Devanagari
PACKED = {"gzip", "zip", "xz", "zstd", "bzip2", "7z", "RAR", "lz4", "tar"}


def kind_of(data: bytes, *, maybe_text: bool = False) -> str:
    """Return what a file is by its first bytes: `PNG`, `HTML page`, `UTF-16 text`; empty if they do not tell.

    Plain UTF-8 text and whatever has no mark of its own does not tell. Where it is `maybe_text`, a mark of letters
    counts only before bytes that no text has: a story may begin with `Rar!` or `MZ`.
    """
    start = bytes(data[:LOOKED_AT])
    if not maybe_text or CONTROL.search(start) or not _is_utf8(start):
        if named := next((kind for prefix, kind in PREFIXES.items() if start.startswith(prefix)), ""):
            return named
        if start[:4] == b"RIFF":
            return RIFF.get(start[8:12], "RIFF")
        if start[:2] == b"BM" and (not maybe_text or start[6:10] == bytes(4)):  # the two reserved fields
            return "BMP"
        if start[4:8] == b"ftyp":
            return _brand(start)
        if start[257:262] == b"ustar":
            return "tar"
    return _text_kind(start)


def _is_utf8(start: bytes) -> bool:
    try:
        codecs.getincrementaldecoder("utf-8")().decode(start)  # a last character may be cut
    except UnicodeDecodeError:
        return False
    return True


def _brand(start: bytes) -> str:
    length = min(int.from_bytes(start[:4], "big"), len(start))
    brands = [start[8:12], *(start[place : place + 4] for place in range(16, length, 4))]
    return next((kind for kind, names in BRANDS.items() if any(brand in names for brand in brands)), "MP4")


def _text_kind(start: bytes) -> str:
    if wide := wide_text(start):
        return f"{wide} text"
    text = start.removeprefix(b"\xef\xbb\xbf")
    if named := next((kind for prefix, kind in TEXTUAL.items() if text.startswith(prefix)), ""):
        return named
    if found := MARKUP.match(text):
        return {"html": "HTML page", "svg": "SVG", "xml": "XML"}[str(found.lastgroup)]
    return "JSON" if JSON.match(text) else ""


def wide_text(start: bytes) -> str:
    """Return `UTF-16` or `UTF-32` for text in it, with a byte order mark or, by its high bytes, without; else empty.

    Of one script, all but one byte of four are alike, or one of two.
    """
    mark = next((name for mark, name in MARKS.items() if start.startswith(mark)), "")
    if mark:
        return mark
    if len(start) < 8:
        return ""
    for name, codec, width in (("UTF-32", "utf-32", 4), ("UTF-16", "utf-16", 2)):
        whole = start[: len(start) // width * width]
        for order, high in (("le", width - 1), ("be", 0)):
            lane = whole[high::width]
            common = max(set(lane), key=lane.count)
            if common < HIGHEST and lane.count(common) > 0.6 * len(lane) and _is_readable(whole, f"{codec}-{order}"):
                return name
    return ""


def _is_readable(data: bytes, codec: str) -> bool:
    text = data.decode(codec, "replace")
    odd = sum(not (char.isprintable() or char.isspace()) or char == "\ufffd" for char in text)
    return odd <= 0.05 * len(text) and any(map(str.isalnum, text))
