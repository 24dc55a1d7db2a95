"""The logs and the content of the benchmark of arrivals: Last.fm-2k and MovieLens-1M, read from the folder DATA."""

from __future__ import annotations

import argparse
import gzip
import json
import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.sparse.linalg import svds

from benchmarks.ml1m_descriptions import terms, tf_idf

WIDTH = 256  # of latent semantic indexing


@dataclass(frozen=True)
class World:
    """`users`, `items` (n,): codes of all interactions; `content`: feature -> (items, width) float32.

    `plain` names the features that the prototype had.
    """

    name: str
    users: np.ndarray
    items: np.ndarray
    content: dict[str, np.ndarray]
    plain: tuple[str, ...]


def lfm2k(data: Path) -> World:
    """MiniLM of the tags and VGGish; also the tags and LLM texts of the artists as TF-IDF, reduced by LSI."""
    folder = data / "lfm2k"
    users, items = np.loadtxt(folder / "lfm2k.inter", skiprows=1, usecols=(0, 1), dtype=np.int64).T
    original = np.zeros(items.max() + 1, dtype=np.int64)
    original[items] = np.loadtxt(folder / "lfm2k_og_ids.inter", skiprows=1, usecols=1, dtype=np.int64)
    lines = (folder / "lfm2k_text.tsv").read_text(encoding="utf-8").splitlines()[1:]
    tags = {int(artist): words.split(",") for artist, words in (line.split("\t") for line in lines)}
    texts = json.loads(gzip.decompress((data / "texts" / "hetrec_artist_gen_texts.json.gz").read_bytes()))
    content = {
        "minilm": np.load(folder / "all-MiniLM-L6-v2.npy").astype(np.float32),
        "vggish": np.load(folder / "vggish.npy").astype(np.float32),
        "tags": lsi([Counter(tags.get(artist, [])) for artist in original.tolist()]),
        "texts": lsi([words_of(str(texts.get(str(artist), ""))) for artist in original.tolist()]),
    }
    return World("lfm2k", users, items, content, ("minilm", "vggish"))


def ml1m(data: Path) -> World:
    """MiniLM of templates and LLM texts and posters; also LSI of descriptions and of these texts, genres and years."""
    table = np.loadtxt(data / "ml1m" / "ml1m_posters_split.tsv.gz", skiprows=1, usecols=(0, 1), dtype=np.int64)
    films, items = np.unique(table[:, 1], return_inverse=True)
    minilm = np.load(data / "vectors" / "ml1m_minilm_f16.npz")
    posters = np.load(data / "vectors" / "ml1m_posters_mnv2_f16.npz")
    rows = (line.split("::") for line in (data / "ml1m" / "movies_extrainfos.dat").read_text("utf-8").splitlines())
    described = {int(row[0]): terms(row) for row in rows if len(row) > 9}
    rows = (line.split("::") for line in (data / "ml1m" / "movies.dat").read_text("latin-1").splitlines())
    titled = {int(row[0]): (int(row[1].strip()[-5:-1]), row[2].split("|")) for row in rows}
    genres = sorted({genre for film in films.tolist() for genre in titled[film][1]})
    years = np.array([titled[film][0] for film in films.tolist()])
    texts = json.loads(gzip.decompress((data / "texts" / "ml1m_gen_texts.json.gz").read_bytes()))
    content = {
        "template": rows_of(minilm["movie_id"], minilm["template"], films),
        "texts minilm": rows_of(minilm["movie_id"], minilm["gen64"], films),
        "poster": rows_of(posters["movie_id"], posters["x"], films),
        "description": lsi([described.get(film, Counter()) for film in films.tolist()]),
        "texts": lsi([words_of(str(texts.get(str(film), ""))) for film in films.tolist()]),
        "genres": np.array([[genre in titled[film][1] for genre in genres] for film in films.tolist()], np.float32),
        "year": np.exp(-(((years[:, None] - np.arange(1920, 2001, 5)) / 5) ** 2) / 2).astype(np.float32),
    }
    users = np.unique(table[:, 0], return_inverse=True)[1]
    return World("ml1m", users, items, content, ("template", "texts minilm", "poster"))


WORLDS: dict[str, Callable[[Path], World]] = {"lfm2k": lfm2k, "ml1m": ml1m}


def lsi(documents: list[Counter[str]]) -> np.ndarray:
    """Return (documents, WIDTH) float32; a document without a term that another has too is a row of zeros."""
    left, values, _ = svds(tf_idf(documents), WIDTH, rng=np.random.default_rng(0))
    rows: np.ndarray = (left * values).astype(np.float32)
    rows[np.linalg.norm(rows, axis=1) < 1e-6] = 0
    return rows


def words_of(text: str) -> Counter[str]:
    """Words of three letters and more."""
    return Counter(re.findall(r"[^\W\d_]{3,}", text.lower()))


def rows_of(ids: np.ndarray, vectors: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """The vectors of the `wanted` ids, which must all be there."""
    order = np.argsort(ids)
    places = order[np.searchsorted(ids, wanted, sorter=order)]
    assert np.array_equal(ids[places], wanted)
    return np.asarray(vectors[places], dtype=np.float32)


def parser_of(doc: str | None) -> argparse.ArgumentParser:
    """Return a parser of what every benchmark of these worlds takes; `doc` describes the benchmark."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--worlds", nargs="+", default=list(WORLDS), choices=list(WORLDS))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    return parser
