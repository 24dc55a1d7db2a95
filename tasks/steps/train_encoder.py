"""Train a narrow AudioCLIP on a dataset's own media."""

from __future__ import annotations

import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from tasks.encoders import load_audioclip
from tasks.encoders.audioclip.audio_tower import BANDS, BINS, HOP, N_FFT, inside
from tasks.encoders.audioclip.audio_tower import WINDOW as FRAME
from tasks.encoders.audioclip.config import DEMO
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import RATE, WINDOW, crop, windows
from tasks.encoders.audioclip.tokenizer import contexts
from tasks.encoders.audioclip.training import Items, Options, fit
from tasks.encoders.audioclip.weights import save_model
from tasks.encoders.weights import checked_name, put_weights
from tasks.errors import BadInput
from tasks.media import LARGEST_FILE, BadMedia
from tasks.media.audio import decode_audio
from tasks.media.image import decode_image
from tasks.media.text import decode_text
from tasks.progress import progress
from tasks.runs.inventory import check_names, listed
from tasks.steps.options import Dataset
from tasks.store import ObjectInfo, Store, open_store
from tasks.store.layout import checked_dataset, training_folder
from tasks.training.checkpoint import StoreCheckpoints

log = logging.getLogger(__name__)
BAND = BINS // BANDS
FRAMES = 1 + -(-(WINDOW - FRAME) // HOP)
PICTURE = 2 * BANDS * BAND * FRAMES  # bytes of one window's decibels in float16
MEMORY = 2 << 30  # bytes that those of all sounds may take
MOST_WINDOWS = 4  # of one sound
MOST_CONTEXTS = 16  # of one text


def train_encoder(
    *,
    dataset: Dataset,
    name: Annotated[
        str | None, typer.Option(help="Put the weights into the store as the encoder of this name.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write model.safetensors and config.json into this folder.")] = None,
    modalities: Annotated[str, typer.Option(help="Two or three of image,audio,text.")] = "image,audio,text",
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    batch: Annotated[int, typer.Option(min=2, help="Items contrasted with one another in a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 2e-3,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = 1e-2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and threads give the same weights.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Threads that compute.")] = 2,
    most: Annotated[int | None, typer.Option(min=1, help="Train on so many items, drawn by the seed.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Go on from the weights of this encoder instead of random ones.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in float16.")] = False,
) -> dict[str, object]:
    """Train a narrow AudioCLIP on the media of a dataset: items whose modalities belong together are drawn together.

    A tenth of the items is held out; the epoch with the lowest loss on them is kept, and how well they find
    their own partner is reported and written into config.json. A training that was killed resumes after its last epoch
    when the same command is given again.
    """
    store, chosen = open_store(), [word.strip() for word in modalities.split(",")]
    if (name is None) == (out is None):
        raise BadInput("expected either --name (into the store) or --out (into a folder)")
    if len(set(chosen)) != len(chosen) or len(chosen) < 2 or not set(chosen) <= {"image", "audio", "text"}:
        raise BadInput(f"modalities {modalities!r} found, expected two or three of image,audio,text")
    if name is not None:
        checked_name(name)
    torch.set_num_threads(threads)
    torch.manual_seed(seed)
    model, first = (AudioCLIP(DEMO), None) if start_from is None else load_audioclip(store, start_from)
    media = named_media(store, checked_dataset(dataset), chosen)
    if most is not None and most < len(media):
        log.info("%d of %d items are drawn", most, len(media))
        media = [media[row] for row in np.sort(np.random.default_rng(seed).permutation(len(media))[:most])]
    items = read_items(store, media, chosen, model)
    if start_from is None:
        model.set_temperature(0.07)  # as CLIP begins; AudioCLIP's own first values are for towers trained before
    options = Options(epochs, batch, learning_rate, weight_decay, seed)
    same = {"options": asdict(options), "modalities": chosen, "threads": threads, "torch": torch.__version__}
    same |= {"media": fingerprint(media), "weights": first}
    where = (store, training_folder(str(name))) if out is None else (open_store(out.absolute().as_uri()), "training")
    checkpoints = StoreCheckpoints(*where, same)
    reached = fit(model, items, options, checkpoints)
    facts: dict[str, object] = {
        "modalities": chosen,
        "items": items.count,
        "start_from": start_from,
        "threads": threads,
        "options": asdict(options),
        "held_out": reached,
    }
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(model, folder, half=half, facts=facts)
        weights = put_weights(store, name, folder) if name else str(folder)
    checkpoints.clear()
    return {"encoder": name, "weights": weights, "items": items.count, **reached}


def fingerprint(media: Sequence[Mapping[str, ObjectInfo]]) -> str:
    """Sha256 of which media there are and of their etags: another one is another training."""
    listing = [[(modality, info.key, info.etag) for modality, info in item.items()] for item in media]
    return hashlib.sha256(json.dumps(listing).encode()).hexdigest()


def named_media(store: Store, dataset: str, modalities: Sequence[str]) -> list[dict[str, ObjectInfo]]:
    """The media of each item that has all modalities, by modality, in order of their names."""
    objects = listed(store, dataset)
    named: dict[str, dict[str, ObjectInfo]] = {}
    for modality in modalities:
        if modality not in objects:
            raise BadInput(f"dataset {dataset!r} has no {modality}, expected media of {', '.join(modalities)}")
        files = {info.key.rpartition("/")[2]: info for info in objects[modality]}
        check_names(modality, list(files))
        named[modality] = {file.rpartition(".")[0]: info for file, info in files.items()}
    names = sorted(set.intersection(*(set(found) for found in named.values())))
    log.info("%d items have %s", len(names), ", ".join(modalities))
    return [{modality: named[modality][name] for modality in modalities} for name in names]


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
    found = min(MOST_WINDOWS, MEMORY // (max(1, items) * PICTURE))
    if not found:
        raise BadInput(
            f"{items} items with sound found, expected at most {MEMORY // PICTURE}: choose fewer with --most"
        )
    return found


class Reader:
    """Decodes media of the store to the pieces of `Items`; any thread may use it."""

    def __init__(self, store: Store, model: AudioCLIP, windows_each: int) -> None:
        self._store = store
        self._config = model.config
        self._tower = model.audio
        self._kernels = inside(model.audio.fbsp.weights(N_FFT)).detach()
        self._windows_each = windows_each

    def pieces(self, modality: str, info: ObjectInfo) -> np.ndarray:
        """(pieces, ...) of one file; of a long sound some windows spread over it, of a long text its first contexts."""
        data = self._store.get(info.key, limit=LARGEST_FILE)
        if modality == "image":
            return crop(decode_image(data), self._config.image_resolution)[None]
        if modality == "audio":
            found = windows(decode_audio(data, RATE))
            rows = np.unique(np.linspace(0, len(found) - 1, self._windows_each).round().astype(int))
            return self._pictures(np.stack([found[row] for row in rows]))
        tokens = contexts(decode_text(data), self._config.context_length)[:MOST_CONTEXTS]
        if not len(tokens):
            raise BadMedia("no word in the text")
        return tokens

    @torch.no_grad()
    def _pictures(self, samples: np.ndarray) -> np.ndarray:
        """(windows, bands, bins, frames) float16 decibels of (windows, samples)."""
        found = self._tower.picture(torch.from_numpy(samples)[:, None], self._kernels)[:, 0]
        return np.asarray(found.half().numpy())
