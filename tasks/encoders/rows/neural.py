"""The networks of rows: their training and encoder; `autoencoder.py` and `vae.py` say which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tasks.encoders.base import EncoderTraining
from tasks.encoders.rows.common import MODALITIES, RowDecoder, describe_table, rows_of, stack_rows
from tasks.encoders.rows.latent import LatentEncoder, read_network, read_options, seeded, train_network
from tasks.encoders.rows.network import RowNetwork
from tasks.encoders.rows.training import RowTraining

VARIATIONAL = "vae"


def load_rows(folder: Path, identities: Mapping[str, str], device: str) -> Mapping[str, LatentEncoder]:
    """Modality -> encoder with the weights in `folder`. Corrupt for files that are none."""
    (modality,) = MODALITIES
    network, config = read_network(
        folder, lambda c: RowNetwork(c["inputs"], c["hidden"], c["latent"], variational=c["kind"] == VARIATIONAL)
    )
    inputs = int(config["inputs"])

    def prepare(media: Sequence[Any]) -> Tensor:
        return torch.from_numpy(stack_rows(media, inputs))

    return {modality: LatentEncoder(identities[modality], network, config, device, RowDecoder(inputs), prepare)}


def train_rows(task: EncoderTraining, kind: str) -> dict[str, Any]:
    """Train a network of `kind` (autoencoder or vae) on `task.rows`, and write its weights; returns what it reached."""
    rows = rows_of(task)
    options, output = read_options(task)
    inputs = rows.shape[1]
    network = seeded(
        options, lambda: RowNetwork(inputs, options.hidden, options.width, variational=kind == VARIATIONAL)
    )
    training = RowTraining(kind, network, rows, options)
    return train_network(task, training, output, {"inputs": inputs, **describe_table(task)})
