"""Trains an encoder on the media of a dataset, or on a loaded table."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any

import typer

from tasks.encoders import ENCODERS, encoder_module
from tasks.encoders.base import CONFIG, MODEL, EncoderTraining
from tasks.encoders.identity import find_weights
from tasks.encoders.weights import check_encoder_name, put_weights
from tasks.errors import BadInput
from tasks.runs.training_source import find_source
from tasks.steps.options import Dataset, split_words
from tasks.store import Artefact, open_store
from tasks.store.layout import check_dataset_name, training_folder

log = logging.getLogger(__name__)
WIDEST = 65_536  # of a layer


def train_encoder(
    *,
    dataset: Dataset,
    name: Annotated[str | None, typer.Option(help="Store the weights as the encoder of this name.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write model.safetensors and config.json into this folder.")] = None,
    architecture: Annotated[str, typer.Option(help=f"One of {', '.join(ENCODERS)}.")] = "audioclip",
    modalities: Annotated[
        str | None, typer.Option(help="Of audioclip: two or three of image,audio,text; default: all.")
    ] = None,
    feature: Annotated[
        str | None, typer.Option(help="Of pca, autoencoder and vae: the loaded table, by the name of its feature.")
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(min=1, help="Passes over the items; default: 20, of a table 200, of pictures 30."),
    ] = None,
    batch: Annotated[int | None, typer.Option(min=2, help="Items per step; default: 64, of pictures 32.")] = None,
    learning_rate: Annotated[
        float | None, typer.Option(min=0.0, help="The highest, after the warm-up; default: 2e-3, of autoencoders 1e-3.")
    ] = None,
    weight_decay: Annotated[float | None, typer.Option(min=0.0, help="Of AdamW, of audioclip; default: 1e-2.")] = None,
    width: Annotated[
        int | None,
        typer.Option(min=1, help="Components or latent dimensions; default: 64, of pictures 128."),
    ] = None,
    hidden: Annotated[
        str | None,
        typer.Option(help="Widths of layers, default: 100,100; of pictures the channels of 7 convolutions."),
    ] = None,
    kl_weight: Annotated[
        float | None, typer.Option(min=0.0, help="Of a vae: weight of the divergence; default: 1, the ELBO.")
    ] = None,
    output: Annotated[str | None, typer.Option(help="Of a vae: mean (default) or mean+sigma, twice as wide.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed and threads give the same weights.")] = 7,
    threads: Annotated[
        int | None, typer.Option(min=1, help="Number of threads; default: 2, of rows 1: their steps are short.")
    ] = None,
    most: Annotated[int | None, typer.Option(min=1, help="Train on this number of items, drawn with the seed.")] = None,
    start_from: Annotated[
        str | None, typer.Option(help="Start from the weights of this encoder instead of random ones.")
    ] = None,
    half: Annotated[bool, typer.Option("--half", help="Store the weights in float16.")] = False,
) -> dict[str, object]:
    """Train an encoder: a narrow AudioCLIP on media of a dataset, or PCA, autoencoder or VAE on a table or on pictures.

    AudioCLIP is trained contrastively, so that the modalities of an item are similar. A tenth of the items is held out;
    the epoch with the lowest loss on them is kept, and what it reaches there is reported and written into config.json.
    A training that was killed resumes after its last epoch when the same command is given again. An encoder of a table
    is that of a feature: {"modality": "numbers", "encoder": NAME, "table": FEATURE}. One of pictures has a picture of
    reconstructions beside its weights.
    """
    from tasks.training.checkpoint import StoreCheckpoints  # noqa: PLC0415  torch takes seconds to import

    store = open_store()
    if (name is None) == (out is None):
        found = "neither" if name is None else "both"
        raise BadInput(f"{found} of --name and --out found, expected --name (into the store) or --out (into a folder)")
    module = encoder_module(architecture)
    given: dict[str, object] = {
        "epochs": epochs,
        "batch": batch,
        "learning_rate": learning_rate,
        "weight_decay": weight_decay,
    }
    given |= {"width": width, "kl_weight": kl_weight, "output": output}
    given |= {"hidden": None if hidden is None else read_widths(hidden)}
    options = choose_options(architecture, module.OPTIONS, given) | {"seed": seed}
    if name is not None:
        check_encoder_name(name)
    before = None if start_from is None else find_weights(store, start_from)
    if before is not None and before.architecture != architecture:
        raise BadInput(f"encoder {start_from!r} is of {before.architecture}, expected one of {architecture}")
    source = find_source(store, check_dataset_name(dataset), module, modalities, feature).draw(most, seed)
    threads = threads or (2 if source.rows is None else 1)
    facts: dict[str, Any] = source.facts | {"start_from": start_from, "threads": threads}
    content = source.contents(store, dataset)
    place = (store, training_folder(str(name))) if out is None else (open_store(out.absolute().as_uri()), "training")
    identity = facts | options | {"media": content, "weights": None if before is None else before.sha256}
    identity |= {} if source.table is None else {"architecture": architecture, "table": source.table.prefix}
    checkpoints = StoreCheckpoints(*place, identity)
    with ExitStack() as stack:
        folder = out or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        start = None if before is None else stack.enter_context(before.folder())
        reached = module.train(
            EncoderTraining(
                *(store, source.media, source.modalities, folder, options, start, facts, half, threads, checkpoints),
                rows=source.rows,
                columns=source.columns,
            )
        )
        weights = str(folder)
        if name is not None:
            inputs = [before.source] if before is not None and isinstance(before.source, Artefact) else []
            inputs += [] if source.table is None else [source.table]
            parameters = facts | options | {"half": half, "dataset": dataset}
            more = sorted(path.name for path in folder.iterdir() if path.name not in {MODEL, CONFIG})
            weights = put_weights(
                *(store, name, folder, architecture), inputs=inputs, media=content, parameters=parameters, more=more
            )
    checkpoints.clear()
    return {"encoder": name, "weights": weights, **reached}


def read_widths(text: str) -> list[int]:
    """Widths of layers between commas; nothing between them is no layer."""
    words = split_words(text) or []
    if not all(word.isdecimal() and 0 < int(word) <= WIDEST for word in words):
        raise BadInput(f"--hidden {text!r} found, expected widths from 1 to {WIDEST} with commas, such as 100,100")
    return [int(word) for word in words]


def choose_options(architecture: str, known: Mapping[str, object], given: Mapping[str, object]) -> dict[str, object]:
    """The architecture's options, with those that are `given` in place of the defaults; BadInput for others."""
    chosen = {name: value for name, value in given.items() if value is not None}
    strangers = [f"--{name.replace('_', '-')}" for name in chosen if name not in known]
    if strangers:
        options = ", ".join(f"--{name.replace('_', '-')}" for name in known)
        raise BadInput(f"{', '.join(strangers)} found for {architecture}, expected some of {options}")
    return dict(known) | chosen
