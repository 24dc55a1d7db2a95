"""How far a recording is from itself at another rate, and from others, by the bandwidth that an encoder hears.

    python -m benchmarks.bandwidth DATA [--encoder NAME] [--sounds N]

DATA has esc10. Recordings are films of the demo catalogue, and three seconds each of ESC-10; each at 44.1 kHz and at
other rates, by soxr, in 16 bits. A cell is the mean cosine of the two vectors; `others` that of different recordings at
44.1 kHz. The encoder's name is in this project's store or shipped; `all` is the name as it is, others `NAME.7200hz`.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import soxr

from tasks.catalogue import encode_sound, film, synthesise
from tasks.encoders import DEMO, load_encoder
from tasks.media.audio import decode_audio
from tasks.store import FolderStore

RATE, SECONDS = 44_100, 3
RATES = (8_000, 16_000, 22_050, 32_000, 48_000, 96_000)
BANDWIDTHS = (None, 16_000, 10_000, 7_200, 3_600)


def at_rate(samples: np.ndarray, rate: int) -> bytes:
    """The recording (n,) at RATE as a WAV of another rate."""
    other = samples if rate == RATE else soxr.resample(samples, RATE, rate, "HQ")
    buffer = io.BytesIO()
    soundfile.write(buffer, np.clip(other, -1, 1), rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


def recordings(data: Path, count: int) -> dict[str, list[np.ndarray]]:
    """Kind -> samples (n,) at RATE."""
    clips = sorted((data / "esc10").glob("*/*"))
    chosen = [clips[place] for place in np.linspace(0, len(clips) - 1, count).astype(int)]
    return {
        "films": [decode_audio(encode_sound(synthesise(film(77, number)))) for number in range(count)],
        "ESC-10": [decode_audio(path.read_bytes())[: SECONDS * RATE] for path in chosen],
    }


def unit_vectors(name: str, files: list[bytes]) -> np.ndarray:
    """(n, D) of unit length."""
    with tempfile.TemporaryDirectory() as folder:
        encoder = load_encoder(FolderStore(Path(folder)), name)["audio"]
    rows = encoder.encode([encoder.decode(one) for one in files])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", default=DEMO)
    parser.add_argument("--sounds", type=int, default=16)
    options = parser.parse_args()
    print(" " * 16, *(f"{rate / 1000:>7g}" for rate in RATES), f"{'others':>7}")
    for kind, sounds in recordings(options.data, options.sounds).items():
        for bandwidth in BANDWIDTHS:
            name = options.encoder if bandwidth is None else f"{options.encoder}.{bandwidth}hz"
            whole = unit_vectors(name, [at_rate(one, RATE) for one in sounds])
            cosines = [
                (whole * unit_vectors(name, [at_rate(one, rate) for one in sounds])).sum(1).mean() for rate in RATES
            ]
            others = (whole @ whole.T)[~np.eye(len(whole), dtype=bool)].mean()
            print(f"{kind:<8}{bandwidth or 'all':>8}", *(f"{one:>7.3f}" for one in [*cosines, others]), flush=True)
