"""What a manifest says: every file of an artefact, and what the artefact was made from."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"


class FileEntry(BaseModel):
    """One file; dtype, shape and rows where they mean something."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str
    size: int
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    rows: int | None = None


class Manifest(BaseModel):
    """Contents and origin of an artefact; written last, so that its existence means the artefact is complete."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: int = SCHEMA_VERSION
    prefix: str
    created_at: datetime
    code_version: str
    inputs: dict[str, str]
    parameters: dict[str, object]
    encoder: str | None = None
    seed: int | None = None
    counts: dict[str, int]
    files: dict[str, FileEntry]

    @property
    def sha256(self) -> str:
        """Of the canonical JSON of the whole manifest."""
        return _digest(self.model_dump(mode="json"))

    @property
    def content(self) -> str:
        """Of names and hashes of the files alone: equal for two artefacts that hold the same bytes."""
        return _digest({name: entry.sha256 for name, entry in self.files.items()})


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
