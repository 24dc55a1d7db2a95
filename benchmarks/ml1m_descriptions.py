"""Embeddings of the descriptions of MovieLens-1M's films, for `load-embeddings`.

    python -m benchmarks.ml1m_descriptions TABLE OUT [--width N]

TABLE is ml1m/movies_extrainfos.dat, with fields separated by `::`; id, year, genres, director, actors and plot are
used. OUT.npy gets a row for each film and OUT.txt its id: TF-IDF of words and names, rows of length 1, reduced
by a truncated singular value decomposition (latent semantic indexing, Deerwester et al., 1990). No interaction is used.
"""

from __future__ import annotations

import argparse
import re
from collections import Counter
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import svds
from threadpoolctl import threadpool_limits

YEAR, PLOT = 2, 9  # fields, from 0
NAMED = {"genre": (5, 3), "director": (6, 2), "actor": (8, 2)}  # the field, and the weight of a name in it
NONE = "N/A"


def terms(row: list[str]) -> Counter[str]:
    """Return the words of the plot, and genres, people and the decade, which have higher weights."""
    counts = Counter(re.findall(r"[^\W\d_]{3,}", "" if row[PLOT] == NONE else row[PLOT].lower()))
    counts[f"decade {row[YEAR][:3]}"] = 2
    for kind, (field, weight) in NAMED.items():
        names = [name.strip() for name in row[field].split(",")]
        counts.update({f"{kind} {name}": weight for name in names if name not in {"", NONE}})
    return counts


def tf_idf(documents: list[Counter[str]]) -> sparse.csr_matrix:
    """Return (documents, terms) (1 + log tf) log(N / df) of terms in at least two documents; rows of length 1."""
    documented = Counter(term for document in documents for term in document)
    columns = {term: place for place, term in enumerate(sorted(t for t, count in documented.items() if count > 1))}
    cells = [
        (row, columns[term], (1 + np.log(count)) * np.log(len(documents) / documented[term]))
        for row, document in enumerate(documents)
        for term, count in document.items()
        if term in columns
    ]
    rows, places, weights = (np.array(column) for column in zip(*cells, strict=True))
    table = sparse.csr_matrix((weights, (rows, places)), shape=(len(documents), len(columns)))
    lengths = np.sqrt(table.multiply(table).sum(axis=1)).A1
    return sparse.csr_matrix(sparse.diags(1 / np.maximum(lengths, 1e-12)) @ table)


def main(table: Path, out: Path, width: int) -> None:
    """Write OUT.npy and OUT.txt."""
    lines = table.read_text(encoding="utf-8").splitlines()
    rows = [row for row in (line.split("::") for line in lines) if len(row) > PLOT]
    with threadpool_limits(2, "blas"):  # the signs of columns, and so training, depend on the number of threads
        left, values, _ = svds(tf_idf([terms(row) for row in rows]), width, rng=np.random.default_rng(0))
    np.save(out.with_suffix(".npy"), (left * values).astype(np.float32))
    out.with_suffix(".txt").write_text("".join(f"{row[0]}\n" for row in rows), encoding="utf-8")
    print(f"{len(rows)} films in {len(lines)} lines, {width} dimensions")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--width", type=int, default=256)
    options = parser.parse_args()
    main(options.table, options.out, options.width)
