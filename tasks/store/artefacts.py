"""Artefacts: a few files with a manifest of their hashes.

The manifest is written last and removed first, so a half-written artefact is invisible; every file is verified when it
is read.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
import shutil
import subprocess
import tempfile
import uuid
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from tasks.data.ids import compose
from tasks.errors import FULL, BadInput, Corrupt, NotFound, TaskError, one_line
from tasks.store.base import Store, sha256_of
from tasks.store.manifest import MANIFEST, FileEntry, Manifest

if TYPE_CHECKING:
    import pyarrow as pa
    import torch

log = logging.getLogger(__name__)
LARGEST_MANIFEST = 16 << 20
STAGED = ".new-"  # begins the name of a folder of files that are to replace those of an artefact


class ArtefactWriter:
    """Collects the files of an artefact in a temporary folder; the end of the block uploads them, the manifest last."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.counts: dict[str, int] = {}
        self._facts: dict[str, dict[str, Any]] = {}

    def file(self, name: str) -> Path:
        """Return the path at which to write the file `name`; it is hashed at the end of the block."""
        if not name or "/" in name or name in {".", "..", MANIFEST}:
            raise BadInput(f"file name {name!r} found in an artefact, expected a plain name other than {MANIFEST}")
        self._facts.setdefault(name, {})
        return self._folder / name

    def array(self, name: str, value: np.ndarray) -> None:
        """Write a NumPy array as .npy in C order; raises BadInput for arrays of objects."""
        if value.dtype.hasobject:
            raise BadInput(f"array {name} holds Python objects, expected numbers")
        np.save(self.file(name), np.ascontiguousarray(value), allow_pickle=False)
        self._facts[name] = {"dtype": str(value.dtype), "shape": value.shape, "rows": len(value)}

    def frame(self, name: str, value: pd.DataFrame, **options: Any) -> None:  # noqa: ANN401  pandas' own options
        """Write a table as .parquet, .csv or .inter (tab-separated), by the suffix of `name`."""
        path = self.file(name)
        if path.suffix == ".parquet":
            value.to_parquet(path, index=False, **options)
        elif path.suffix in {".csv", ".inter"}:
            value.to_csv(path, index=False, sep="\t" if path.suffix == ".inter" else ",", **options)
        else:
            raise BadInput(f"table {name} found, expected a name ending in .parquet, .csv or .inter")
        self._facts[name] = {"rows": len(value)}

    def table(self, name: str, columns: Mapping[str, np.ndarray]) -> None:
        """Write columns of numbers as a tab-separated .inter with Arrow, about twenty times faster than `frame`."""
        import pyarrow as pa  # noqa: PLC0415  few steps write millions of rows
        import pyarrow.csv as pcsv  # noqa: PLC0415

        options = pcsv.WriteOptions(delimiter="\t", quoting_style="none", quoting_header="none")
        arrow = pa.table(dict(columns))
        pcsv.write_csv(arrow, self.file(name), options)
        self._facts[name] = {"rows": arrow.num_rows}

    def stream(self, name: str, tables: Iterable[pa.Table]) -> None:
        """Write Arrow tables of one schema as the row groups of a .parquet; only one is in memory at a time."""
        import pyarrow.parquet as pq  # noqa: PLC0415

        rest = iter(tables)
        first = next(rest, None)
        if first is None:
            raise BadInput(f"table {name} has no part at all, expected at least one, if only of its columns")
        rows = first.num_rows
        with pq.ParquetWriter(self.file(name), first.schema) as writer:
            writer.write_table(first)
            for table in rest:
                writer.write_table(table)
                rows += table.num_rows
        self._facts[name] = {"rows": rows}

    def copy(self, name: str, source: Artefact, *, to: str | None = None) -> None:
        """Copy the file `name` of another artefact unchanged, after verification; `to`: its name here."""
        shutil.copyfile(source.path(name), self.file(to or name))
        self._facts[to or name] = source.manifest.files[name].model_dump(include={"dtype", "shape", "rows"})

    def json(self, name: str, value: object) -> None:
        """Write a JSON file; NaN is refused."""
        self.file(name).write_text(json.dumps(value, indent=1, allow_nan=False) + "\n", encoding="utf-8")

    def tensors(self, name: str, value: Mapping[str, torch.Tensor]) -> None:
        """Write tensors by name as .safetensors."""
        from safetensors.torch import save_file  # noqa: PLC0415  most steps need no torch

        save_file({key: tensor.detach().cpu().contiguous() for key, tensor in value.items()}, self.file(name))

    def entries(self) -> dict[str, FileEntry]:
        """Every file with its hash, in order of name."""
        files = {}
        for name in sorted(self._facts):
            path = self._folder / name
            if not path.is_file():
                raise NotFound(f"{name} was announced for the artefact and never written")
            files[name] = FileEntry(sha256=sha256_of(path), size=path.stat().st_size, **self._facts[name])
        return files


