"""Training, weights and encoder of the networks of album art; `autoencoder.py` and `vae.py` say which."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from tasks.encoders.art.common import LAYERS, MODALITIES, SIDE, PictureDecoder
from tasks.encoders.art.network import PictureNetwork
from tasks.encoders.base import MODEL, EncoderTraining
from tasks.encoders.rows.common import read_config, write_config
from tasks.encoders.rows.neural import OUTPUTS
from tasks.encoders.rows.training import Options, RowTraining
from tasks.errors import BadInput, Corrupt, one_line
from tasks.media import LARGEST, BadMedia
from tasks.progress import progress
from tasks.store import ObjectInfo
from tasks.training import TrainingOptions, best_record, train
from tasks.training.device import require_device

log = logging.getLogger(__name__)
GRID, SHOWN = "reconstructions.png", 8  # pictures that were held out, above what becomes of them
MEMORY = 4 << 30  # bytes that all pictures may take


def to_tensor(pixels: np.ndarray | Tensor) -> Tensor:
    """(n, 3, side, side) float32 of 0 to 1, of (n, side, side, 3) uint8."""
    return torch.as_tensor(pixels).permute(0, 3, 1, 2).float() / 255


class PictureTraining(RowTraining):
    """As of rows, which are pictures here, kept as bytes."""

    remedy = "lower --learning-rate"

    def _inputs(self, places: np.ndarray) -> Tensor:
        return to_tensor(self._rows[places])


class PictureEncoder:
    """Pictures as the means of their latent vectors, for `mean+sigma` followed by the standard deviations."""

    def __init__(self, identity: str, network: PictureNetwork, output: str, device: torch.device) -> None:
        self.identity, self.width = identity, network.latent * (1 + (output == "mean+sigma"))
        self._network, self._output, self._device = network.to(device).eval(), output, device

    @property
    def decode(self) -> Callable[[bytes], object]:
        """Decodes a picture to (128, 128, 3)."""
        return PictureDecoder()

    @torch.no_grad()
    def encode(self, media: Sequence[Any]) -> np.ndarray:
        """(len(media), width) float32."""
        pixels = np.asarray(media, dtype=np.uint8).reshape(len(media), SIDE, SIDE, 3)
        mean, log_variance = self._network.encode(to_tensor(pixels).to(self._device))
        if self._output == "mean+sigma" and log_variance is not None:
            mean = torch.cat([mean, torch.exp(0.5 * log_variance)], dim=1)
        vectors: np.ndarray = mean.cpu().numpy()
        return vectors


def load_pictures(folder: Path, identities: Mapping[str, str], device: str) -> Mapping[str, PictureEncoder]:
    """Modality -> encoder with the weights in `folder`. Corrupt for files that are none."""
    (modality,) = MODALITIES
    config = read_config(folder)
    try:
        network = PictureNetwork(config["hidden"], config["latent"], variational=config["kind"] == "picture-vae")
        network.load_state_dict(load_file(folder / MODEL))
        output = str(config["output"])
    except (SafetensorError, RuntimeError, KeyError, TypeError) as error:
        raise Corrupt(f"{MODEL} and its config do not hold together: {one_line(error)}") from error
    return {modality: PictureEncoder(identities[modality], network, output, require_device(device))}


def train_pictures(task: EncoderTraining, kind: str) -> dict[str, Any]:
    """Train on the pictures of `task.media`; writes the weights, and GRID. Returns what was reached."""
    given = dict(task.options)
    output = str(given.pop("output", OUTPUTS[0]))
    if output not in OUTPUTS:
        raise BadInput(f"--output {output!r} found, expected {' or '.join(OUTPUTS)}")
    options = Options(**given | {"hidden": tuple(given["hidden"])})
    if len(options.hidden) != LAYERS:
        raise BadInput(f"--hidden of {len(options.hidden)} layers found, expected the channels of {LAYERS}")
    if task.start_from is not None or task.half:
        raise BadInput(f"--start-from or --half found for {kind}, expected neither")
    pixels = read_pictures(task)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(options.seed)
        network = PictureNetwork(options.hidden, options.width, variational=kind == "picture-vae")
    training = PictureTraining(kind, network, pixels, options)
    settings = TrainingOptions(threads=task.threads, seed=options.seed, progress=True, checkpoints=task.checkpoints)
    records = train(training, settings)
    reached = training.measure() | {"epoch": best_record(records).epoch}
    save_file({name: tensor.contiguous() for name, tensor in network.state_dict().items()}, task.folder / MODEL)
    draw_grid(network, pixels[training.held[:SHOWN]]).save(task.folder / GRID)
    config = {"kind": kind, "inputs": SIDE, "hidden": list(options.hidden), "latent": options.width, "output": output}
    write_config(
        task.folder,
        config | dict(task.facts) | {"items": len(pixels), "options": asdict(options), "held_out": reached},
    )
    return {"items": len(pixels), "width": options.width * (1 + (output == "mean+sigma")), **reached}


def read_pictures(task: EncoderTraining) -> np.ndarray:
    """(n, 128, 128, 3) uint8 of the pictures that can be decoded; those that cannot are logged and left out."""
    (modality,) = MODALITIES
    if len(task.media) * SIDE * SIDE * 3 > MEMORY:
        raise BadInput(f"{len(task.media)} pictures found, expected at most {MEMORY // (SIDE * SIDE * 3)}: --most")
    decoder = PictureDecoder()

    def decode(item: Mapping[str, ObjectInfo]) -> np.ndarray | None:
        try:
            return decoder(task.store.get(item[modality].key, limit=LARGEST[modality]))
        except BadMedia as error:
            log.warning("%s is left out: %s", item[modality].key, error)
            return None

    with ThreadPoolExecutor(2) as pool:
        found = progress(pool.map(decode, task.media), label="decoding", total=len(task.media), unit="item")
        pictures = [one for one in found if one is not None]
    if not pictures:
        raise BadInput(f"no usable picture found among {len(task.media)}, expected some")
    return np.stack(pictures)


@torch.no_grad()
def draw_grid(network: PictureNetwork, pixels: np.ndarray) -> Image.Image:
    """The pictures (n, side, side, 3) in a row, and below each what the network makes of its vector."""
    mean, _ = network.encode(to_tensor(pixels))
    again = (network.decode(mean).permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    return Image.fromarray(np.concatenate([np.concatenate(list(row), axis=1) for row in (pixels, again)], axis=0))
