"""What media a dataset has: found in the store, hashed by content, matched by name."""

from __future__ import annotations

import hashlib
import io
import logging
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd

from tasks.data import canonical_integers, numbering
from tasks.encoders.decode import EXTENSIONS, LARGEST_FILE
from tasks.errors import BadInput, NotFound
from tasks.progress import progress
from tasks.steps.inputs import media_folder
from tasks.store import ObjectInfo, Store

log = logging.getLogger(__name__)
COLUMNS = ["modality", "item", "key", "size", "etag", "sha256"]
DOWNLOADS = 4  # at once


def listed(store: Store, dataset: str) -> dict[str, list[ObjectInfo]]:
    """Modality -> the objects directly in its folder; other folders, deeper ones and hidden files are left alone."""
    prefix = media_folder(dataset)
    found: dict[str, list[ObjectInfo]] = {}
    for info in store.list(prefix):
        modality, _, name = info.key.removeprefix(prefix).partition("/")
        if modality in EXTENSIONS and name and "/" not in name and not name.startswith("."):
            found.setdefault(modality, []).append(info)
    return found


def take_inventory(store: Store, dataset: str, objects: Mapping[str, Sequence[ObjectInfo]]) -> pd.DataFrame:
    """One row an object: modality, item, key, size, etag, sha256 of the content. Only changed objects are read.

    BadInput for two files of one item, and for ids that differ as text and not as numbers ('1' and '001').
    """
    for modality, infos in objects.items():
        check_names(modality, [info.key.rpartition("/")[2] for info in infos])
    hashes = content_hashes(store, dataset, [info for infos in objects.values() for info in infos])
    rows = [
        (modality, info.key.rpartition("/")[2].rpartition(".")[0], info.key, info.size, info.etag, hashes[info.key])
        for modality, infos in objects.items()
        for info in infos
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def check_names(modality: str, names: Sequence[str]) -> None:
    """BadInput when names have no ending, an ending that is not accepted, or name one item twice."""
    seen: dict[str, str] = {}
    for name in names:
        item, dot, ending = name.rpartition(".")
        if not dot or not item or ending.lower() not in EXTENSIONS[modality]:
            raise BadInput(f"{modality} file {name!r} found, expected <item>.<ending> with one of {', '.join(sorted(EXTENSIONS[modality]))}")
        alike = item.lstrip("0") or "0" if item.isdecimal() else item
        if alike in seen:
            raise BadInput(f"{modality} files {seen[alike]!r} and {name!r} found for one item, expected one file each: remove one")
        seen[alike] = name


def content_hashes(store: Store, dataset: str, infos: Sequence[ObjectInfo]) -> dict[str, str]:
    """Key -> sha256. An index of what was hashed before (`index/<dataset>.parquet`) saves reading unchanged objects again."""
    index = _read_index(store, dataset)
    known = {info.key: index[(info.key, info.etag, info.size)] for info in infos if (info.key, info.etag, info.size) in index}
    missing = [info for info in infos if info.key not in known]

    def digest(info: ObjectInfo) -> str:
        return hashlib.sha256(store.get(info.key, limit=LARGEST_FILE)).hexdigest()

    with ThreadPoolExecutor(DOWNLOADS) as pool:
        digests = progress(pool.map(digest, missing), label="hashing media", total=len(missing), unit="file")
        known |= {info.key: value for info, value in zip(missing, digests, strict=True)}
    if missing or len(index) != len(infos):
        _write_index(store, dataset, infos, known)
    return known


def say_counts(inventory: pd.DataFrame, matrices: Mapping[str, np.ndarray], modalities: Sequence[str]) -> dict[str, int]:
    """Log and return: items per modality, names in all, missing per modality, with all of them."""
    items = items_by_modality(inventory, matrices, modalities)
    names = set().union(*items.values())
    complete = set.intersection(*items.values())
    counts = {f"{modality}_found": len(found) for modality, found in items.items()}
    counts |= {"names": len(names)}
    counts |= {f"without_{modality}": len(names - found) for modality, found in items.items()}
    counts |= {"with_all": len(complete)}
    log.info("found: %s", ", ".join(f"{len(found)} {modality}" for modality, found in items.items()))
    log.info("%d names in all; without %s", len(names), ", ".join(f"{m}: {len(names - found)}" for m, found in items.items()))
    log.info("%d items with all of %s", len(complete), ", ".join(modalities))
    return counts


def items_by_modality(
    inventory: pd.DataFrame, matrices: Mapping[str, np.ndarray], modalities: Sequence[str]
) -> dict[str, set[str]]:
    """Modality -> its items, from media or from a ready-made matrix."""
    return {
        modality: set(matrices[modality].tolist())
        if modality in matrices
        else set(inventory.loc[inventory["modality"] == modality, "item"])
        for modality in modalities
    }


def with_all(inventory: pd.DataFrame, matrices: Mapping[str, np.ndarray], modalities: Sequence[str]) -> np.ndarray:
    """Items that every modality has, in order."""
    complete = set.intersection(*items_by_modality(inventory, matrices, modalities).values())
    ids = np.array(sorted(complete), dtype=np.str_)
    return ids[numbering(ids)]


def check_same_writing(items: np.ndarray, log_items: np.ndarray) -> None:
    """BadInput when the log writes numbers plainly and the media pad them with zeros: nothing would match."""
    if canonical_integers(log_items) is None or canonical_integers(items) is not None:
        return
    padded = [item for item in items.tolist() if item.isdecimal() and item.startswith("0") and item != "0"]
    if padded:
        raise BadInput(f"media are named like {padded[0]!r} and the log has ids like {log_items[0]!r}, expected them written the same way")


def _read_index(store: Store, dataset: str) -> dict[tuple[str, str, int], str]:
    """What was hashed before; a cache, so anything unreadable is taken for empty and said."""
    try:
        table = pd.read_parquet(io.BytesIO(store.get(_index_key(dataset))))
        return {(k, e, int(s)): h for k, e, s, h in zip(table["key"], table["etag"], table["size"], table["sha256"], strict=True)}
    except NotFound:
        return {}
    except (OSError, ValueError, KeyError) as error:
        log.warning("the index of content hashes is unreadable (%s): all media are hashed again", " ".join(str(error).split())[:100])
        return {}


def _write_index(store: Store, dataset: str, infos: Sequence[ObjectInfo], hashes: Mapping[str, str]) -> None:
    buffer = io.BytesIO()
    rows = [(info.key, info.etag, info.size, hashes[info.key]) for info in infos]
    pd.DataFrame(rows, columns=["key", "etag", "size", "sha256"]).to_parquet(buffer, index=False)
    store.put(_index_key(dataset), buffer.getvalue())


def _index_key(dataset: str) -> str:
    return f"index/{dataset}.parquet"
