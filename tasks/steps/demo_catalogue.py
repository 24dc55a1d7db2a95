"""`demo-catalogue`: a generated dataset for tests and demos, made when needed and not stored with the project."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated

import typer

from tasks.catalogue import (
    draw_poster,
    encode_poster,
    encode_sound,
    film,
    item_records,
    spoil,
    synthesise,
    viewing_log,
    write_synopsis,
)
from tasks.errors import BadInput
from tasks.progress import progress
from tasks.steps.load_interactions import load_interactions
from tasks.steps.load_items import load_items
from tasks.steps.load_media import load_media
from tasks.store import open_store
from tasks.store.layout import check_dataset_name, interactions_folder
from tasks.store.pointers import current

logger = logging.getLogger(__name__)
MOST = 1_000_000  # items or users: more is probably a typing error
USERS_DEFAULT = "[default: 400, or 0 with --first-item]"
OPENING_DEFAULT = "[default: --first-item, or --items if that is 0]"
SUFFIXES = {"image": ".jpg", "audio": ".ogg", "text": ".txt"}


def demo_catalogue(
    *,
    out: Annotated[
        Path | None, typer.Option(help="Folder to write image/, audio/, text/, items.csv and interactions.csv into.")
    ] = None,
    load: Annotated[
        str | None, typer.Option(help="Dataset to load it into; does nothing if the dataset already has a log.")
    ] = None,
    items: Annotated[int, typer.Option(help="Number of films.")] = 300,
    users: Annotated[int | None, typer.Option(help=f"Number of viewers in the log; 0: no log. {USERS_DEFAULT}")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 7,
    first_item: Annotated[int, typer.Option(help="Number of the first film: 300 continues a catalogue of 300.")] = 0,
    opening: Annotated[
        int | None, typer.Option(help=f"Number of films at the opening of the catalogue. {OPENING_DEFAULT}")
    ] = None,
    corrupt: Annotated[int, typer.Option(help="Number of films with one broken media file, of various kinds.")] = 0,
) -> dict[str, object]:
    """Generate a catalogue of films with posters, sounds, synopses and records, and viewers whose taste follows them.

    The log has user_id, item_id and timestamp. With --first-item and --users it also covers the earlier films: it
    contains the log of the opening catalogue unchanged, plus views of the new films in the following week. The records,
    items.csv, always cover the earlier films.
    """
    opening = (first_item or items) if opening is None else opening
    users = (0 if first_item else 400) if users is None else users
    _within("items", items, 1, MOST)
    _within("users", users, 0, MOST)
    _within("seed", seed, 0, 2**31 - 1)
    _within("first-item", first_item, 0, MOST)
    _within("opening", opening, 1, MOST)
    _within("corrupt", corrupt, 0, items)
    if out is not None and out.exists() and not out.is_dir():
        raise BadInput(f"--out {out} is a file, expected a folder or an unused name")
    if out is None and load is None:
        raise BadInput("neither --out nor --load found, expected a folder to write to, a dataset to load into, or both")
    if load is not None and current(open_store(), interactions_folder(check_dataset_name(load))) is not None:
        logger.info("dataset %s already has an interaction log: nothing to do", load)
        return {"dataset": load, "items": 0}
    with tempfile.TemporaryDirectory() as scratch:
        made = write(
            out or Path(scratch),
            items=items,
            users=users,
            seed=seed,
            first_item=first_item,
            opening=opening,
            corrupt=corrupt,
        )
        if load is not None:
            load_media(folder=out or Path(scratch), dataset=load)
            load_items(file=str((out or Path(scratch)) / "items.csv"), dataset=load)
            if users:  # last, because it marks the catalogue as complete
                load_interactions(file=str((out or Path(scratch)) / "interactions.csv"), dataset=load)
    return made | ({"folder": str(out)} if out else {}) | ({"dataset": load} if load else {})


def write(
    out: Path, *, items: int, users: int, seed: int, first_item: int, opening: int, corrupt: int
) -> dict[str, object]:
    """Write a catalogue into the folder `out`; returns its counts."""
    for modality in SUFFIXES:
        (out / modality).mkdir(parents=True, exist_ok=True)
    numbers = range(first_item, first_item + items)
    files = [_write_media(seed, number, out) for number in progress(numbers, label="films", unit="film")]
    broken = [str(path.relative_to(out)) for path in spoil(files, corrupt)]
    size = sum(path.stat().st_size for media in files for path in media.values())
    logger.info("%s films, %.1f MB of media in %s", items, size / 1e6, out)
    records = item_records(seed, range(first_item + items))
    records.to_csv(out / "items.csv", index=False, lineterminator="\n")
    views = 0
    if users:
        log = viewing_log(seed, items=first_item + items, users=users, opening=opening)
        log.to_csv(out / "interactions.csv", index=False, lineterminator="\n")
        views = len(log)
    return {"items": items, "users": users, "interactions": views, "bytes": size, "broken": broken}


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise BadInput(f"--{name} {value} found, expected {least} to {most}")


def _write_media(seed: int, number: int, out: Path) -> dict[str, Path]:
    """Write one film's three files; returns modality -> path."""
    one = film(seed, number)
    media = {
        "image": encode_poster(draw_poster(one)),
        "audio": encode_sound(synthesise(one)),
        "text": write_synopsis(one).encode(),
    }
    paths = {modality: out / modality / (one.item_id + SUFFIXES[modality]) for modality in media}
    for modality, data in media.items():
        paths[modality].write_bytes(data)
    return paths
