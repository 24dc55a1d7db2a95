"""Objects of the store, for people."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from tasks.errors import BadInput, NotFound
from tasks.store import ObjectInfo, Store, format_size, open_store


def store(
    action: Annotated[Literal["ls", "get", "cat"], typer.Argument(help="ls [PREFIX], get KEY [FILE] or cat KEY.")],
    key: Annotated[str, typer.Argument(help="Of an object; with ls the beginning of keys.")] = "",
    file: Annotated[Path | None, typer.Argument(help="With get: where to write; default: its name, here.")] = None,
    *,
    recursive: Annotated[bool, typer.Option("--recursive", help="With ls: every object, at any depth.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One line of JSON; with ls and get.")] = False,
) -> dict[str, object]:
    """List objects of the store, copy one to a file, or write one to standard output; nothing in the store changes."""
    if action != "get" and file is not None:
        raise BadInput(f"a file {str(file)!r} found after {action}, expected it after get")
    if action != "ls" and (recursive or not key):
        raise BadInput(f"{'--recursive' if recursive else 'no key'} found with {action}, expected one key and no more")
    opened = open_store()
    if action == "cat":
        if as_json:
            raise BadInput("--json found with cat, expected it with ls or get: cat writes the object's bytes")
        write_bytes(opened, key)
    elif action == "get":
        target, size = fetch(opened, key, file)
        said = {"key": key, "file": str(target), "size": size}
        typer.echo(json.dumps(said) if as_json else f"{target}: {format_size(size)}")
    else:
        objects = list(opened.list(key))
        if key and not objects:
            raise NotFound(f"no key in {opened.url} begins with {key!r}, expected the beginning of one: `ls` shows all")
        rows = [(info.key, info.size, 1) for info in objects] if recursive else group(objects, key)
        if as_json:
            typer.echo(json.dumps([dict(zip(("key", "size", "objects"), row, strict=True)) for row in rows]))
        else:
            for line in format_table(rows, opened.url):
                typer.echo(line)
    return {}


def fetch(opened: Store, key: str, file: Path | None) -> tuple[Path, int]:
    """Copy an object to a new file, or into a folder; returns the file and its size in bytes."""
    opened.stat(key)
    name = key.rpartition("/")[2]
    target = Path(name) if file is None else file / name if file.is_dir() else file
    if target.exists():
        raise BadInput(f"{target} exists, expected the name of a new file: give another as the last argument")
    if not target.parent.is_dir():
        raise BadInput(f"folder {target.parent} does not exist, expected it for {target.name}")
    try:
        opened.get_file(key, target)
    except PermissionError as error:
        raise BadInput(f"{target} cannot be written, expected a folder of yours: {error.strerror}") from error
    return target, target.stat().st_size


def write_bytes(opened: Store, key: str) -> None:
    """Write an object to standard output as it is; it may be larger than the memory."""
    with tempfile.TemporaryDirectory(prefix="recsys-") as folder:
        path = Path(folder) / "object"
        opened.get_file(key, path)
        with path.open("rb") as source:
            shutil.copyfileobj(source, sys.stdout.buffer)
    sys.stdout.buffer.flush()


def group(objects: Sequence[ObjectInfo], prefix: str) -> list[tuple[str, int, int]]:
    """Key, bytes and number of objects: folders below `prefix` are one row each, with a final slash."""
    rows: dict[str, tuple[int, int]] = {}
    for info in objects:
        name, slash, _ = info.key[len(prefix) :].partition("/")
        row = prefix + name + slash
        size, count = rows.get(row, (0, 0))
        rows[row] = (size + info.size, count + 1)
    return [(row, size, count) for row, (size, count) in rows.items()]


def format_table(rows: Sequence[tuple[str, int, int]], url: str) -> Iterator[str]:
    """Lines to show."""
    if not rows:
        yield f"{url} is empty."
    for key, size, count in rows:
        counted = f"  ({count} object{'s' * (count > 1)})" if key.endswith("/") else ""
        yield f"{format_size(size):>10}  {key}{counted}"
