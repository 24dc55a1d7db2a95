"""Bring the metrics database up to date."""

from __future__ import annotations

import logging
import os

from tasks.errors import BadInput
from tasks.store import History

log = logging.getLogger(__name__)


def migrate() -> dict[str, object]:
    """Create or update the schema of the metrics database; safe to repeat."""
    dsn = os.environ.get("RECSYS_METRICS_DSN", "")
    if not dsn:
        raise BadInput("RECSYS_METRICS_DSN is not set, expected postgresql://user:password@host:port/database")
    with History(dsn) as history:
        applied = history.migrate()
    log.info("applied %s", ", ".join(applied) if applied else "nothing: the schema is up to date")
    return {"applied": applied}
