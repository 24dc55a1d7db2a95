"""Uploads media from a folder to the store."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from tasks.data import RULE, compose, quote
from tasks.data.ids import GOOD, normalise_id
from tasks.errors import BadInput, NotFound
from tasks.media import EXTENSIONS, LARGEST
from tasks.progress import progress
from tasks.runs.inventory import double_files, item_of, list_media, say_composed
from tasks.steps.options import Dataset
from tasks.store import ObjectInfo, Store, open_store
from tasks.store.base import require_key
from tasks.store.layout import check_dataset_name, media_folder

log = logging.getLogger(__name__)
UPLOADS = 4  # in parallel
MOST_NAMED = 10


def load_media(
    *,
    folder: Annotated[Path, typer.Argument(help="Folder with image/, audio/ or text/ in it.")],
    dataset: Dataset,
    modality: Annotated[
        str | None, typer.Option(help="The files are directly in FOLDER and are all of this modality.")
    ] = None,
) -> dict[str, object]:
    """Upload images, sounds and texts from a folder; files that are already in the store are not sent again.

    The name of a file without its suffix is the item id, with accents composed (NFC). Hidden files and files next to
    the folders are ignored; other folders, unknown suffixes, links that lead out of FOLDER and two files of one item
    are errors, which are all named before anything is sent.
    """
    store, name = open_store(), check_dataset_name(dataset)
    found = sources(folder, modality)
    require_inside(folder, found.values())
    files = {kind: visible(path) for kind, path in found.items()}
    require_inside(folder, (path for paths, _ in files.values() for path in paths))
    there = {kind: {info.key: info for info in infos} for kind, infos in list_media(store, name).items()}
    wrong = [text for kind, (paths, _) in files.items() for text in problems(kind, folder, paths, there.get(kind, {}))]
    if wrong:
        more = [f"and {len(wrong) - MOST_NAMED} more"] if len(wrong) > MOST_NAMED else []
        raise BadInput("; ".join(wrong[:MOST_NAMED] + more))
    counts: dict[str, int] = {}
    for kind, (paths, hidden) in files.items():
        prefix = f"{media_folder(name)}{kind}/"
        say_composed(kind, [path.name for path in paths])
        sent = upload(store, prefix, paths, there.get(kind, {}), f"{kind} of {name}")
        log.info("%s: %d sent, %d already there, %d hidden", kind, sent, len(paths) - sent, hidden)
        counts |= {f"{kind}_found": len(paths), f"{kind}_sent": sent, f"{kind}_hidden": hidden}
    return {"media": media_folder(name), **counts}


def sources(folder: Path, modality: str | None) -> dict[str, Path]:
    """Return modality -> folder of its files."""
    known = ", ".join(f"{kind}/" for kind in EXTENSIONS)
    if not folder.is_dir():
        raise NotFound(f"{folder} is not a folder, expected one with {known} in it")
    if modality is not None:
        if modality not in EXTENSIONS:
            raise BadInput(f"modality {modality!r} found, expected one of {', '.join(EXTENSIONS)}")
        return {modality: folder}
    folders = sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    strangers = [name for name in folders if name not in EXTENSIONS]
    if strangers or not folders:
        raise BadInput(
            f"{folder} has the folders {strangers or 'none'}, expected only {known} in it (any of them; or files of "
            "one modality, named by --modality)"
        )
    return {name: folder / name for name in folders}


def require_inside(folder: Path, paths: Iterable[Path]) -> None:
    """BadInput for a link out of the folder: it could be a file that you may read and not all who may see media."""
    root, targets = folder.resolve(), {path: Path(os.path.realpath(path)) for path in paths}
    away = [f"{path} -> {target}" for path, target in targets.items() if not target.is_relative_to(root)]
    if away:
        named = ", ".join(away[:MOST_NAMED]) + (" ..." if len(away) > MOST_NAMED else "")
        raise BadInput(
            f"{named} found ({len(away)} in all), expected no link that leads out of {folder}: copy the files, or name "
            "a folder that holds both"
        )


def visible(folder: Path) -> tuple[list[Path], int]:
    """Return the sorted files of a folder, and the number of hidden files left out."""
    paths = sorted(folder.iterdir())
    kept = [path for path in paths if not path.name.startswith(".")]
    return kept, len(paths) - len(kept)


def problems(modality: str, folder: Path, paths: list[Path], there: dict[str, ObjectInfo]) -> Iterator[str]:
    """Yield a sentence for all that the scan could not use, alone or together with what is already in the store."""
    accepted = f"{modality} files with one of the suffixes {', '.join(sorted(EXTENSIONS[modality]))}"
    if not paths:
        yield f"{folder} has no files of {modality}, expected {accepted}"
    media = [path for path in paths if path.is_file() and path.suffix.lower().lstrip(".") in EXTENSIONS[modality]]
    strangers = sorted(set(paths) - set(media))
    if strangers:
        named = ", ".join(map(str, strangers[:MOST_NAMED])) + (" ..." if len(strangers) > MOST_NAMED else "")
        yield f"{named} found ({len(strangers)} in all), expected only {accepted} there"
    for path in media:
        if path.stat().st_size > LARGEST[modality]:
            yield f"{path} has {path.stat().st_size} bytes, expected at most {LARGEST[modality]}"
        if not GOOD.fullmatch(item_of(path.name)):
            yield f"{modality} file of the item {quote(item_of(path.name))} found, expected item ids of {RULE}"
        else:
            yield from unfit_keys(path.name)
    yield from double_files(modality, [path.name for path in media])
    stored = {normalise_id(item_of(key)): key for key in there}
    for path in media:
        key = stored.get(normalise_id(item_of(path.name)), path.name)
        if compose(Path(key).name) != compose(path.name):
            yield f"{path} found for the item of {key} in the store, expected one file per item: remove one"


def unfit_keys(name: str) -> Iterator[str]:
    """Yield a sentence for a name that no store can hold, such as one with a backslash."""
    try:
        require_key(compose(name))
    except BadInput as error:
        yield f"the file name {quote(name)} cannot be used: {error}"


def upload(store: Store, prefix: str, paths: list[Path], there: dict[str, ObjectInfo], label: str) -> int:
    """Send the files that are not there with the same bytes; returns their number."""

    names = {compose(key): key for key in there}  # what is there under a name with accents apart is replaced there

    def send(path: Path) -> bool:
        key = names.get(compose(f"{prefix}{path.name}"), compose(f"{prefix}{path.name}"))
        known = there.get(key)
        if known is not None and known.size == path.stat().st_size and store.get(key) == path.read_bytes():
            return False
        store.put_file(key, path)
        return True

    with ThreadPoolExecutor(UPLOADS) as pool:
        return sum(progress(pool.map(send, paths), label=label, total=len(paths), unit="file"))
