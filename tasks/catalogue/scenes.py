"""One scene per genre, drawn into the lower two thirds of a poster."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import ImageDraw

Colour = tuple[int, int, int]
Point = tuple[float, float]


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Return the RGB colour of a hue (in turns), saturation and value; the latter two are clipped to [0, 1]."""
    saturation, value = min(max(saturation, 0.0), 1.0), min(max(value, 0.0), 1.0)
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, saturation, value)
    return round(red * 255), round(green * 255), round(blue * 255)


@dataclass(frozen=True)
class Canvas:
    """A drawing surface of `width` x `height` pixels whose ground begins at `horizon`, with the light of a film.

    light: 0 dark to 1 bright, from the mood. energy: 0 calm to 1 fast, from the tempo. hue: that of the genre.
    """

    draw: ImageDraw.ImageDraw
    rng: np.random.Generator
    width: int
    height: int
    horizon: int
    light: float
    energy: float
    hue: float

    def disc(self, x: float, y: float, radius: float, fill: tuple[int, ...]) -> None:
        """Draw a filled circle."""
        self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=fill)

    def glow(self, x: float, y: float, radius: float, colour: Colour) -> None:
        """Draw a disc in a halo that fades outwards."""
        for step in range(8, 0, -1):
            self.disc(x, y, radius * (1 + step * 0.12), (*colour, 16))
        self.disc(x, y, radius, colour)

    def somewhere(self, top: float, bottom: float) -> Point:
        """Return a random point between `top` and `bottom`, which are shares of the height."""
        return self.rng.uniform(0, self.width), self.rng.uniform(top, bottom) * self.height


def western(c: Canvas) -> None:
    """Draw a low sun behind flat-topped mesas, and a cactus."""
    c.glow(c.rng.uniform(0.25, 0.75) * c.width, c.horizon - 30, 95, hsv(0.11, 0.55, 0.75 + 0.25 * c.light))
    for _ in range(3):
        x, wide, high = c.rng.uniform(-60, c.width - 60), c.rng.uniform(70, 150), c.rng.uniform(60, 170)
        outline = [(x, c.horizon), (x + 22, c.horizon - high), (x + wide, c.horizon - high), (x + wide + 26, c.horizon)]
        c.draw.polygon(outline, fill=hsv(0.03, 0.7, 0.2 + 0.35 * c.light + c.rng.uniform(0, 0.08)))
    x, foot, green = c.rng.uniform(0.15, 0.85) * c.width, c.horizon + 90, hsv(0.3, 0.55, 0.15 + 0.3 * c.light)
    c.draw.rounded_rectangle((x - 13, foot - 150, x + 13, foot), 13, fill=green)
    for side, lift in ((-1, 40), (1, 65)):
        left, right = sorted((x, x + side * 48))
        c.draw.rounded_rectangle((left, foot - lift - 20, right, foot - lift), 10, fill=green)
        elbow = x + side * 48
        c.draw.rounded_rectangle((elbow - 10, foot - lift - 66, elbow + 10, foot - lift), 10, fill=green)


