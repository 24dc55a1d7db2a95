"""AudioCLIP: pictures, sound and text in one space (Guzhov, Raue, Hees and Dengel, 2021).

Implements `EncoderModule`. The functions import torch themselves, which takes seconds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.encoders.audioclip.checkpoints import CHECKPOINTS
from tasks.encoders.audioclip.preprocess import PREPROCESSING

if TYPE_CHECKING:
    from tasks.encoders.base import ModalityEncoder
    from tasks.store import ObjectInfo, Store
    from tasks.training.checkpoint import Checkpoints

__all__ = ["CHECKPOINTS", "MODALITIES", "PREPROCESSING", "SHIPPED", "convert", "load", "train"]

MODALITIES = ("image", "audio", "text")
SHIPPED = {"audioclip-demo": Path(__file__).parent / "demo"}


def load(folder: Path, identity: str, device: str, *, half: bool) -> Mapping[str, ModalityEncoder]:
    """Modality -> encoder with the weights in `folder`."""
    from tasks.encoders.audioclip.encoders import encoders_of  # noqa: PLC0415
    from tasks.encoders.audioclip.weights import load_model  # noqa: PLC0415

    return encoders_of(load_model(folder), identity, half=half, device=device)


def convert(path: Path, name: str, folder: Path) -> None:
    """Write the released checkpoint `name`, a .pt file, as weights into `folder`."""
    from tasks.encoders.audioclip.weights import load_checkpoint, save_model  # noqa: PLC0415

    released = CHECKPOINTS[name]
    model = load_checkpoint(path, released.config)
    save_model(model, folder, half=False, facts={"source": released.url, "source_sha256": released.sha256})


def train(
    store: Store,
    media: Sequence[Mapping[str, ObjectInfo]],
    modalities: Sequence[str],
    folder: Path,
    options: Mapping[str, Any],
    *,
    start_from: Path | None,
    facts: Mapping[str, object],
    half: bool,
    threads: int,
    checkpoints: Checkpoints,
) -> dict[str, Any]:
    """Train a narrow AudioCLIP on items (modality -> medium) and write its weights into `folder`.

    `options` are the fields of `training.Options`.
    """
    from tasks.encoders.audioclip.narrow import train_narrow  # noqa: PLC0415
    from tasks.encoders.audioclip.training import Options  # noqa: PLC0415

    chosen = Options(**options)
    return train_narrow(
        *(store, media, modalities, folder, chosen),
        start_from=start_from,
        facts=facts,
        half=half,
        threads=threads,
        checkpoints=checkpoints,
    )
