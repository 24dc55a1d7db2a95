"""Trains a narrow AudioCLIP on media of the store, which are decoded once and kept compact in memory."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict

import numpy as np
import torch

from tasks.encoders.audioclip.audio_tower import BANDS, BINS, HOP
from tasks.encoders.audioclip.audio_tower import WINDOW as FRAME
from tasks.encoders.audioclip.config import DEMO
from tasks.encoders.audioclip.decoding import Decoder
from tasks.encoders.audioclip.fast.spectrum import Spectrum
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import WINDOW, windows
from tasks.encoders.audioclip.training import Items, Options, fit
from tasks.encoders.audioclip.weights import load_model, save_model
from tasks.encoders.base import EncoderTraining
from tasks.errors import BadInput
from tasks.media import LARGEST_FILE, BadMedia
from tasks.progress import progress
from tasks.store import ObjectInfo, Store

log = logging.getLogger(__name__)
BAND = BINS // BANDS
FRAMES = 1 + -(-(WINDOW - FRAME) // HOP)
PICTURE = 2 * BANDS * BAND * FRAMES  # bytes of one window's decibels in float16
MEMORY = 2 << 30  # bytes that those of all sounds may take
MOST_WINDOWS = 4  # of one sound
MOST_CONTEXTS = 16  # of one text


def train_narrow(task: EncoderTraining) -> dict[str, float]:
    """Train on items and write the weights; returns the number of items and the metrics."""
    options = Options(**task.options)
    torch.set_num_threads(task.threads)
    torch.manual_seed(options.seed)
    model = AudioCLIP(DEMO) if task.start_from is None else load_model(task.start_from)
    items = read_items(task.store, task.media, task.modalities, model)
    if task.start_from is None:
        model.set_temperature(0.07)  # as CLIP begins; AudioCLIP's own first values are for towers trained before
    reached = fit(model, items, options, task.checkpoints)
    facts = dict(task.facts) | {"items": items.count, "options": asdict(options), "held_out": reached}
    save_model(model, task.folder, half=task.half, facts=facts)
    return {"items": items.count, **reached}


def read_items(
    store: Store, media: Sequence[Mapping[str, ObjectInfo]], modalities: Sequence[str], model: AudioCLIP
) -> Items:
    """What training needs of the items that can be decoded in all modalities, in memory and compact."""
    each = windows_each(len(media)) if "audio" in modalities else 0
    reader = Reader(store, model, each)

    def decode(item: Mapping[str, ObjectInfo]) -> list[np.ndarray] | None:
        try:
            return [reader.pieces(modality, item[modality]) for modality in modalities]
        except BadMedia as error:
            log.warning("%s is left out: %s", " and ".join(info.key for info in item.values()), error)
            return None

    with ThreadPoolExecutor(2) as pool:
        decoded = progress(pool.map(decode, media), label="decoding", total=len(media), unit="item")
        rows = [row for row in decoded if row is not None]
    if not rows:
        raise BadInput(f"no item with usable {', '.join(modalities)} found among {len(media)}, expected some")
    return Items({modality: [row[place] for row in rows] for place, modality in enumerate(modalities)})


def windows_each(items: int) -> int:
    """Windows of each sound that fit into MEMORY; BadInput when not even one does."""
    count = min(MOST_WINDOWS, MEMORY // (max(1, items) * PICTURE))
    if not count:
        raise BadInput(
            f"{items} items with sound found, expected at most {MEMORY // PICTURE}: choose fewer with --most"
        )
    return count


class Reader:
    """Decodes media of the store to the pieces of `Items`; any thread may use it."""

    def __init__(self, store: Store, model: AudioCLIP, windows_each: int) -> None:
        self._store = store
        self._config = model.config
        self._spectrum = Spectrum(model.audio)
        self._windows_each = windows_each

    def pieces(self, modality: str, info: ObjectInfo) -> np.ndarray:
        """(pieces, ...) of one file; of a long sound some windows spread over it, of a long text its first contexts."""
        found = Decoder(modality, self._config)(self._store.get(info.key, limit=LARGEST_FILE))
        if modality == "audio":
            samples = windows(found)
            rows = np.unique(np.linspace(0, len(samples) - 1, self._windows_each).round().astype(int))
            return self._pictures(np.stack([samples[row] for row in rows]))
        return found[:MOST_CONTEXTS]

    @torch.no_grad()
    def _pictures(self, samples: np.ndarray) -> np.ndarray:
        """(windows, bands, bins, frames) float16 decibels of (windows, samples)."""
        return np.ascontiguousarray(self._spectrum(torch.from_numpy(samples)).half().numpy())
