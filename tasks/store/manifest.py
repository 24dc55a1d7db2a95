"""The manifest: every file of an artefact, and the inputs that the artefact was made from."""

from __future__ import annotations

import hashlib
import json
from datetime import datetime

from pydantic import BaseModel, ConfigDict

SCHEMA_VERSION = 1
MANIFEST = "manifest.json"


class FileEntry(BaseModel):
    """One file; dtype, shape and rows where they apply."""

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
    def content(self) -> str:
        """Hash of the names and hashes of the files: equal for two artefacts with the same bytes.

        `inputs` has it of each artefact, so that a step that is run again and gives the same changes nothing.
        """
        return _digest({name: entry.sha256 for name, entry in self.files.items()})


def _digest(value: object) -> str:
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
