"""A whole store as one tar archive, right also while commands write to the store and remove from it.

Files come first, then the manifests of artefacts, then pointers. A manifest is written when the archive has exactly the
files that it names: what was replaced meanwhile is read again (of two members of one name the later counts), and what
was removed meanwhile is left out, with its manifest. A version that a pointer names and that is newer than the list is
added. So each artefact in the archive is whole, and each pointer names one.
"""

from __future__ import annotations

import hashlib
import io
import json
import logging
import tarfile
import tempfile
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from tasks.errors import Corrupt, NotFound
from tasks.store.base import Store, sha256_of
from tasks.store.layout import EMBEDDINGS, MEDIA
from tasks.store.manifest import MANIFEST, Manifest
from tasks.store.pointers import POINTER

log = logging.getLogger(__name__)
TRIES = 5  # an artefact is not replaced as often while it is read
PLAIN = (f"{MEDIA}/", f"{EMBEDDINGS}/")  # no artefacts, and most of the objects


class Archive:
    """Writes a store to an archive; counts the objects, their bytes, and those that vanished since they were listed."""

    def __init__(self, store: Store, archive: tarfile.TarFile) -> None:
        self._store, self._archive = store, archive
        self._hashes: dict[str, str] = {}  # of what the archive has of artefacts, and of manifests
        self.objects = self.size = self.vanished = 0

    def write_all(self) -> None:
        """Write every object. Raises Corrupt, naming it, for an artefact that is not as its manifest says."""
        keys = [info.key for info in self._store.list("")]
        last = {MANIFEST: [key for key in keys if _name(key) == MANIFEST]}
        last[POINTER] = [key for key in keys if _name(key) == POINTER and not key.startswith(PLAIN)]
        for key in keys:
            if _name(key) not in last or key.startswith(PLAIN):
                self._copy(key)
        for key in last[MANIFEST]:
            if not key.startswith(PLAIN):
                self._write_artefact(key.removesuffix(f"/{MANIFEST}"))
        for key in last[POINTER]:
            self._write_pointer(key)

    def _copy(self, key: str) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / "object"
            try:
                self._store.get_file(key, path)
            except NotFound:
                log.info("%s was removed meanwhile", key)
                self._hashes.pop(key, None)
                self.vanished += 1
                return
            if not key.startswith(PLAIN):
                self._hashes[key] = sha256_of(path)
            with path.open("rb") as file:
                self._add(key, file, path.stat().st_size)

    def _add(self, key: str, file: IO[bytes], size: int) -> None:
        member = tarfile.TarInfo(key)  # without owner and time: it does not matter who ran the command
        member.size, member.mode = size, 0o644
        self._archive.addfile(member, file)
        self.objects, self.size = self.objects + 1, self.size + size

    def _write_artefact(self, prefix: str) -> None:
        """Write the manifest once the archive has its files; what is gone together with its manifest is left out."""
        key, wrong = f"{prefix}/{MANIFEST}", list[str]()
        for _ in range(TRIES):
            try:
                data = self._store.get(key)
            except NotFound:
                log.info("%s was removed meanwhile", prefix)
                self.vanished += 1
                return
            files = _files_of(key, data)
            wrong = [name for name, sha256 in files.items() if self._hashes.get(f"{prefix}/{name}") != sha256]
            if not wrong:
                self._hashes[key] = hashlib.sha256(data).hexdigest()
                self._add(key, io.BytesIO(data), len(data))
                return
            for name in wrong:
                self._copy(f"{prefix}/{name}")
        raise Corrupt(
            f"{prefix} has not the files that its manifest names ({', '.join(wrong)}), expected a whole artefact: "
            "write it again, or remove its manifest, with which it is no artefact any more"
        )

    def _write_pointer(self, key: str) -> None:
        """Write a pointer as it is now, after the version that it names."""
        try:
            data = self._store.get(key)
        except NotFound:
            self.vanished += 1
            return
        try:
            prefix = f"{_folder(key)}/{json.loads(data)['version']}"
        except (ValueError, KeyError, TypeError) as error:
            raise Corrupt(f"{key} is not a pointer, expected {{'version': ...}}: load the data again") from error
        if f"{prefix}/{MANIFEST}" not in self._hashes:
            for info in self._store.list(f"{prefix}/"):
                if _name(info.key) != MANIFEST:
                    self._copy(info.key)
            self._write_artefact(prefix)
        self._add(key, io.BytesIO(data), len(data))


def _files_of(key: str, data: bytes) -> dict[str, str]:
    """Name -> sha256."""
    try:
        return {name: entry.sha256 for name, entry in Manifest.model_validate_json(data).files.items()}
    except ValidationError as error:
        raise Corrupt(f"{key} is not a manifest, expected one: write {_folder(key)} again, or remove it") from error


def _folder(key: str) -> str:
    return key.rpartition("/")[0]


def _name(key: str) -> str:
    return key.rpartition("/")[2]