class Artefact:
    """A complete artefact; every file is checked against the manifest when it is first read."""

    def __init__(self, store: Store, prefix: str, manifest: Manifest) -> None:
        self.store = store
        self.prefix = prefix
        self.manifest = manifest
        self._paths: dict[str, Path] = {}

    def path(self, name: str) -> Path:
        """Return a local copy of the file `name`, kept until the process ends. Raises Corrupt if its hash is wrong."""
        if name not in self._paths:
            entry = self.manifest.files.get(name)
            if entry is None:
                raise NotFound(f"{self.prefix} has no file {name}, expected one of {sorted(self.manifest.files)}")
            target = Path(tempfile.mkdtemp(dir=_scratch())) / name
            self.store.get_file(f"{self.prefix}/{name}", target)
            found = sha256_of(target), target.stat().st_size
            for what, has, wanted in zip(("sha256", "bytes:"), found, (entry.sha256, entry.size), strict=True):
                if has != wanted:
                    shutil.rmtree(target.parent)
                    raise Corrupt(
                        f"{self.prefix}/{name} has {what} {has}, expected {wanted} by its manifest: write it again"
                    )
            self._paths[name] = target
        return self._paths[name]

    def verify(self, *, keep: bool = True) -> None:
        """Read every file in full: hash, size, and dtype, shape and rows where the manifest has them. Raises Corrupt.

        A file that is missing is Corrupt too: the manifest says that the artefact is complete. Without `keep` the local
        copy of each file is removed before the next is read, so that many artefacts need the space of one file.
        """
        for name, entry in self.manifest.files.items():
            try:
                path = self.path(name)
            except NotFound as error:
                raise Corrupt(
                    f"{self.prefix}/{name} is gone, expected every file of its manifest: write it again"
                ) from error
            if path.suffix == ".npy":
                self._map(name)
            elif entry.rows is not None:
                self._check_rows(name, count_rows(path))
            if not keep:
                shutil.rmtree(self._paths.pop(name).parent)

    def _check_rows(self, name: str, rows: int) -> None:
        wanted = self.manifest.files[name].rows
        if wanted is not None and rows != wanted:
            raise Corrupt(f"{self.prefix}/{name} has {rows} rows, expected {wanted} by its manifest: write it again")

    def array(self, name: str) -> np.ndarray:
        """Read a NumPy array. Raises Corrupt if its dtype or shape differs from the manifest."""
        return np.array(self._map(name))

    def _map(self, name: str) -> np.ndarray:
        path = self.path(name)
        entry = self.manifest.files[name]
        try:
            # memory-mapped, so that a header that declares more than the file holds costs no memory; accepts only .npy
            # without pickles
            value: np.ndarray = np.lib.format.open_memmap(path, mode="r")
        except ValueError as error:
            raise Corrupt(f"{self.prefix}/{name} is no .npy array of numbers: {one_line(error)}") from error
        if (str(value.dtype), value.shape) != (entry.dtype, entry.shape):
            raise Corrupt(f"{self.prefix}/{name} is {value.dtype} {value.shape}, expected {entry.dtype} {entry.shape}")
        self._check_rows(name, len(value))
        return value

    def frame(self, name: str, **options: Any) -> pd.DataFrame:  # noqa: ANN401  pandas' own options
        """Read a table written by `ArtefactWriter.frame`; `options` are passed to pandas (`dtype`, `usecols`, ...)."""
        path = self.path(name)
        if path.suffix == ".parquet":
            table: pd.DataFrame = pd.read_parquet(path, **options)
        else:
            table = pd.read_csv(path, sep="\t" if path.suffix == ".inter" else ",", **options)
        self._check_rows(name, len(table))
        return table

    def text_frame(self, name: str, **kinds: type) -> pd.DataFrame:
        """Read a table with all columns as text, except `kinds`, so that ids such as 007 and NA are unchanged.

        Ids are composed (NFC): matrices and releases of earlier versions have them as they were written.
        """
        table = self.frame(name, dtype=defaultdict(lambda: str, kinds), keep_default_na=False)
        for column in {"user_id", "item_id"} & set(table.columns):
            table[column] = [compose(one) for one in table[column]]
        return table

    def json(self, name: str) -> Any:  # noqa: ANN401  JSON is any of several types
        """Read a JSON file."""
        return json.loads(self.path(name).read_bytes())

    def tensors(self, name: str) -> dict[str, torch.Tensor]:
        """Read tensors by name."""
        from safetensors.torch import load_file  # noqa: PLC0415  most steps need no torch

        return dict(load_file(self.path(name)))


