"""The schema of the metrics database, with the numbered migrations in `migrations/` (yoyo)."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MIGRATIONS = Path(__file__).parent / "migrations"
TABLE = "_yoyo_migration"

logging.getLogger("yoyo").setLevel(logging.WARNING)  # it logs every statement


def names() -> list[str]:
    """Return the names of all migrations, in order."""
    return sorted(path.stem for path in MIGRATIONS.glob("*.sql") if not path.stem.endswith(".rollback"))


def migrate(dsn: str) -> list[str]:
    """Apply missing migrations under a lock; returns their names."""
    with _yoyo(dsn) as (backend, migrations), backend.lock():
        todo = backend.to_apply(migrations)
        applied = [migration.id for migration in todo]
        backend.apply_migrations(todo)
    return applied


def unmigrate(dsn: str) -> None:
    """Undo every migration; all rows are lost."""
    with _yoyo(dsn) as (backend, migrations), backend.lock():
        backend.rollback_migrations(backend.to_rollback(migrations))


@contextmanager
def _yoyo(dsn: str) -> Iterator[tuple[Any, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # yoyo 9 on Python 3.11: sqlite3 and importlib notices
        import yoyo  # noqa: PLC0415  seconds that most commands need not spend

        backend = yoyo.get_backend(dsn)
        try:
            yield backend, yoyo.read_migrations(str(MIGRATIONS))
        finally:
            backend.connection.close()