def science_fiction(c: Canvas) -> None:
    """Draw a ringed planet among stars, and a rocket that leans with its speed."""
    for _ in range(70):
        x, y = c.somewhere(0.0, 0.62)
        c.disc(x, y, c.rng.uniform(0.8, 2.6), (255, 255, 255, 200))
    x, y, radius = c.rng.uniform(0.3, 0.7) * c.width, c.rng.uniform(0.24, 0.4) * c.height, c.rng.uniform(55, 95)
    planet = hsv(c.rng.uniform(0.45, 0.6), 0.5, 0.45 + 0.5 * c.light)
    c.glow(x, y, radius, planet)
    for inset in range(3):
        wide = radius * (1.75 - inset * 0.12)
        c.draw.arc((x - wide, y - wide * 0.3, x + wide, y + wide * 0.3), 355, 185, fill=(235, 225, 255), width=4)
    lean, length = 0.15 + 0.7 * c.energy, 110.0
    nose = (c.rng.uniform(0.2, 0.6) * c.width + length, c.horizon - 150.0)
    along, across = (-math.sin(lean), math.cos(lean)), (math.cos(lean), math.sin(lean))

    def at(back: float, side: float) -> Point:
        return nose[0] + along[0] * back + across[0] * side, nose[1] + along[1] * back + across[1] * side

    c.draw.polygon([at(length, -15), at(length + 40 + 90 * c.energy, 0), at(length, 15)], fill=(255, 170, 60))
    c.draw.polygon([at(length, -34), at(length * 0.6, 0), at(length, 34)], fill=(190, 60, 80))
    c.draw.polygon([at(0, 0), at(35, 17), at(length, 17), at(length, -17), at(35, -17)], fill=(225, 230, 240))


def _heart(c: Canvas, x: float, y: float, size: float, fill: tuple[int, ...]) -> None:
    turns = np.linspace(0, 2 * np.pi, 40)
    across = 16 * np.sin(turns) ** 3
    up = 13 * np.cos(turns) - 5 * np.cos(2 * turns) - 2 * np.cos(3 * turns) - np.cos(4 * turns)
    c.draw.polygon(list(zip(x + across * size / 16, y - up * size / 16, strict=True)), fill=fill)


def romance(c: Canvas) -> None:
    """Draw two hearts before a pale moon, and petals in the wind."""
    x, y = c.rng.uniform(0.35, 0.65) * c.width, c.rng.uniform(0.3, 0.42) * c.height
    c.glow(x, y, 120, hsv(0.1, 0.12, 0.7 + 0.3 * c.light))
    _heart(c, x - 42, y + 14, 62, hsv(0.96, 0.75, 0.5 + 0.45 * c.light))
    _heart(c, x + 46, y + 34, 46, hsv(0.92, 0.55, 0.6 + 0.4 * c.light))
    for _ in range(14 + int(40 * c.energy)):
        px, py = c.somewhere(0.1, 0.75)
        c.draw.ellipse((px, py, px + 13, py + 7), fill=(255, 200, 215, 190))


def _branch(c: Canvas, foot: Point, angle: float, length: float, fill: Colour) -> None:
    """Draw a branch and, recursively, the shorter branches at its end."""
    if length < 12:
        return
    end = foot[0] + math.cos(angle) * length, foot[1] - math.sin(angle) * length
    c.draw.line((*foot, *end), fill=fill, width=max(2, int(length / 9)))
    for turn in (c.rng.uniform(-0.8, -0.25), c.rng.uniform(0.25, 0.8)):
        _branch(c, end, angle + turn, length * c.rng.uniform(0.6, 0.74), fill)


def horror(c: Canvas) -> None:
    """Draw a house with few lit windows, a bare tree and a moon."""
    moon = hsv(0.16, 0.25, 0.6 + 0.35 * c.light)
    c.glow(c.rng.uniform(0.2, 0.8) * c.width, c.rng.uniform(0.14, 0.28) * c.height, 62, moon)
    black = hsv(0.4, 0.4, 0.04 + 0.1 * c.light)
    x = c.rng.uniform(0.1, 0.5) * c.width
    c.draw.rectangle((x, c.horizon - 130, x + 150, c.horizon + 12), fill=black)
    c.draw.polygon([(x - 16, c.horizon - 130), (x + 75, c.horizon - 225), (x + 166, c.horizon - 130)], fill=black)
    for row in range(2):
        for column in range(3):
            if c.rng.random() < 0.25 + 0.5 * c.light:
                left, top = x + 18 + column * 44, c.horizon - 112 + row * 58
                c.draw.rectangle((left, top, left + 24, top + 34), fill=(250, 190, 70))
    _branch(c, (c.rng.uniform(0.65, 0.9) * c.width, c.horizon + 30), math.pi / 2, 105, black)
    for _ in range(2 + int(9 * c.energy)):
        bx, by = c.somewhere(0.06, 0.4)
        bat = ((0, 0), (-22, -11), (-9, 7), (9, 7), (22, -11))
        c.draw.polygon([(bx + right, by + down) for right, down in bat], fill=black)


