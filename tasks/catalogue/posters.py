"""Draws a poster per film: colours from genre and mood, a scene from the genre, city or hills from the setting, streaks
from the tempo, and the title."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from tasks.catalogue.scenes import SCENES, Canvas, hsv
from tasks.catalogue.synopses import title
from tasks.catalogue.world import Film

WIDTH, HEIGHT = 240, 360
_SCALE = 2  # drawn larger, then scaled down, for smooth edges
_HUES = {"western": 0.06, "science fiction": 0.7, "romance": 0.93, "horror": 0.38, "seafaring": 0.53, "carnival": 0.15}


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError(
            f"Pillow's default font is a {type(font).__name__}, expected a FreeTypeFont: install Pillow with FreeType"
        )
    return font


def draw_poster(film: Film) -> Image.Image:
    """Return the film's poster: RGB, 240 x 360 pixels."""
    rng = film.stream("poster")
    width, height = WIDTH * _SCALE, HEIGHT * _SCALE
    horizon = int(height * rng.uniform(0.56, 0.66))
    hue = _HUES[film.genre] + rng.uniform(-0.025, 0.025)
    light = film.mood * (0.6 if film.genre == "horror" else 1.0)
    image = _sky(film, hue, light, width, height)
    draw = ImageDraw.Draw(image, "RGBA")  # colours with an alpha value are blended
    canvas = Canvas(draw, rng, width, height, horizon, light, film.tempo, hue)
    _ground(canvas, film.wild)
    SCENES[film.genre](canvas)
    _streaks(canvas)
    _caption(canvas, title(film))
    return image.resize((WIDTH, HEIGHT), Image.Resampling.LANCZOS)


def encode_poster(poster: Image.Image) -> bytes:
    """Return the poster as JPEG, about 15 KB; the same poster gives the same bytes."""
    buffer = io.BytesIO()
    poster.save(buffer, "JPEG", quality=84, optimize=True)
    return buffer.getvalue()


def _sky(film: Film, hue: float, light: float, width: int, height: int) -> Image.Image:
    """Return a vertical gradient from the genre's colour to that of the second genre, in proportion to its share."""
    second, share = film.second_genre
    top, low = np.array(hsv(hue, 0.75, 0.18 + 0.55 * light)), np.array(hsv(hue + 0.05, 0.4, 0.45 + 0.5 * light))
    low = (1 - share) * low + share * np.array(hsv(_HUES[second], 0.6, 0.5 + 0.45 * light))
    mix = np.linspace(0, 1, height)[:, None] ** 1.2
    column = ((1 - mix) * top + mix * low).round().astype(np.uint8)
    return Image.fromarray(np.repeat(column[:, None, :], width, axis=1))


def _ground(c: Canvas, wild: float) -> None:
    """Draw houses for an urban film, hills and firs for a wild one, and both in between."""
    far, near = hsv(c.hue + 0.04, 0.5, 0.15 + 0.4 * c.light), hsv(c.hue, 0.55, 0.1 + 0.25 * c.light)
    across = np.linspace(0, c.width, 80)
    ridge = c.horizon - (20 + 60 * wild) * np.abs(np.sin(across / c.rng.uniform(90, 150) + c.rng.uniform(0, 6)))
    c.draw.polygon([*zip(across, ridge, strict=True), (c.width, c.height), (0, c.height)], fill=far)
    left = 0.0
    while left < c.width:
        wide = c.rng.uniform(24, 58)
        if c.rng.random() > wild:
            top = c.horizon - c.rng.uniform(30, 150) * (1.1 - wild)
            c.draw.rectangle((left, top, left + wide, c.height), fill=far)
            for y in np.arange(top + 10, c.horizon, 20):
                c.draw.rectangle((left + 8, y, left + 14, y + 8), fill=(255, 225, 150, 150))
        left += wide + c.rng.uniform(0, 14)
    c.draw.rectangle((0, c.horizon + 20, c.width, c.height), fill=near)
    for _ in range(int(16 * wild)):
        x, foot, high = c.rng.uniform(0, c.width), c.horizon + c.rng.uniform(20, 60), c.rng.uniform(30, 75)
        fir = [(x - high / 4, foot), (x, foot - high), (x + high / 4, foot)]
        c.draw.polygon(fir, fill=hsv(0.36, 0.5, 0.12 + 0.3 * c.light))


def _streaks(c: Canvas) -> None:
    """Draw slanted speed lines; none for a calm film."""
    for _ in range(int(26 * c.energy**1.5)):
        x, y = c.somewhere(0.0, 0.8)
        length = c.rng.uniform(40, 160) * (0.4 + c.energy)
        c.draw.line((x, y, x + length, y - length * 0.45), fill=(255, 255, 255, 90), width=3)


def _caption(c: Canvas, words: str) -> None:
    """Draw the title on a dark band, in one or two lines, as large as it fits."""
    top = int(c.height * 0.83)
    c.draw.rectangle((0, top, c.width, c.height), fill=(12, 12, 20, 205))
    middle = len(words) // 2
    breaks = [index for index, letter in enumerate(words) if letter == " "]
    if len(words) > 14 and breaks:
        split = min(breaks, key=lambda index: abs(index - middle))
        words = words[:split] + "\n" + words[split + 1 :]
    size = 48
    while size > 18 and c.draw.multiline_textbbox((0, 0), words, font=_font(size))[2] > c.width - 40:
        size -= 2
    centre = (c.width / 2, (top + c.height) / 2 - 4)
    c.draw.multiline_text(centre, words, font=_font(size), fill=(250, 245, 230), anchor="mm", align="center", spacing=4)
