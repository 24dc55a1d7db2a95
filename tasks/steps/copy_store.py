"""Exports the whole store as one tar archive to standard output, and imports it from standard input."""

from __future__ import annotations

import logging
import sys
import tarfile
import tempfile
from pathlib import Path

from tasks.errors import Corrupt
from tasks.store import open_store
from tasks.store.base import require_key

log = logging.getLogger(__name__)


def export_store() -> dict[str, object]:
    """Write every object of the store to standard output as a tar archive, for backups or to move to another store."""
    store, count, size = open_store(), 0, 0
    with tempfile.TemporaryDirectory() as scratch, tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as archive:
        for info in store.list(""):
            path = Path(scratch) / "object"
            store.get_file(info.key, path)
            archive.add(path, arcname=info.key, filter=_plain)
            count, size = count + 1, size + info.size
    log.info("%d objects, %.1f MiB written", count, size / 2**20)
    return {"objects": count, "bytes": size}


def import_store() -> dict[str, object]:
    """Read a tar archive of export-store from standard input into the store; other objects of the store stay."""
    store, count = open_store(), 0
    try:
        with tempfile.TemporaryDirectory() as scratch, tarfile.open(fileobj=sys.stdin.buffer, mode="r|") as archive:
            for member in archive:
                source = archive.extractfile(member) if member.isreg() else None
                if source is None:
                    raise Corrupt(f"{member.name} in the archive is not a plain file, expected what export-store wrote")
                path = Path(scratch) / "object"
                with path.open("wb") as target:
                    while chunk := source.read(1 << 20):
                        target.write(chunk)
                store.put_file(require_key(member.name), path)
                count += 1
    except tarfile.TarError as error:
        raise Corrupt(f"standard input cannot be read as an archive of export-store: {error}") from error
    log.info("%d objects read", count)
    return {"objects": count}


def _plain(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Remove the owner: it does not matter who ran the command."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    member.mode = 0o644
    return member