def seafaring(c: Canvas) -> None:
    """Draw a ship under sail; the waves rise with the tempo."""
    sun = hsv(0.13, 0.3, 0.7 + 0.3 * c.light)
    c.glow(c.rng.uniform(0.2, 0.8) * c.width, c.rng.uniform(0.2, 0.35) * c.height, 48, sun)
    x, y, cream = c.rng.uniform(0.35, 0.65) * c.width, c.horizon + 26, hsv(0.12, 0.12, 0.6 + 0.4 * c.light)
    for mast, high in ((-48, 150), (14, 195), (66, 130)):
        c.draw.line((x + mast, y - 20, x + mast, y - high), fill=(60, 40, 30), width=6)
        for share in (0.35, 0.68):
            foot, top = y - high * share, y - high * (share + 0.3)
            c.draw.polygon([(x + mast - 4, foot), (x + mast - 4, top), (x + mast + 48, foot - 4)], fill=cream)
    hull = [(x - 108, y - 40), (x + 116, y - 40), (x + 82, y + 24), (x - 78, y + 24)]
    c.draw.polygon(hull, fill=hsv(0.06, 0.6, 0.2 + 0.25 * c.light))
    across = np.linspace(0, c.width, 60)
    for layer in range(4):
        crest = y + 10 + layer * 42 + (4 + 20 * c.energy) * np.sin(across / (44 + 9 * layer) + c.rng.uniform(0, 6))
        outline = [*zip(across, crest, strict=True), (c.width, c.height), (0, c.height)]
        c.draw.polygon(outline, fill=hsv(0.54 + 0.012 * layer, 0.65, 0.25 + 0.35 * c.light + 0.05 * (3 - layer)))


def carnival(c: Canvas) -> None:
    """Draw a Ferris wheel, balloons and bunting."""
    x, y, radius = c.rng.uniform(0.3, 0.7) * c.width, c.horizon - 110.0, 125.0
    for leg in (-70, 70):
        c.draw.line((x, y, x + leg, c.horizon + 30), fill=(245, 245, 250), width=7)
    c.draw.ellipse((x - radius, y - radius, x + radius, y + radius), outline=(245, 245, 250), width=6)
    spin = c.rng.uniform(0, 1)
    for spoke in range(10):
        angle = 2 * math.pi * (spoke + spin) / 10
        end = (x + radius * math.cos(angle), y + radius * math.sin(angle))
        c.draw.line((x, y, *end), fill=(245, 245, 250), width=3)
        c.disc(*end, 15, hsv(spoke / 10, 0.65, 0.6 + 0.4 * c.light))
    for _ in range(3 + int(8 * c.energy)):
        bx, by = c.somewhere(0.08, 0.5)
        c.draw.line((bx, by, bx + 5, by + 70), fill=(240, 240, 240), width=2)
        c.draw.ellipse((bx - 20, by - 26, bx + 20, by + 24), fill=hsv(c.rng.random(), 0.7, 0.6 + 0.4 * c.light))
    for flag in range(12):
        left, wide = flag * c.width / 12, c.width / 12
        colour = hsv(flag * 0.37, 0.7, 0.6 + 0.4 * c.light)
        c.draw.polygon([(left, 0), (left + wide, 0), (left + wide / 2, 34)], fill=colour)


SCENES: dict[str, Callable[[Canvas], None]] = {
    "western": western,
    "science fiction": science_fiction,
    "romance": romance,
    "horror": horror,
    "seafaring": seafaring,
    "carnival": carnival,
}
