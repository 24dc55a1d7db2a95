"""The generated world: reproducible, extensible, and its media and tastes follow the content."""

from __future__ import annotations

import io
import re
from collections import Counter
from functools import cache
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tasks.catalogue import (
    GENRES,
    RATE,
    Film,
    draw_poster,
    encode_poster,
    encode_sound,
    film,
    synthesise,
    title,
    viewer,
    viewing_log,
    write_synopsis,
)

FILMS = [film(7, index) for index in range(120)]
LABELS = np.array([GENRES.index(one.genre) for one in FILMS])


def neighbour_accuracy(statistics: np.ndarray) -> float:
    """Return the share of films whose nearest other film, by standardised statistics (films, d), has the same genre."""
    scaled = (statistics - statistics.mean(axis=0)) / (statistics.std(axis=0) + 1e-9)
    distance = ((scaled[:, None] - scaled[None]) ** 2).sum(axis=2)
    np.fill_diagonal(distance, np.inf)
    return float((LABELS[distance.argmin(axis=1)] == LABELS).mean())


def colours(one: Film) -> np.ndarray:
    """Return the mean colour of each of 4 x 6 cells of the poster: (72,)."""
    return np.asarray(draw_poster(one).resize((4, 6), Image.Resampling.BOX), dtype=float).ravel()


@cache
def bands(index: int) -> np.ndarray:
    """Return the log energy in 24 frequency bands: (24,)."""
    power = np.abs(np.fft.rfft(synthesise(FILMS[index]), 1 << 18)) ** 2
    edges = np.geomspace(40, 16_000, 25) / RATE * (1 << 18)
    return np.log([power[int(low) : int(high)].mean() for low, high in pairwise(edges)])


def words(one: Film, vocabulary: list[str]) -> np.ndarray:
    """Return which of the words occur in the synopsis: (words,)."""
    used = set(re.findall(r"[a-z']+", write_synopsis(one).lower()))
    return np.array([word in used for word in vocabulary], dtype=float)


@pytest.mark.slow
def test_genre_can_be_seen_in_the_poster() -> None:
    """The nearest poster by coarse colours has the same genre far more often than one time in six."""
    assert neighbour_accuracy(np.stack([colours(one) for one in FILMS])) > 0.5


@pytest.mark.slow
def test_genre_can_be_heard_in_the_sound() -> None:
    """The nearest sound by spectrum has the same genre far more often than one time in six."""
    assert neighbour_accuracy(np.stack([bands(index) for index in range(len(FILMS))])) > 0.4


def test_genre_can_be_read_in_the_synopsis() -> None:
    """The nearest synopsis by its words has the same genre far more often than one time in six."""
    counts = Counter(word for one in FILMS for word in set(re.findall(r"[a-z']+", write_synopsis(one).lower())))
    vocabulary = sorted(word for word, count in counts.items() if 2 <= count <= 40)
    assert neighbour_accuracy(np.stack([words(one, vocabulary) for one in FILMS])) > 0.5


@pytest.mark.slow
def test_mood_is_seen_and_heard() -> None:
    """Within each genre, brighter films have brighter posters and more high frequencies."""
    mood = np.array([one.mood for one in FILMS])
    brightness = np.array([colours(one).mean() for one in FILMS])
    energy = np.exp([bands(index) for index in range(len(FILMS))])
    pitch = energy @ np.arange(24) / energy.sum(axis=1)
    for label in range(len(GENRES)):
        of_genre = label == LABELS
        assert np.corrcoef(mood[of_genre], brightness[of_genre])[0, 1] > 0.6
        assert np.corrcoef(mood[of_genre], pitch[of_genre])[0, 1] > 0.3


def matrix(log: pd.DataFrame, users: int, items: int) -> np.ndarray:
    """Return the views as a (users, items) matrix of zeros and ones."""
    seen = np.zeros((users, items))
    seen[log["user_id"].str[5:].astype(int), log["item_id"].str[5:].astype(int)] = 1
    return seen


