"""Upload media from a folder to where the scan finds them."""

from __future__ import annotations

import logging
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from tasks.encoders.decode import EXTENSIONS
from tasks.errors import BadInput, NotFound
from tasks.progress import progress
from tasks.steps.inputs import checked_dataset, media_folder
from tasks.steps.options import Dataset
from tasks.store import Store, open_store

log = logging.getLogger(__name__)
UPLOADS = 4  # at once


def load_media(
    *,
    folder: Annotated[Path, typer.Argument(help="Folder with image/, audio/ and text/ (any of them) below it.")],
    dataset: Dataset,
    modality: Annotated[str | None, typer.Option(help="The files lie in FOLDER itself and are all of this modality.")] = None,
) -> dict[str, object]:
    """Upload posters, sounds and texts from a folder; what is there already is not sent again.

    A file's name without its ending is its item's id. Other files and folders beside image/, audio/ and text/ are left
    alone; a file in them with an ending that is not accepted is an error before anything is sent.
    """
    store, prefix = open_store(), media_folder(checked_dataset(dataset))
    files = {name: media_files(path, name) for name, path in sources(folder, modality).items()}
    counts: dict[str, int] = {}
    for name, paths in files.items():
        sent = upload(store, f"{prefix}{name}/", paths, f"{name} of {dataset}")
        counts |= {f"{name}_found": len(paths), f"{name}_sent": sent}
        log.info("%s: %d files, %d sent, %d there already", name, len(paths), sent, len(paths) - sent)
    return {"media": prefix, **counts}


def sources(folder: Path, modality: str | None) -> dict[str, Path]:
    """Modality -> folder of its files."""
    if not folder.is_dir():
        raise NotFound(f"{folder} is not a folder, expected one with {', '.join(EXTENSIONS)} below it")
    if modality is not None:
        if modality not in EXTENSIONS:
            raise BadInput(f"modality {modality!r} found, expected one of {', '.join(EXTENSIONS)}")
        return {modality: folder}
    found = {name: folder / name for name in EXTENSIONS if (folder / name).is_dir()}
    if not found:
        raise BadInput(f"{folder} has none of the folders {', '.join(EXTENSIONS)}, expected at least one (or say --modality)")
    return found


def media_files(folder: Path, modality: str) -> list[Path]:
    """The files of one modality, by name. BadInput for an ending that is not accepted, and for two files of one item."""
    found = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    accepted = EXTENSIONS[modality]
    for path in found:
        if path.suffix.lower().lstrip(".") not in accepted:
            raise BadInput(f"{path} found among the {modality} files, expected endings {', '.join(sorted(accepted))}")
    items: dict[str, list[str]] = defaultdict(list)
    for path in found:
        items[path.stem].append(path.name)
    twice = next((names for names in items.values() if len(names) > 1), None)
    if twice:
        raise BadInput(f"{modality} files {', '.join(twice)} found for one item, expected one file each")
    if not found:
        raise BadInput(f"{folder} has no files, expected {modality} files ({', '.join(sorted(accepted))})")
    return found


def upload(store: Store, prefix: str, paths: list[Path], label: str) -> int:
    """Send what is not there with the same bytes; returns how many were sent."""
    there = {info.key: info.size for info in store.list(prefix)}

    def send(path: Path) -> bool:
        key = f"{prefix}{path.name}"
        if there.get(key) == path.stat().st_size and store.get(key) == path.read_bytes():
            return False
        store.put_file(key, path)
        return True

    with ThreadPoolExecutor(UPLOADS) as pool:
        return sum(progress(pool.map(send, paths), label=label, total=len(paths), unit="file"))
