"""A store in a local folder, with the same behaviour as S3.

A link within the folder is followed; one that leads out of it is refused, for reading, writing, listing and removing. A
link that is planted between that check and the access is not seen: whoever can plant one there can write the store.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from tasks.errors import FULL, BadInput, NotFound, TaskError
from tasks.store.base import ObjectInfo, require_key, require_size

TEMPORARY = ".writing-"


class FolderStore:
    """Objects are files below `root`; each is written to a temporary file that is renamed when complete."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.url = f"file://{self.root}"
        self._start = f"{str(self.root).rstrip('/')}/"  # of the path of each object

    def put(self, key: str, data: bytes) -> None:
        """Write `data` under `key`."""
        self._write(key, lambda file: file.write(data))

    def put_file(self, key: str, path: Path) -> None:
        """Write the file's content under `key`."""
        with path.open("rb") as source:
            self._write(key, lambda file: shutil.copyfileobj(source, file))

    def replace(self, key: str, old: bytes, new: bytes) -> bool:
        """Write `new` under `key` if its bytes are still `old`; a lock on the folder keeps other calls out."""
        self.stat(key)
        folder = os.open(self._path(key).parent, os.O_RDONLY)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # ends with the descriptor, also when the process is killed
            same = self.get(key) == old
            if same:
                self.put(key, new)
            return same
        finally:
            os.close(folder)

    def get(self, key: str, *, limit: int | None = None) -> bytes:
        """Bytes of `key`."""
        require_size(self.stat(key), limit)
        return self._path(key).read_bytes()

    def get_file(self, key: str, path: Path) -> None:
        """Write the bytes of `key` to `path`."""
        self.stat(key)
        shutil.copyfile(self._path(key), path)

    def stat(self, key: str) -> ObjectInfo:
        """Return size and etag of `key`; the etag consists of size and modification time."""
        path = self._path(key)
        if not path.is_file():
            raise NotFound(f"{key} is not in {self.url}, expected an object of that name")
        return self._info(str(path), path.stat())

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        """List all objects whose key starts with `prefix`."""
        folder = self._path(prefix.rpartition("/")[0]) if "/" in prefix else self.root
        infos = sorted(self._infos(folder), key=lambda info: info.key)
        return (info for info in infos if info.key.startswith(prefix))

    def copy(self, source: str, target: str) -> None:
        """Copy an object."""
        self.stat(source)
        self.put_file(target, self._path(source))

    def move(self, source: str, target: str) -> None:
        """Rename an object; this needs no space."""
        self.stat(source)
        path = self._path(target)
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path(source).replace(path)

    def delete(self, key: str) -> None:
        """Remove `key`."""
        self._path(key).unlink(missing_ok=True)

    def list_unfinished(self) -> Iterator[str]:
        """List the temporary files."""
        return (path.relative_to(self.root).as_posix() for path in sorted(self.root.rglob(f"{TEMPORARY}*")))

    def drop_unfinished(self, name: str) -> None:
        """Remove a temporary file. Raises BadInput for another one."""
        if not name.rpartition("/")[2].startswith(TEMPORARY):
            raise BadInput(f"{name} is not a temporary file, expected one whose name begins with {TEMPORARY}")
        self._path(name).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self._require_inside(self.root / require_key(key))

    def _require_inside(self, path: Path) -> Path:
        """`path` if no link in it leads out of the folder; BadInput naming where it leads."""
        target = Path(os.path.realpath(path))  # resolve() raises for a link to itself, which leads nowhere
        if not target.is_relative_to(self.root):
            raise BadInput(f"{path} is a link that leads to {target}, expected one that stays within {self.url}")
        return path

    def _info(self, path: str, stat: os.stat_result) -> ObjectInfo:
        key = path[len(self._start) :]
        modified = datetime.fromtimestamp(stat.st_mtime, UTC)
        return ObjectInfo(key=key, size=stat.st_size, etag=f"{stat.st_mtime_ns}-{stat.st_size}", modified=modified)

    def _infos(self, folder: Path) -> Iterator[ObjectInfo]:
        """The files below a folder; what is deleted meanwhile is passed over. `scandir` is eight times a `rglob`."""
        folders = [str(folder)]
        while folders:
            try:
                entries = list(os.scandir(folders.pop()))
            except (FileNotFoundError, NotADirectoryError):
                continue
            for entry in entries:
                if entry.name.startswith(TEMPORARY):
                    continue
                try:
                    if entry.is_symlink():
                        self._require_inside(Path(entry.path))
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.path)
                    elif entry.is_file():
                        yield self._info(entry.path, entry.stat())
                except FileNotFoundError:
                    continue

    def _write(self, key: str, write: Callable[[IO[bytes]], object]) -> None:
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(TEMPORARY + uuid.uuid4().hex)
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException as error:
            temporary.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.errno in FULL:
                raise TaskError(
                    f"{self.url} has no space left for {key}, expected some: free it there and run the step again"
                ) from error
            raise
