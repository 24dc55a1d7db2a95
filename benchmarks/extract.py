"""What an item costs to encode, against a naive loop in the same run, and how near its pieces are to the loop's.

    python -m benchmarks.extract DATA [--items N] [--rounds N] [--threads N] [--weights FOLDER]

DATA has ml1m_posters/images, esc10 (five seconds of sound each) and texts/ml1m_gen_texts.json.gz. The naive loop does
what a script does that takes files one by one: decode, and put one piece after the other (a picture, a window of
sound, a context of text) through the plain model in float32. Figures are CPU seconds per item, decoding included, of
the fastest of some rounds in turn; `item` is one of each modality. `cosine` is the lowest of all pieces to the loop's.

The model is full-size AudioCLIP, 134 million parameters: of FOLDER (`weights` makes one of a released checkpoint), or
random ones with the statistics of `released`. With random weights norms do not standardise what is given to the next
layer, so rounding grows more than with trained ones.
"""

from __future__ import annotations

import argparse
import gzip
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from tasks.encoders.audioclip import MODALITIES
from tasks.encoders.audioclip.encoders import encoders_of
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import normalise
from tasks.encoders.audioclip.weights import load_model
from tasks.encoders.base import Variant
from tasks.encoders.pieces import PieceEncoder

Pieces = Callable[[bytes], np.ndarray]  # of one medium: a vector per piece (n, D)


def random_model(seed: int = 0) -> AudioCLIP:
    """Full-size AudioCLIP whose kernels keep the variance of what they are given, and whose norms have statistics."""
    torch.manual_seed(seed)
    model = AudioCLIP()
    with torch.no_grad():
        for name, value in model.state_dict().items():
            if value.dim() > 1 and "embedding" not in name:
                value.normal_(std=value[0].numel() ** -0.5)
            elif name.endswith("running_var"):
                value.uniform_(0.5, 1.5)
            elif name.endswith("running_mean"):
                value.normal_(std=0.1)
        wavelets = model.audio.fbsp
        wavelets.m.uniform_(0.0, 0.05)
        wavelets.fb.normal_(1.0, 0.05)
        wavelets.fc.add_(0.05 * torch.randn_like(wavelets.fc))
    return model.eval()


def media(data: Path, count: int) -> dict[str, list[bytes]]:
    """Modality -> files, evenly taken of all."""
    texts = json.loads(gzip.decompress((data / "texts/ml1m_gen_texts.json.gz").read_bytes()))
    words = [text.encode() for text in (texts.values() if isinstance(texts, dict) else texts)]
    posters = sorted((data / "ml1m_posters/images").iterdir())
    sounds = sorted((data / "esc10").glob("*/*"))
    return {
        "image": [path.read_bytes() for path in evenly(posters, count)],
        "audio": [path.read_bytes() for path in evenly(sounds, count)],
        "text": evenly(words, count),
    }


def evenly(every: Sequence[Any], count: int) -> list[Any]:
    """Return `count` of all, evenly spaced."""
    return [every[place] for place in np.linspace(0, len(every) - 1, count).astype(int)]


def pieces_of(encoder: PieceEncoder, data: bytes) -> Sequence[np.ndarray]:
    """What the tower is given of a file."""
    return encoder.pieces(encoder.decode(data))


def naive(model: AudioCLIP, encoders: Mapping[str, PieceEncoder]) -> dict[str, Pieces]:
    """Modality -> the loop over the pieces of a file, each through the plain model."""
    towers: dict[str, Callable[[np.ndarray], torch.Tensor]] = {
        "image": lambda piece: model.encode_image(torch.from_numpy(normalise(piece[None]))),
        "audio": lambda piece: model.encode_audio(torch.from_numpy(piece)[None, None]),
        "text": lambda piece: model.encode_text(torch.from_numpy(piece)[None]),
    }

    @torch.inference_mode()
    def loop(modality: str, data: bytes) -> np.ndarray:
        raw = [towers[modality](piece) for piece in pieces_of(encoders[modality], data)]
        return nn.functional.normalize(torch.cat(raw), dim=-1).numpy()

    return {modality: lambda data, modality=modality: loop(modality, data) for modality in towers}  # type: ignore[misc]


def compare(modality: str, files: list[bytes], model: AudioCLIP, rounds: int) -> dict[str, tuple[float, float]]:
    """Kind -> CPU seconds per item of the fastest round, and the lowest cosine of a piece."""
    variants = {"float32": Variant(), "bfloat16": Variant(half=True)}
    own = dict.fromkeys(MODALITIES, "own")
    kinds = {name: encoders_of(model, own, variant)[modality] for name, variant in variants.items()}
    loop = naive(model, {modality: kinds["float32"]})[modality]
    expected = np.concatenate([loop(data) for data in files])
    ways: dict[str, Callable[[], object]] = {"naive": lambda: [loop(data) for data in files]}
    cosines = {"naive": 1.0}
    for kind, encoder in kinds.items():
        found = encoder.encode_pieces([piece for data in files for piece in pieces_of(encoder, data)])
        cosines[kind] = float((found * expected).sum(axis=1).min())
        ways[kind] = lambda encoder=encoder: encoder.encode([encoder.decode(data) for data in files])  # type: ignore[misc]
    seconds = dict.fromkeys(ways, float("inf"))
    for _ in range(rounds):
        for kind, run in ways.items():
            begun = time.process_time()
            run()
            seconds[kind] = min(seconds[kind], (time.process_time() - begun) / len(files))
    return {kind: (seconds[kind], cosines[kind]) for kind in ways}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--items", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--weights", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    plain = load_model(options.weights) if options.weights else random_model()
    totals: dict[str, float] = {}
    print(f"{'':<6} {'kind':<9} {'CPU s':>8} {'times':>6} {'cosine':>10}")
    for modality, files in media(options.data, options.items).items():
        for kind, (seconds, cosine) in (found := compare(modality, files, plain, options.rounds)).items():
            totals[kind] = totals.get(kind, 0.0) + seconds
            print(
                f"{modality:<6} {kind:<9} {seconds:>8.3f} {found['naive'][0] / seconds:>6.2f} {cosine:>10.7f}",
                flush=True,
            )
    for kind, seconds in totals.items():
        print(f"{'item':<6} {kind:<9} {seconds:>8.3f} {totals['naive'] / seconds:>6.2f}")
