"""Train a narrow AudioCLIP on a dataset's own media."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from tasks.encoders.audioclip.audio_tower import N_FFT, inside
from tasks.encoders.audioclip.config import DEMO, AudioCLIPConfig
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import RATE, crop, windows
from tasks.encoders.audioclip.tokenizer import contexts
from tasks.encoders.audioclip.training import Items, Options, fit
from tasks.encoders.audioclip.weights import save_model
from tasks.encoders.decode import LARGEST_FILE, BadMedia
from tasks.encoders.decode.audio import decode_audio
from tasks.encoders.decode.image import decode_image
from tasks.encoders.decode.text import decode_text
from tasks.errors import BadInput
from tasks.progress import progress
from tasks.steps.encoder_store import checked_name, put_weights
from tasks.steps.inputs import checked_dataset
from tasks.steps.inventory import check_names, listed
from tasks.steps.options import Dataset
from tasks.store import ObjectInfo, Store, open_store

log = logging.getLogger(__name__)
MOST_WINDOWS = 4  # of one sound: a picture of a window takes 0.3 MB


def train_encoder(
    *,
    dataset: Dataset,
    name: Annotated[str | None, typer.Option(help="Put the weights into the store as the encoder of this name.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write model.safetensors and config.json into this folder.")] = None,
    modalities: Annotated[str, typer.Option(help="Two or three of image,audio,text.")] = "image,audio,text",
    epochs: Annotated[int, typer.Option(min=1)] = 20,
    batch: Annotated[int, typer.Option(min=2, help="Items contrasted with one another in a step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0.0)] = 2e-3,
    weight_decay: Annotated[float, typer.Option(min=0.0)] = 1e-2,
    seed: Annotated[int, typer.Option(min=0)] = 7,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in float16.")] = False,
) -> dict[str, object]:
    """Train a narrow AudioCLIP on the media of a dataset: items whose modalities belong together are drawn together.

    A tenth of the items is held out; the epoch with the lowest loss on them is kept, and how well the held-out items find
    their own partner is reported and written into config.json.
    """
    store, chosen = open_store(), [word.strip() for word in modalities.split(",")]
    if (name is None) == (out is None):
        raise BadInput("expected either --name (into the store) or --out (into a folder)")
    if len(set(chosen)) != len(chosen) or len(chosen) < 2 or not set(chosen) <= {"image", "audio", "text"}:
        raise BadInput(f"modalities {modalities!r} found, expected two or three of image,audio,text")
    if name is not None:
        checked_name(name)
    torch.manual_seed(seed)
    model = AudioCLIP(DEMO)
    items = read_items(store, checked_dataset(dataset), chosen, model)
    with torch.no_grad():
        model.logit_scale.fill_(2.66)  # 1 / 0.07, as CLIP begins; the released model's own values are for its training
        model.logit_scale_ai.fill_(2.66)
        model.logit_scale_at.fill_(2.66)
    reached = fit(model, items, Options(epochs, batch, learning_rate, weight_decay, seed))
    facts: dict[str, object] = {"modalities": chosen, "items": items.count, "seed": seed, "held_out": reached}
    with tempfile.TemporaryDirectory() as scratch:
        folder = out or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        save_model(model, folder, half=half, facts=facts)
        where = put_weights(store, name, folder) if name else str(folder)
    return {"encoder": name, "weights": where, "items": items.count, **reached}


def read_items(store: Store, dataset: str, modalities: Sequence[str], model: AudioCLIP) -> Items:
    """The items that have all modalities and can be decoded in all of them."""
    config, kernels = model.config, inside(model.audio.fbsp.weights(N_FFT)).detach()

    @torch.no_grad()
    def pictures(samples: np.ndarray) -> np.ndarray:
        return np.asarray(model.audio.picture(torch.from_numpy(samples)[:, None], kernels)[:, 0].half().numpy())

    objects = listed(store, dataset)
    for modality in modalities:
        if modality not in objects:
            raise BadInput(f"dataset {dataset!r} has no {modality}, expected media of {', '.join(modalities)}")
        check_names(modality, [info.key.rpartition("/")[2] for info in objects[modality]])
    named = {m: {info.key.rpartition("/")[2].rpartition(".")[0]: info for info in objects[m]} for m in modalities}
    names = sorted(set.intersection(*(set(found) for found in named.values())))

    def decode(name: str) -> list[np.ndarray] | None:
        try:
            return [decoded(store, named[modality][name], modality, config, pictures) for modality in modalities]
        except BadMedia as error:
            log.warning("%s is left out: %s", name, error)
            return None

    with ThreadPoolExecutor(2) as pool:
        rows = [row for row in progress(pool.map(decode, names), label="decoding", total=len(names), unit="item") if row is not None]
    if not rows:
        raise BadInput(f"dataset {dataset!r} has no item with usable {', '.join(modalities)}, expected some")
    return Items({modality: [row[place] for row in rows] for place, modality in enumerate(modalities)})


def decoded(store: Store, info: ObjectInfo, modality: str, config: AudioCLIPConfig, pictures: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """(pieces, ...) of one file, as `Items` holds them; of a long sound the first MOST_WINDOWS windows."""
    data = store.get(info.key, limit=LARGEST_FILE)
    if modality == "image":
        return crop(decode_image(data), config.image_resolution)[None]
    if modality == "audio":
        return pictures(windows(decode_audio(data, RATE))[:MOST_WINDOWS])
    found = contexts(decode_text(data), config.context_length)
    if not len(found):
        raise BadMedia("no word in the text")
    return found
