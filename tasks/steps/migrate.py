"""Migrates the metrics database."""

from __future__ import annotations

import logging

from tasks.store import History, metrics_dsn

log = logging.getLogger(__name__)


def migrate() -> dict[str, object]:
    """Create or update the schema of the metrics database; the database must exist, and repeating is safe."""
    with History(metrics_dsn()) as history:
        applied = history.migrate()
    log.info("applied %s", ", ".join(applied) if applied else "nothing: the schema is up to date")
    return {"applied": applied}
