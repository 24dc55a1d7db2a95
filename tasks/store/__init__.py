"""Storage: artefacts in S3 or a folder, and the metrics history in PostgreSQL."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tasks.errors import BadInput
from tasks.store.artefacts import Artefact, ArtefactWriter, has_artefact, read_artefact, write_artefact
from tasks.store.base import ObjectInfo, Store, format_size, sha256_of
from tasks.store.champion import Answer, Champion, Decision, Promotion, Published
from tasks.store.comparisons import TrialRow
from tasks.store.folder import FolderStore
from tasks.store.history import DSN, History, metrics_dsn, open_history, without_database
from tasks.store.layout import release_prefix
from tasks.store.manifest import FileEntry, Manifest
from tasks.store.records import NoRecords, open_records
from tasks.store.settings import flag, require_setting
from tasks.store.values import MetricValue, SegmentValue

__all__ = [
    "DSN",
    "Answer",
    "Artefact",
    "ArtefactWriter",
    "Champion",
    "Decision",
    "FileEntry",
    "FolderStore",
    "History",
    "Manifest",
    "MetricValue",
    "NoRecords",
    "ObjectInfo",
    "Promotion",
    "Published",
    "SegmentValue",
    "Store",
    "TrialRow",
    "flag",
    "format_size",
    "has_artefact",
    "metrics_dsn",
    "open_history",
    "open_records",
    "open_store",
    "read_artefact",
    "release_prefix",
    "require_setting",
    "sha256_of",
    "without_database",
    "write_artefact",
]


def open_store(url: str | None = None) -> Store:
    """Open the store at `url`, or at RECSYS_STORE: `s3://bucket` (with RECSYS_S3_*) or `file:///folder`."""
    url = url or os.environ.get("RECSYS_STORE", "")
    if not url:
        raise BadInput(
            "RECSYS_STORE is not set, expected s3://bucket or file:///folder "
            "(`source .local/env` sets it for the local stack)"
        )
    parts = urlsplit(url)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return FolderStore(Path(unquote(parts.path)))
    if parts.scheme == "s3" and parts.netloc and parts.path in {"", "/"}:
        from tasks.store.s3 import open_bucket  # noqa: PLC0415  its client takes longer to import than all else here

        return open_bucket(parts.netloc)
    raise BadInput(f"store {url!r} found, expected s3://bucket or file:///folder")
