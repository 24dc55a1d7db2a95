"""From a stranger's bytes to pixels, samples or text: bounded, decoded whole, or refused with a reason."""

from __future__ import annotations

EXTENSIONS: dict[str, frozenset[str]] = {
    "image": frozenset({"jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff"}),
    "audio": frozenset({"wav", "mp3", "flac", "ogg", "oga", "opus", "m4a", "aac"}),
    "text": frozenset({"txt"}),
}
LARGEST_FILE = 256 << 20  # bytes of a media object


class BadMedia(ValueError):  # noqa: N818  it is the medium that is bad
    """A file that cannot be used; the message is the reason in a few plain words."""