def test_tastes_follow_content_but_not_only_content() -> None:
    """Viewers see more than the average share of their favourite genre, but mostly other films; fame matters too."""
    films = [film(7, index) for index in range(300)]
    seen = matrix(viewing_log(7, items=300, users=200, opening=300), 200, 300)
    genre = np.array([GENRES.index(one.genre) for one in films])
    favourite = np.array([viewer(7, index).genres.argmax() for index in range(200)])
    offered = (genre[None] == favourite[:, None]).mean(axis=1)
    consumed = (seen * (genre[None] == favourite[:, None])).sum(axis=1) / seen.sum(axis=1)
    assert consumed.mean() > 1.8 * offered.mean()
    assert consumed.mean() < 0.6
    fame = np.array([one.fame for one in films])
    assert 0.4 < np.corrcoef(fame, seen.sum(axis=0))[0, 1] < 0.95


def test_activity_and_popularity_are_as_described() -> None:
    """Everyone sees 20 to 40 films of the opening catalogue; the most popular tenth has over a fifth of the views."""
    log = viewing_log(7, items=300, users=200, opening=300)
    per_user = log.groupby("user_id").size()
    assert len(per_user) == 200
    assert per_user.between(20, 40).all()
    per_item = log.groupby("item_id").size().sort_values(ascending=False)
    assert per_item.head(30).sum() > 0.2 * len(log)
    assert not log.duplicated(["user_id", "item_id"]).any()


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**31 - 1), opening=st.integers(2, 40), more=st.integers(1, 10))
def test_a_longer_log_contains_the_shorter(seed: int, opening: int, more: int) -> None:
    """New films add later rows to the log and change no existing ones."""
    before = viewing_log(seed, items=opening, users=12, opening=opening)
    after = viewing_log(seed, items=opening + more, users=12, opening=opening)
    pd.testing.assert_frame_equal(after.head(len(before)), before)
    new = after.iloc[len(before) :]
    assert set(new["item_id"]) <= {film(seed, index).item_id for index in range(opening, opening + more)}
    assert (new["timestamp"] > before["timestamp"].max()).all()


def test_media_are_a_pure_function_of_seed_and_number() -> None:
    """The same film gives the same bytes twice; another number or seed gives other bytes."""

    def media(seed: int, index: int) -> tuple[bytes, bytes, str]:
        one = film(seed, index)
        return encode_poster(draw_poster(one)), encode_sound(synthesise(one)), write_synopsis(one)

    first = media(7, 3)
    assert media(7, 3) == first
    for other in (media(7, 4), media(8, 3)):
        assert all(a != b for a, b in zip(first, other, strict=True))


@pytest.mark.parametrize("index", range(12))
def test_media_have_the_promised_form(index: int) -> None:
    """A poster is 240 x 360, a sound three to four seconds of unclipped 44.1 kHz mono, a synopsis some sentences."""
    one = film(1, index)
    data = encode_poster(draw_poster(one))
    assert Image.open(io.BytesIO(data)).size == (240, 360)
    assert len(data) < 30_000
    sound, rate = soundfile.read(io.BytesIO(encode_sound(synthesise(one))))
    assert (rate, sound.ndim) == (RATE, 1)
    assert 3 * RATE <= len(sound) <= 4 * RATE
    assert sound.std() > 0.05
    assert np.abs(sound).max() < 1.0
    text = write_synopsis(one)
    assert 4 <= text.count(".") <= 7
    assert title(one) in text
    assert 30 <= len(text.split()) <= 110


def test_ogg_checksums_survive_the_fixed_serial_number() -> None:
    """A page that is changed without its checksum is refused, so the checksums that we write are correct."""
    data = bytearray(encode_sound(synthesise(film(7, 0))))
    whole, _ = soundfile.read(io.BytesIO(bytes(data)))
    data[-1000] ^= 0xFF
    try:
        broken, _ = soundfile.read(io.BytesIO(bytes(data)))
    except soundfile.LibsndfileError:
        return
    assert len(broken) < len(whole)
