"""Exports the whole store as one tar archive to standard output, and imports it from standard input."""

from __future__ import annotations

import logging
import sys
import tarfile
import tempfile
from pathlib import Path

from tasks.errors import Corrupt
from tasks.store import format_size, open_store
from tasks.store.archive import Archive
from tasks.store.base import require_key

log = logging.getLogger(__name__)


def export_store() -> dict[str, object]:
    """Write every object of the store to standard output as a tar archive, for backups or to move to another store.

    Other commands may write and remove meanwhile: each artefact in the archive is whole, and what was removed since the
    command began is left out.
    """
    with tarfile.open(fileobj=sys.stdout.buffer, mode="w|") as tar:
        archive = Archive(open_store(), tar)
        archive.write_all()
    log.info("%d objects, %s written; %d vanished", archive.objects, format_size(archive.size), archive.vanished)
    return {"objects": archive.objects, "bytes": archive.size, "vanished": archive.vanished}


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
