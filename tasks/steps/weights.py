"""Loads a released checkpoint into the store."""

from __future__ import annotations

import http.client
import logging
import tempfile
import urllib.request
from pathlib import Path
from typing import Annotated

import typer

from tasks.encoders import ENCODERS, encoder_module
from tasks.encoders.base import Checkpoint
from tasks.encoders.weights import put_weights
from tasks.errors import BadInput, Corrupt, NotFound, TaskError, one_line
from tasks.progress import progress
from tasks.store import open_store, sha256_of

log = logging.getLogger(__name__)
CHUNK = 1 << 20
SECONDS = 60  # timeout without data


def list_checkpoints() -> dict[str, str]:
    """Name of every released checkpoint -> its architecture, a name of `ENCODERS`."""
    return {name: architecture for architecture in ENCODERS for name in encoder_module(architecture).CHECKPOINTS}


def weights(
    *,
    name: Annotated[str, typer.Argument(help=f"Which: {', '.join(list_checkpoints())}.")],
    path: Annotated[Path | None, typer.Option(help="A copy that is here already, instead of downloading it.")] = None,
    url: Annotated[str | None, typer.Option(help="A mirror to download from; the file must be the same.")] = None,
) -> dict[str, object]:
    """Download a released AudioCLIP checkpoint, verify it, and make it an encoder of that name.

    The file must have the known size and sha256, wherever it comes from, and load strictly.
    """
    known = list_checkpoints()
    if name not in known:
        raise BadInput(f"checkpoint {name!r} found, expected one of {', '.join(known)}")
    store, module = open_store(), encoder_module(known[name])
    checkpoint = module.CHECKPOINTS[name]
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if path is None:
            path = folder / "checkpoint.pt"
            download(url or checkpoint.url, path, checkpoint.size)
        elif not path.is_file():
            raise NotFound(f"{path} does not exist, expected the checkpoint {name}")
        verify(path, checkpoint)
        module.convert(path, name, folder)
        origin = {"source": checkpoint.url, "source_sha256": checkpoint.sha256}
        prefix = put_weights(store, name, folder, known[name], parameters=origin)
    log.info("%s is an encoder now: scan --encoder %s", name, name)
    return {"encoder": name, "weights": prefix}


def download(url: str, path: Path, size: int) -> None:
    """Download `url`, at most one byte more than `size`; a partial download is removed."""
    if "@" in url.partition("://")[2].partition("/")[0]:
        raise BadInput("an address with a user or password found, expected none: messages and the process list show it")
    if not url.startswith(("https://", "http://127.0.0.1:")):
        raise BadInput(f"address {url!r} found, expected https://")
    try:
        with urllib.request.urlopen(url, timeout=SECONDS) as answer, path.open("wb") as file:  # noqa: S310  checked above
            left = size + 1
            for _ in progress(range(-(-left // CHUNK)), label="downloading", unit="MiB"):
                chunk = answer.read(min(CHUNK, left))
                left -= file.write(chunk)
                if not chunk or not left:
                    break
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        reason = one_line(error)
        raise TaskError(
            f"{url} cannot be downloaded ({reason}), expected the checkpoint: try again, or give a copy by --path"
        ) from error


def verify(path: Path, checkpoint: Checkpoint) -> None:
    """Raise Corrupt unless the file is the released one, byte for byte."""
    size = path.stat().st_size
    if size != checkpoint.size:
        raise Corrupt(
            f"{path.name} has {size} bytes, expected {checkpoint.size}: it is not the released file, or not all of it"
        )
    actual = sha256_of(path)
    if actual != checkpoint.sha256:
        raise Corrupt(f"{path.name} has sha256 {actual}, expected {checkpoint.sha256}: it is not the released file")
