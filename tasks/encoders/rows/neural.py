"""Training, weights and encoder of the networks of rows; `autoencoder.py` and `vae.py` say which."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from tasks.encoders.base import MODEL, EncoderTraining
from tasks.encoders.rows.common import (
    BOTH,
    MODALITIES,
    RowDecoder,
    describe_table,
    read_config,
    rows_of,
    stack_rows,
    write_config,
)
from tasks.encoders.rows.network import RowNetwork
from tasks.encoders.rows.training import Options, RowTraining
from tasks.errors import BadInput, Corrupt, one_line
from tasks.training import TrainingOptions, best_record, train
from tasks.training.device import require_device

OUTPUTS = ("mean", BOTH)


class RowEncoder:
    """Rows as the means of their latent vectors, for `mean+sigma` followed by the standard deviations."""

    def __init__(self, identity: str, network: RowNetwork, inputs: int, output: str, device: torch.device) -> None:
        self.identity, self.width = identity, network.latent * (1 + (output == BOTH))
        self._network, self._inputs, self._output, self._device = network.to(device).eval(), inputs, output, device

    @property
    def decode(self) -> Callable[[bytes], object]:
        """Decodes a row of the table."""
        return RowDecoder(self._inputs)

    @torch.no_grad()
    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), width) float32."""
        rows = torch.from_numpy(stack_rows(media, self._inputs)).to(self._device)
        mean, log_variance = self._network.encode(rows)
        if self._output == BOTH and log_variance is not None:
            mean = torch.cat([mean, torch.exp(0.5 * log_variance)], dim=1)
        vectors: np.ndarray = mean.cpu().numpy()
        return vectors


def load_rows(folder: Path, identities: Mapping[str, str], device: str) -> Mapping[str, RowEncoder]:
    """Modality -> encoder with the weights in `folder`. Corrupt for files that are none."""
    (modality,) = MODALITIES
    config = read_config(folder)
    try:
        network = RowNetwork(config["inputs"], config["hidden"], config["latent"], variational=config["kind"] == "vae")
        network.load_state_dict(load_file(folder / MODEL))
        output = str(config["output"])
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise Corrupt(f"{MODEL} and its config do not hold together: {one_line(error)}") from error
    encoder = RowEncoder(identities[modality], network, config["inputs"], output, require_device(device))
    return {modality: encoder}


def train_rows(task: EncoderTraining, kind: str) -> dict[str, Any]:
    """Train a network of `kind` (autoencoder or vae) on `task.rows`, and write its weights; returns what it reached."""
    rows = rows_of(task)
    given = dict(task.options)
    output = str(given.pop("output", OUTPUTS[0]))
    if output not in OUTPUTS:
        raise BadInput(f"--output {output!r} found, expected {' or '.join(OUTPUTS)}")
    options = Options(**given | {"hidden": tuple(given["hidden"])})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = RowNetwork(rows.shape[1], options.hidden, options.width, variational=kind == "vae")
    training = RowTraining(kind, network, rows, options)
    settings = TrainingOptions(threads=task.threads, seed=options.seed, progress=True, checkpoints=task.checkpoints)
    records = train(training, settings)
    reached = training.measure() | {"epoch": best_record(records).epoch}
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, task.folder / MODEL)
    config = {"kind": kind, "inputs": rows.shape[1], "hidden": list(options.hidden), "latent": options.width}
    config |= {"output": output, **describe_table(task), **task.facts}
    write_config(task.folder, config | {"items": len(rows), "options": asdict(options), "held_out": reached})
    return {"items": len(rows), "width": options.width * (1 + (output == BOTH)), **reached}
