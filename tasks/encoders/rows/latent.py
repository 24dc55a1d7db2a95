"""What the networks of rows and of pictures share: options, training, files, and the encoder of latent vectors."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from tasks.encoders.base import MODEL, EncoderTraining
from tasks.encoders.rows.common import BOTH, latent_width, read_config, write_config
from tasks.encoders.rows.training import Options, RowTraining
from tasks.errors import BadInput, Corrupt, one_line
from tasks.training import TrainingOptions, best_record, train
from tasks.training.device import require_device

OUTPUTS = ("mean", BOTH)
Net = TypeVar("Net", bound=nn.Module)


class LatentEncoder:
    """The means of latent vectors, for `mean+sigma` followed by the standard deviations.

    `prepare` makes the network's input of a list of what `decode` gave.
    """

    def __init__(  # noqa: PLR0917  what an encoder is made of
        self,
        identity: str,
        network: Any,  # noqa: ANN401  a `Network` that is an nn.Module
        config: Mapping[str, Any],
        device: str,
        decode: Callable[[bytes], object],
        prepare: Callable[[Sequence[Any]], Tensor],
    ) -> None:
        self.identity, self.width, self.decode = identity, latent_width(config), decode
        self._device, self._both, self._prepare = require_device(device), config["output"] == BOTH, prepare
        self._network = network.to(self._device).eval()

    @torch.no_grad()
    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), width) float32."""
        mean, log_variance = self._network.encode(self._prepare(media).to(self._device))
        if self._both and log_variance is not None:
            mean = torch.cat([mean, torch.exp(0.5 * log_variance)], dim=1)
        vectors: np.ndarray = mean.cpu().numpy()
        return vectors


def read_network(folder: Path, make: Callable[[Mapping[str, Any]], Net]) -> tuple[Net, Mapping[str, Any]]:
    """The network of a folder, which `make` makes of its config, and the config. Corrupt for files that are none."""
    config = read_config(folder)
    try:
        network = make(config)
        network.load_state_dict(load_file(folder / MODEL))
        latent_width(config)
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise Corrupt(f"{MODEL} and its config do not hold together: {one_line(error)}") from error
    return network, config


def read_options(task: EncoderTraining) -> tuple[Options, str]:
    """The hyperparameters, and which output the encoder has; BadInput for one that there is not."""
    given = dict(task.options)
    output = str(given.pop("output", OUTPUTS[0]))
    if output not in OUTPUTS:
        raise BadInput(f"--output {output!r} found, expected {' or '.join(OUTPUTS)}")
    return Options(**given | {"hidden": tuple(given["hidden"])}), output


def seeded(options: Options, make: Callable[[], Net]) -> Net:
    """A network whose first weights are those of the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        return make()


def train_network(
    task: EncoderTraining, training: RowTraining, output: str, facts: Mapping[str, Any]
) -> dict[str, Any]:
    """Train, and write MODEL and CONFIG with `facts`; returns the number of items, the width and what was reached."""
    options = training.config
    settings = TrainingOptions(threads=task.threads, seed=options.seed, progress=True, checkpoints=task.checkpoints)
    records = train(training, settings)
    reached = training.measure() | {"epoch": best_record(records).epoch}
    state = training.network.state_dict()
    save_file({name: tensor.contiguous() for name, tensor in state.items()}, task.folder / MODEL)
    config = {"kind": training.name, **facts, "hidden": list(options.hidden), "latent": options.width}
    config |= {"output": output, **task.facts, "items": training.count, "options": asdict(options), "held_out": reached}
    write_config(task.folder, config)
    return {"items": training.count, "width": latent_width(config), **reached}
