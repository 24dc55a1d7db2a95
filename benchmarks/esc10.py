"""How well an encoder of sounds tells the ten classes of ESC-10 apart that it never saw: nearest neighbours.

    python -m benchmarks.esc10 ../shared/data/esc10 [--encoder musicnn]

Each of the clips (a folder for each class) is given the class of the nearest other one, by cosine after each column was
standardised: the share that is right, of all and of each class, and CPU milliseconds per clip.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from tasks.encoders import load_encoder
from tasks.encoders.base import ModalityEncoder
from tasks.store import open_store


def encode_clips(encoder: ModalityEncoder, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Vectors (clips, width), and the class of each."""
    files = sorted(path for path in folder.glob("*/*") if path.is_file())
    rows = [encoder.encode([encoder.decode(path.read_bytes())])[0] for path in files]
    return np.stack(rows), np.array([path.parent.name for path in files])


def nearest_class(vectors: np.ndarray, classes: np.ndarray) -> np.ndarray:
    """The class of the nearest other vector of each."""
    spread = vectors.std(axis=0)
    rows = (vectors - vectors.mean(axis=0)) / np.where(spread > 0, spread, 1)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    similarity = rows @ rows.T
    np.fill_diagonal(similarity, -2.0)
    return classes[similarity.argmax(axis=1)]


def main() -> None:
    """Print the shares."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--encoder", default="musicnn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as store:
        encoder = load_encoder(open_store(f"file://{store}"), options.encoder)["audio"]
    begun = time.process_time()
    vectors, classes = encode_clips(encoder, options.folder)
    seconds = (time.process_time() - begun) / len(classes)
    right = nearest_class(vectors, classes) == classes
    print(f"{options.encoder}: {right.mean():.3f} of {len(classes)} clips, {1000 * seconds:.0f} CPU ms per clip")
    for name in np.unique(classes):
        print(f"  {name:<22} {right[classes == name].mean():.2f}")


if __name__ == "__main__":
    main()