@contextmanager
def write_artefact(
    store: Store,
    prefix: str,
    *,
    inputs: Sequence[Artefact] = (),
    sources: Mapping[str, str] | None = None,
    parameters: Mapping[str, object] | None = None,
    encoder: str | None = None,
    seed: int | None = None,
) -> Iterator[ArtefactWriter]:
    """Write the artefact `prefix`, and log where it is.

    What stood there stays readable until all files are in the store: also after an exception in the block, and where
    the disk is full.

    `inputs` are the artefacts it was made from, `sources` what else it was made from (a prefix of the store -> sha256
    over what was used of it), `parameters` what decided it (JSON-able).
    """
    with tempfile.TemporaryDirectory(dir=_scratch()) as name, _room(name, prefix):
        folder = Path(name)
        writer = ArtefactWriter(folder)
        yield writer
        manifest = Manifest(
            prefix=prefix,
            created_at=datetime.now(UTC),
            code_version=code_version(),
            inputs={artefact.prefix: artefact.manifest.content for artefact in inputs} | dict(sources or {}),
            parameters=dict(parameters or {}),
            encoder=encoder,
            seed=seed,
            counts=writer.counts,
            files=writer.entries(),
        )
        _upload(store, prefix, folder, manifest)
        log.info("written to %s/%s: %s", store.url, prefix, ", ".join(manifest.files))


def _upload(store: Store, prefix: str, folder: Path, manifest: Manifest) -> None:
    """Upload the files and then the manifest. An artefact that is there stays until all files are in the store."""
    staged = f"{prefix}/{STAGED}{uuid.uuid4().hex}" if has_artefact(store, prefix) else prefix
    uploaded: list[str] = []
    try:
        for file in manifest.files:
            uploaded.append(f"{staged}/{file}")
            store.put_file(uploaded[-1], folder / file)
    except BaseException:
        if staged != prefix:
            for key in uploaded:
                with suppress(TaskError):  # the first error says what is wrong
                    store.delete(key)
        raise
    store.delete(f"{prefix}/{MANIFEST}")  # a half-written retry must not have the old manifest
    if staged != prefix:
        for file in manifest.files:
            store.move(f"{staged}/{file}", f"{prefix}/{file}")
    store.put(f"{prefix}/{MANIFEST}", manifest.model_dump_json(indent=1).encode())


@contextmanager
def _room(folder: str, prefix: str) -> Iterator[None]:
    """Say where it was if a disk was full while the files of an artefact were made."""
    try:
        yield
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise TaskError(
            f"{Path(folder).parent} has no space left for the files of {prefix}, expected some: free it there, "
            "or set TMPDIR to another folder"
        ) from error


def has_artefact(store: Store, prefix: str) -> bool:
    """Whether there is a complete artefact under `prefix`."""
    try:
        store.stat(f"{prefix}/{MANIFEST}")
    except NotFound:
        return False
    return True


def read_artefact(store: Store, prefix: str) -> Artefact:
    """Open the artefact under `prefix`. Raises NotFound if there is no complete one, Corrupt for a bad manifest."""
    try:
        data = store.get(f"{prefix}/{MANIFEST}", limit=LARGEST_MANIFEST)
    except NotFound as error:
        step = prefix.rpartition("/")[2]
        raise NotFound(
            f"{prefix} is not in {store.url} or not complete, expected the step that makes it ({step}) to have ended"
        ) from error
    try:
        manifest = Manifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors()[0]
        raise Corrupt(f"{prefix}/{MANIFEST} is not a manifest: {first['loc']} {first['msg']}") from error
    if manifest.prefix != prefix:
        raise Corrupt(f"{prefix}/{MANIFEST} is that of {manifest.prefix}, expected its own: write {prefix} again")
    return Artefact(store, prefix, manifest)


def count_rows(path: Path) -> int:
    """The rows of a table as `ArtefactWriter` writes it: .parquet, .csv or .inter."""
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq  # noqa: PLC0415

        return int(pq.read_metadata(path).num_rows)
    table = pd.read_csv(path, sep="\t" if path.suffix == ".inter" else ",", dtype=str, keep_default_na=False)
    return len(table)


def code_version() -> str:
    """Return RECSYS_CODE_VERSION, else the commit of the checkout, else the package's version."""
    return os.environ.get("RECSYS_CODE_VERSION") or _commit() or _package()


@cache
def _commit() -> str | None:
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists() or shutil.which("git") is None:
        return None
    done = subprocess.run(["git", "-C", str(root), "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    return done.stdout.strip() or None


def _package() -> str:
    try:
        return metadata.version("audioclip4rec")
    except metadata.PackageNotFoundError:
        return "unknown"


@cache
def _scratch() -> Path:
    """Return a folder for downloads that is removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="recsys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder
