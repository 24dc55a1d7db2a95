"""Films and viewers with their latent traits, from which the rest of the generated catalogue follows.

Every film and every viewer is a pure function of (seed, index) with its own random stream. So film 300 is the same
whether it is generated alone or with the first 300, and a catalogue can grow without changing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

GENRES = ("western", "science fiction", "romance", "horror", "seafaring", "carnival")
_STREAMS = ("content", "poster", "sound", "synopsis", "title", "taste", "choice", "time", "year")


def stream(seed: int, purpose: str, index: int) -> np.random.Generator:
    """Return the random stream for one purpose of one film or viewer; all streams are independent."""
    return np.random.default_rng([seed, _STREAMS.index(purpose), index])


@dataclass(frozen=True)
class Film:
    """The content of one film, from which its poster, sound, synopsis and appeal follow.

    genres: (6,) float64, shares of GENRES, sum 1. mood: 0 dark to 1 bright. tempo: 0 calm to 1 fast. wild: 0 city to
    1 wilderness. fame: standard normal, its popularity independent of content.
    """

    seed: int
    index: int
    genres: np.ndarray
    mood: float
    tempo: float
    wild: float
    fame: float

    @property
    def item_id(self) -> str:
        """The id in the catalogue, such as film-0042."""
        return f"film-{self.index:04d}"

    @property
    def genre(self) -> str:
        """The name of the main genre."""
        return GENRES[int(np.argmax(self.genres))]

    @property
    def second_genre(self) -> tuple[str, float]:
        """The name and share (at most one half) of the second genre."""
        index = int(np.argsort(self.genres)[-2])
        return GENRES[index], float(self.genres[index])

    @property
    def traits(self) -> np.ndarray:
        """(3,) mood, tempo and wild."""
        return np.array([self.mood, self.tempo, self.wild])

    def stream(self, purpose: str) -> np.random.Generator:
        """Return this film's random stream for one purpose."""
        return stream(self.seed, purpose, self.index)


@dataclass(frozen=True)
class Viewer:
    """The tastes of one viewer.

    genres: (6,) float64, shares of GENRES, sum 1. traits: (3,) the preferred mood, tempo and wildness. activity: number
    of films seen from an opening catalogue that is large enough.
    """

    seed: int
    index: int
    genres: np.ndarray
    traits: np.ndarray
    activity: int

    @property
    def user_id(self) -> str:
        """The id in the log, such as user-0123."""
        return f"user-{self.index:04d}"

    def stream(self, purpose: str) -> np.random.Generator:
        """Return this viewer's random stream for one purpose."""
        return stream(self.seed, purpose, self.index)


def film(seed: int, index: int) -> Film:
    """Return film number `index` of the world `seed`. Genres are random; most films have one, some mix two evenly."""
    rng = stream(seed, "content", index)
    main = int(rng.integers(len(GENRES)))
    purity = rng.uniform(0.55, 0.95)
    rest = rng.dirichlet(np.full(len(GENRES) - 1, 0.3))
    genres = np.insert(rest * (1 - purity), main, purity)
    mood, tempo, wild = rng.beta(0.9, 0.9, size=3)
    return Film(seed, index, genres, float(mood), float(tempo), float(wild), float(rng.standard_normal()))


def viewer(seed: int, index: int) -> Viewer:
    """Return viewer number `index` of the world `seed`: one to three favourite genres, 20 to 40 films seen."""
    rng = stream(seed, "taste", index)
    genres = rng.dirichlet(np.full(len(GENRES), 0.35))
    return Viewer(seed, index, genres, rng.uniform(0, 1, size=3), int(rng.integers(20, 41)))
