"""Trains a narrow AudioCLIP on the media of a dataset."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from tasks.encoders import encoder_module
from tasks.encoders.base import EncoderTraining
from tasks.encoders.identity import find_weights
from tasks.encoders.weights import check_encoder_name, put_weights
from tasks.errors import BadInput
from tasks.runs.inventory import check_names, content_hashes, item_of, list_media
from tasks.steps.options import Dataset
from tasks.store import Artefact, ObjectInfo, Store, open_store
from tasks.store.layout import check_dataset_name, media_folder, training_folder

log = logging.getLogger(__name__)
ARCHITECTURE = "audioclip"  # of tasks.encoders.ENCODERS


def train_encoder(
    *,
    dataset: Dataset,
    name: Annotated[str | None, typer.Option(help="Store the weights as the encoder of this name.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write model.safetensors and config.json into this folder.")] = None,
    modalities: Annotated[str, typer.Option(help="Two or three of image,audio,text.")] = "image,audio,text",
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the items.")] = 20,
    batch: Annotated[int, typer.Option(min=2, help="Items per contrastive step.")] = 64,
    learning_rate: Annotated[float, typer.Option(min=0.0, help="The highest, after the warm-up.")] = 2e-3,
    weight_decay: Annotated[float, typer.Option(min=0.0, help="Of AdamW.")] = 1e-2,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and threads give the same weights.")] = 7,
    threads: Annotated[int, typer.Option(min=1, help="Number of threads.")] = 2,
    most: Annotated[int | None, typer.Option(min=1, help="Train on this number of items, drawn with the seed.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Start from the weights of this encoder instead of random ones.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in float16.")] = False,
) -> dict[str, object]:
    """Train a narrow AudioCLIP contrastively on the media of a dataset, so that the modalities of an item are similar.

    A tenth of the items is held out; the epoch with the lowest loss on them is kept, and how well they find
    their own partner is reported and written into config.json. A training that was killed resumes after its last epoch
    when the same command is given again.
    """
    from tasks.training.checkpoint import StoreCheckpoints  # noqa: PLC0415  torch takes seconds to import

    store, chosen = open_store(), [word.strip() for word in modalities.split(",")]
    if (name is None) == (out is None):
        found = "neither" if name is None else "both"
        raise BadInput(f"{found} of --name and --out found, expected --name (into the store) or --out (into a folder)")
    module = encoder_module(ARCHITECTURE)
    if len(set(chosen)) != len(chosen) or len(chosen) < 2 or not set(chosen) <= set(module.MODALITIES):
        raise BadInput(f"modalities {modalities!r} found, expected two or three of {','.join(module.MODALITIES)}")
    if name is not None:
        check_encoder_name(name)
    before = None if start_from is None else find_weights(store, start_from)
    if before is not None and before.architecture != ARCHITECTURE:
        raise BadInput(f"encoder {start_from!r} is of {before.architecture}, expected one of {ARCHITECTURE}")
    media = draw_items(named_media(store, check_dataset_name(dataset), chosen), most, seed)
    options = {"epochs": epochs, "batch": batch, "learning_rate": learning_rate, "weight_decay": weight_decay}
    options |= {"seed": seed}
    facts = {"modalities": chosen, "start_from": start_from, "threads": threads}
    content = hash_media(store, dataset, media)
    place = (store, training_folder(str(name))) if out is None else (open_store(out.absolute().as_uri()), "training")
    identity = facts | options | {"media": content, "weights": None if before is None else before.sha256}
    checkpoints = StoreCheckpoints(*place, identity)
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        start = None if before is None else stack.enter_context(before.folder())
        reached = module.train(
            EncoderTraining(store, media, chosen, folder, options, start, facts, half, threads, checkpoints)
        )
        weights = str(folder)
        if name is not None:
            source = [before.source] if before is not None and isinstance(before.source, Artefact) else []
            parameters = facts | options | {"half": half, "dataset": dataset}
            weights = put_weights(
                *(store, name, folder, ARCHITECTURE), inputs=source, media=content, parameters=parameters
            )
    checkpoints.clear()
    return {"encoder": name, "weights": weights, **reached}


def draw_items(media: list[dict[str, ObjectInfo]], most: int | None, seed: int) -> list[dict[str, ObjectInfo]]:
    """At most `most` items, drawn by the seed, in their order."""
    if most is None or most >= len(media):
        return media
    log.info("%d of %d items are drawn", most, len(media))
    return [media[row] for row in np.sort(np.random.default_rng(seed).permutation(len(media))[:most])]


def hash_media(store: Store, dataset: str, media: Sequence[Mapping[str, ObjectInfo]]) -> dict[str, str]:
    """The folder of the media -> sha256 over their keys and contents, which are known where the dataset was scanned."""
    objects: dict[str, list[ObjectInfo]] = {}
    for item in media:
        for modality, info in item.items():
            objects.setdefault(modality, []).append(info)
    hashes = content_hashes(store, dataset, objects, remember=False)
    lines = "\n".join(f"{key} {sha256}" for key, sha256 in sorted(hashes.items()))
    return {media_folder(dataset): hashlib.sha256(lines.encode()).hexdigest()}


def named_media(store: Store, dataset: str, modalities: Sequence[str]) -> list[dict[str, ObjectInfo]]:
    """The media of each item that has all modalities, by modality, in order of their names."""
    objects = list_media(store, dataset)
    named: dict[str, dict[str, ObjectInfo]] = {}
    for modality in modalities:
        if modality not in objects:
            raise BadInput(f"dataset {dataset!r} has no {modality}, expected media of {', '.join(modalities)}")
        files = {info.key.rpartition("/")[2]: info for info in objects[modality]}
        check_names(modality, list(files))
        named[modality] = {item_of(file): info for file, info in files.items()}
    names = sorted(set.intersection(*(set(files) for files in named.values())))
    log.info("%d items have %s", len(names), ", ".join(modalities))
    return [{modality: named[modality][name] for modality in modalities} for name in names]
