"""The inventory of a dataset's media: listed in the store, hashed by content, matched by name."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from tasks.data.ids import GOOD, compose, normalise_id, tell_apart
from tasks.data.missing import Missing
from tasks.errors import BadInput, NotFound, one_line
from tasks.media import EXTENSIONS, LARGEST
from tasks.progress import progress
from tasks.runs.config import MODALITIES, Feature
from tasks.store import ObjectInfo, Store, read_artefact
from tasks.store.layout import (
    INTERACTIONS,
    ITEMS,
    MATRICES,
    MEDIA,
    index_key,
    items_folder,
    matrix_folder,
    media_folder,
)
from tasks.store.pointers import current

log = logging.getLogger(__name__)
COLUMNS = ["modality", "item", "key", "size", "etag", "sha256"]
DOWNLOADS = 4  # in parallel
MOST_NAMED = 10
Objects = Mapping[str, Sequence[ObjectInfo]]  # by modality


def list_media(store: Store, dataset: str) -> dict[str, list[ObjectInfo]]:
    """Modality -> the media directly in its folder.

    Files that are not media by name (hidden, in subfolders, other suffixes) are ignored; unusual names are logged.
    """
    prefix = media_folder(dataset)
    media: dict[str, list[ObjectInfo]] = {}
    strange = []
    for info in store.list(prefix):
        modality, _, name = info.key.removeprefix(prefix).partition("/")
        if modality not in EXTENSIONS or not name or "/" in name or name.startswith("."):
            continue
        item, _, ending = name.rpartition(".")
        if GOOD.fullmatch(item) and ending.lower() in EXTENSIONS[modality]:
            media.setdefault(modality, []).append(info)
        else:
            strange.append(info.key)
    if strange:
        names = ", ".join(map(repr, strange[:MOST_NAMED]))
        log.warning("%d files are left alone, their names are not <item>.<ending of a medium>: %s", len(strange), names)
    return media


def fingerprint_media(store: Store, dataset: str, objects: Objects) -> str:
    """Return a sha256 over the listing of all media of a dataset and the versions of its matrices and item records.

    "" without any.

    It changes with every object that comes, goes or is replaced, and nothing is read for it.
    """
    named = {info.key.split("/")[2] for info in store.list(matrix_folder(dataset, ""))} - set(MODALITIES)
    folders = [matrix_folder(dataset, feature) for feature in (*MODALITIES, *sorted(named))] + [items_folder(dataset)]
    pointers = [prefix for folder in folders if (prefix := current(store, folder))]
    listing = sorted(f"{info.key} {info.size} {info.etag}" for infos in objects.values() for info in infos) + pointers
    return hashlib.sha256("\n".join(listing).encode()).hexdigest() if listing else ""


def known_datasets(store: Store) -> list[str]:
    """Return the names of all datasets with anything. Lists the whole store: for error messages."""
    keys = (info.key for folder in (MEDIA, INTERACTIONS, ITEMS, MATRICES) for info in store.list(f"{folder}/"))
    return sorted({key.split("/")[1] for key in keys})


def take_inventory(store: Store, dataset: str, objects: Objects) -> pd.DataFrame:
    """Return one row per object: modality, item, key, size, etag, sha256 of the content. Reads only changed objects.

    Items are named composed (NFC), whatever their keys are. Raises BadInput for two files of one item.
    """
    for modality, infos in objects.items():
        check_names(modality, [info.key.rpartition("/")[2] for info in infos])
        say_composed(modality, [info.key for info in infos])
    hashes = content_hashes(store, dataset, objects)
    rows = [
        (modality, item_of(info.key), info.key, info.size, info.etag, hashes[info.key])
        for modality, infos in objects.items()
        for info in infos
        if info.key in hashes
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def item_of(key: str) -> str:
    """The item of a medium, by its key or the name of its file: without folder and suffix, composed (NFC)."""
    return compose(key.rpartition("/")[2].rpartition(".")[0])


def say_composed(modality: str, keys: Sequence[str]) -> None:
    """Log how many names are written as macOS does, with accents apart."""
    apart = [key for key in keys if compose(key) != key]
    if apart:
        log.info(
            "%d names of %s are not composed (NFC), such as %s; their items are", len(apart), modality, ascii(apart[0])
        )


def check_names(modality: str, names: Sequence[str]) -> None:
    """Raise BadInput, with the first of them, if two files belong to one item."""
    for sentence in double_files(modality, names):
        raise BadInput(sentence)


def double_files(modality: str, names: Sequence[str]) -> Iterator[str]:
    """Yield a sentence for each file of an item that has one already: '1.jpg' and '1.png', or '1.jpg' and '001.jpg'."""
    seen: dict[str, str] = {}
    for name in names:
        first = seen.setdefault(normalise_id(name.rpartition(".")[0]), name)
        if first != name:
            yield f"{modality} files {tell_apart(first, name)} found for one item, expected one file each: remove one"


def check_same_writing(items: Mapping[str, set[str]], log_ids: Iterable[str]) -> None:
    """Raise BadInput if one source of ids pads numbers with zeros and another does not: they would never match.

    `items`: feature -> its items.
    """
    seen: dict[str, tuple[str, str]] = {}
    sources = [(modality, sorted(ids)) for modality, ids in items.items()]
    for source, ids in [*sources, ("the log", log_ids)]:
        for item in ids:
            place, plain = (item, source), normalise_id(item)
            first, before = seen.get(plain, place) if source == "the log" else seen.setdefault(plain, place)
            if first != item:
                show = ascii if compose(first) == compose(item) else repr
                raise BadInput(
                    f"{before} has {show(first)} and {source} has {show(item)}, expected an id to be written one way "
                    "everywhere"
                )


def content_hashes(store: Store, dataset: str, objects: Objects, *, remember: bool = True) -> dict[str, str]:
    """Return key -> sha256 of the content, without objects that were removed after they were listed.

    With an index of known hashes (`index/<dataset>.parquet`) unchanged objects are not read again. An object above the
    size limit is not read at all: its size and etag are hashed instead. Where `objects` are only some of the dataset's
    do not `remember`: the index would forget the others.
    """
    index = _read_index(store, dataset)
    known = {info.key: _place(info) for infos in objects.values() for info in infos if _place(info) in index}
    hashes = {key: index[place] for key, place in known.items()}
    missing = [(modality, info) for modality, infos in objects.items() for info in infos if info.key not in hashes]

    def digest(modality: str, info: ObjectInfo) -> str | None:
        if info.size > LARGEST[modality]:
            return hashlib.sha256(f"{info.size} {info.etag}".encode()).hexdigest()
        try:
            return hashlib.sha256(store.get(info.key)).hexdigest()
        except NotFound:
            log.warning("%s was removed while the inventory was taken", info.key)
            return None

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        digests = pool.map(digest, *zip(*missing, strict=True)) if missing else []
        shown = progress(digests, label="hashing media", total=len(missing))
        for (_, info), sha256 in zip(missing, shown, strict=True):
            if sha256 is not None:
                hashes[info.key] = sha256
    if remember:
        _write_index(store, dataset, index, objects, hashes)
    return hashes


def matrix_items(store: Store, matrices: Mapping[str, str]) -> dict[str, np.ndarray]:
    """Feature -> item ids (n,) of its ready-made matrix. `matrices`: feature -> prefix of the artefact."""
    items = {}
    for feature, prefix in matrices.items():
        table = read_artefact(store, prefix).text_frame("items.csv")
        items[feature] = table["item_id"].to_numpy(dtype=np.str_)
    return items


def items_by_feature(
    inventory: pd.DataFrame, matrices: Mapping[str, np.ndarray], features: Sequence[Feature]
) -> dict[str, set[str]]:
    """Feature -> its items, from media of its modality, texts written for it, or a ready-made matrix."""
    return {
        feature.name: set(matrices[feature.name].tolist())
        if feature.name in matrices
        else set(inventory.loc[inventory["modality"] == feature.listed_as, "item"])
        for feature in features
    }


def candidates_of(items: Mapping[str, set[str]], missing: Missing) -> set[str]:
    """Items of a run: those that every feature has, or, if gaps are filled, any. `items`: feature -> its items."""
    return set.intersection(*items.values()) if missing == "drop" else set().union(*items.values())


def count_items(items: Mapping[str, set[str]]) -> dict[str, int]:
    """Count the items per feature, in total, without each feature, and with all of them. `items`: by feature."""
    names, complete = set[str]().union(*items.values()), set.intersection(*items.values())
    counts = {f"{feature}_found": len(present) for feature, present in items.items()}
    counts |= {"names": len(names)} | {f"without_{name}": len(names - present) for name, present in items.items()}
    return counts | {"with_all": len(complete)}


def say_counts(items: Mapping[str, set[str]]) -> dict[str, int]:
    """Log and return the counts of `count_items`."""
    counts = count_items(items)
    lacking = ", ".join(f"{name}: {counts[f'without_{name}']}" for name in items)
    log.info("found: %s", ", ".join(f"{len(present)} {feature}" for feature, present in items.items()))
    log.info("%d items in total; missing %s", counts["names"], lacking)
    log.info("%d items with all of %s", counts["with_all"], ", ".join(items))
    return counts


def _place(info: ObjectInfo) -> tuple[str, str, int]:
    return info.key, info.etag, info.size


def _read_index(store: Store, dataset: str) -> dict[tuple[str, str, int], str]:
    """Return the known hashes; it is a cache, so an unreadable file is logged and ignored."""
    try:
        table = pd.read_parquet(io.BytesIO(store.get(index_key(dataset))))
        places = zip(table["key"], table["etag"], table["size"].astype(int), strict=True)
        return dict(zip(places, table["sha256"], strict=True))
    except NotFound:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        reason = one_line(error)
        log.warning("the index of content hashes is unreadable (%s): all media are hashed again", reason)
        return {}


def _write_index(
    store: Store,
    dataset: str,
    before: Mapping[tuple[str, str, int], str],
    objects: Objects,
    hashes: Mapping[str, str],
) -> None:
    """Write the current hashes, and those of modalities that were not listed."""
    folder = media_folder(dataset)
    others = {p: sha256 for p, sha256 in before.items() if p[0].removeprefix(folder).partition("/")[0] not in objects}
    now = {_place(i): hashes[i.key] for infos in objects.values() for i in infos if i.key in hashes}
    index = others | now
    if index == dict(before):
        return
    buffer = io.BytesIO()
    rows = [(*place, sha256) for place, sha256 in index.items()]
    pd.DataFrame(rows, columns=["key", "etag", "size", "sha256"]).to_parquet(buffer, index=False)
    store.put(index_key(dataset), buffer.getvalue())
