"""Media that can be used and have hardly anything in them."""

from __future__ import annotations

import threading
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tasks.media.audio import decode_audio
from tasks.media.image import decode_image
from tasks.media.remarks import PLAINEST, is_odd, join_remarks, remark_on_picture, remarks, split_remarks
from tasks.media.text import decode_text
from tests.encoders.media import picture, saved, sound, tone

RATE = 44_100


def noise(level: float) -> bytes:
    """A second of noise whose root mean square is `level`."""
    return sound(level * np.random.default_rng(1).normal(size=RATE), RATE, subtype="FLOAT")


def channels(*levels: float) -> bytes:
    """The same noise in several channels, each at its level; negative: in opposite phase."""
    once = 0.1 * np.random.default_rng(2).normal(size=RATE)
    return sound(np.stack([level * once for level in levels], axis=1), RATE, subtype="FLOAT")


def compressed(colour: tuple[int, int, int]) -> bytes:
    """A JPEG of one colour, which is not one colour any more once it was compressed badly."""
    return saved(Image.new("RGB", (60, 90), colour), "JPEG", quality=20)


@pytest.mark.parametrize(
    ("decode", "data", "said"),
    [
        (decode_audio, sound(np.zeros(RATE), RATE), ["silent"]),
        (decode_audio, noise(0.0002), ["silent"]),
        (decode_audio, noise(0.01), []),
        (decode_audio, sound(tone(0.5, RATE), RATE), []),
        (decode_audio, channels(1, -1), ["silent", "opposite in phase"]),
        (decode_audio, channels(1, -0.9), ["opposite in phase"]),
        (decode_audio, channels(1, -0.5), []),
        (decode_audio, channels(1, *[0] * 31), []),
        (decode_audio, channels(0, 0), ["silent"]),
        (decode_image, saved(Image.new("RGB", (40, 60), "white")), ["blank"]),
        (decode_image, compressed((10, 20, 30)), ["blank"]),
        (decode_image, saved(picture()), []),
        (decode_text, b"Up.", ["short"]),
        (decode_text, "—— 12 ——".encode(), ["short"]),
        (decode_text, b"Alien", []),
        (decode_text, "千と千尋の神隠し".encode(), []),
    ],
    ids=[
        "zeros",
        "dither",
        "quiet",
        "tone",
        "opposite",
        "nearly opposite",
        "wide",
        "one of 32",
        "stereo zeros",
        "white",
        "one colour",
        "picture",
        "word",
        "signs",
        "title",
        "Japanese",
    ],
)
def test_what_has_hardly_anything_in_it_is_remarked_on(
    decode: Callable[[bytes], object], data: bytes, said: list[str]
) -> None:
    """Silence with dither and a colour with the noise of compression too."""
    with remarks() as heard:
        decode(data)
    assert heard == said


def test_remarks_are_of_one_thread() -> None:
    """Two media that are decoded at once are not mixed up."""
    heard: dict[str, list[str]] = {}
    both = threading.Barrier(2, timeout=30)

    def decode(text: str) -> None:
        with remarks() as said:
            both.wait()
            decode_text(text.encode())
            both.wait()
        heard[text] = said

    texts = ["no", "a text of many words"]
    threads = [threading.Thread(target=decode, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert heard == {"no": ["short"], "a text of many words": []}


def test_a_decoder_by_itself_says_nothing() -> None:
    """Nobody has asked."""
    assert decode_text(b"no") == "no"


def test_remarks_are_split_as_they_were_joined() -> None:
    """Each is said once, and a bandwidth alone is not odd."""
    remark = join_remarks(["silent", "limited to 11 kHz", "silent"])
    assert split_remarks(remark) == ["silent", "limited to 11 kHz"]
    assert [is_odd(one) for one in (remark, "limited to 11 kHz", "short", "")] == [True, False, True, False]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_a_blank_picture_is_told_by_all_of_its_pixels(width: int, height: int, marks: int, seed: int) -> None:
    """Though most pictures are known not to be blank by some of them."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), 200, np.uint8)
    for _ in range(marks):
        pixels[rng.integers(height), rng.integers(width), rng.integers(3)] = 200 + rng.integers(-9, 10)
    with remarks() as said:
        remark_on_picture(pixels)
    assert said == (["blank"] if pixels.std(axis=(0, 1)).max() < PLAINEST else [])
