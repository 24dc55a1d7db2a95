"""Training, weights and encoder of the networks of album art; `autoencoder.py` and `vae.py` say which."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from tasks.encoders.art.common import LAYERS, MODALITIES, SIDE
from tasks.encoders.art.decoding import PictureDecoder
from tasks.encoders.art.network import PictureNetwork
from tasks.encoders.base import EncoderTraining
from tasks.encoders.rows.latent import LatentEncoder, read_network, read_options, seeded, train_network
from tasks.encoders.rows.training import RowTraining
from tasks.errors import BadInput
from tasks.media import LARGEST, BadMedia
from tasks.progress import progress
from tasks.store import ObjectInfo

VARIATIONAL = "picture-vae"
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


def load_pictures(folder: Path, identities: Mapping[str, str], device: str) -> Mapping[str, LatentEncoder]:
    """Modality -> encoder with the weights in `folder`. Corrupt for files that are none."""
    (modality,) = MODALITIES
    network, config = read_network(
        folder, lambda c: PictureNetwork(c["hidden"], c["latent"], variational=c["kind"] == VARIATIONAL)
    )

    def prepare(media: Sequence[Any]) -> Tensor:
        return to_tensor(np.asarray(media, dtype=np.uint8).reshape(len(media), SIDE, SIDE, 3))

    return {modality: LatentEncoder(identities[modality], network, config, device, PictureDecoder(), prepare)}


def train_pictures(task: EncoderTraining, kind: str) -> dict[str, Any]:
    """Train on the pictures of `task.media`; writes the weights, and GRID. Returns what was reached."""
    options, output = read_options(task)
    if len(options.hidden) != LAYERS:
        raise BadInput(f"--hidden of {len(options.hidden)} layers found, expected the channels of {LAYERS}")
    if task.start_from is not None or task.half:
        raise BadInput(f"--start-from or --half found for {kind}, expected neither")
    pixels = read_pictures(task)
    network = seeded(options, lambda: PictureNetwork(options.hidden, options.width, variational=kind == VARIATIONAL))
    training = PictureTraining(kind, network, pixels, options)
    reached = train_network(task, training, output, {"inputs": SIDE})
    draw_grid(network, pixels[training.held[:SHOWN]]).save(task.folder / GRID)
    return reached


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
