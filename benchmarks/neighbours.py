"""Which films' posters look alike to an encoder: ten films of MovieLens-1M with their five nearest, by title.

    python -m benchmarks.neighbours DATA [--encoder NAME ...] [--films ID ...]

DATA holds ml1m/movies.dat and ml1m_posters/images/<MovieID>.jpg. Vectors are compared by the cosine of standardised
columns, each poster with all others. The posters are not ours to show, so titles and genres stand for them; the share
of genres in common (Jaccard) of all films with their five nearest is printed beside that of any two films.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from tasks.encoders import load_encoder
from tasks.store import open_store

NEAREST, BATCH = 5, 32
# Known ones: animation, western, horror, space, romance, war, musical, action, science fiction, comedy
FILMS = (1, 1304, 1258, 260, 2424, 2028, 1035, 1370, 541, 3552)


def read_films(path: Path) -> dict[int, tuple[str, set[str]]]:
    """Film id -> title and genres."""
    rows = (line.split("::") for line in path.read_text(encoding="latin-1").splitlines() if line)
    return {int(number): (title, set(genres.split("|"))) for number, title, genres in rows}


def nearest(vectors: np.ndarray) -> np.ndarray:
    """(n, NEAREST) rows that are nearest to each of (n, d), without itself."""
    rows = vectors - vectors.mean(axis=0)
    deviation = rows.std(axis=0)
    rows /= np.where(deviation > 0, deviation, 1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    cosines = rows @ rows.T
    np.fill_diagonal(cosines, -np.inf)
    return np.argsort(-cosines, axis=1)[:, :NEAREST]


def shared_genres(genres: list[set[str]]) -> np.ndarray:
    """(n, n) Jaccard index of the genres of any two films."""
    names = sorted(set().union(*genres))
    has = np.array([[name in one for name in names] for one in genres], dtype=float)
    common = has @ has.T
    sizes = has.sum(axis=1)
    return np.asarray(common / (sizes[:, None] + sizes[None, :] - common))


def main(options: argparse.Namespace) -> None:
    """Print the share of genres by encoder, and a table of films."""
    known = read_films(options.data / "ml1m" / "movies.dat")
    posters = {int(path.stem): path for path in (options.data / "ml1m_posters" / "images").glob("*.jpg")}
    ids = sorted(known.keys() & posters.keys())
    places = {number: place for place, number in enumerate(ids)}
    jaccard = shared_genres([known[number][1] for number in ids])
    of_any = (jaccard.sum() - len(ids)) / (len(ids) * (len(ids) - 1))
    print(f"{len(ids)} posters; genres in common of any two films {of_any:.3f}")
    found = {}
    with tempfile.TemporaryDirectory() as scratch:
        store = open_store(f"file://{scratch}")
        for name in options.encoder:
            encoder = load_encoder(store, name)["image"]
            parts = [ids[start : start + BATCH] for start in range(0, len(ids), BATCH)]
            rows = [encoder.encode([encoder.decode(posters[one].read_bytes()) for one in part]) for part in parts]
            found[name] = nearest(np.concatenate(rows).astype(np.float64))
            share = np.take_along_axis(jaccard, found[name], axis=1).mean()
            print(f"{name}: with the five nearest {share:.3f}", flush=True)
    print(f"\n| film | {' | '.join(options.encoder)} |\n|---{'|---' * len(options.encoder)}|")
    for number in options.films:
        cells = ["; ".join(known[ids[place]][0] for place in table[places[number]]) for table in found.values()]
        print(f"| {known[number][0]} | {' | '.join(cells)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", nargs="+", default=["audioclip-demo", "mobilenet"])
    parser.add_argument("--films", nargs="+", type=int, default=FILMS)
    main(parser.parse_args())
