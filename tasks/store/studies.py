"""Trials of hyperparameter searches in PostgreSQL: Optuna's own tables, in a schema separate from `rec`.

A process holds an advisory lock on its trial; PostgreSQL releases it when the process ends. So several processes can
search at once, and a trial of a killed process can be distinguished from a running one without waiting.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import cast

import psycopg2
from optuna.storages import RDBStorage
from psycopg2.extensions import connection

from tasks.store.database import CONNECT_SECONDS, Database
from tasks.store.history import metrics_dsn

SCHEMA = "optuna"


class Studies(Database):
    """Optuna's storage in the metrics database, and locks by name; a context manager."""

    def __init__(self, dsn: str | None = None) -> None:
        super().__init__(metrics_dsn(dsn))
        try:
            self.storage = self._open_storage()
        except BaseException:
            super().close()
            raise

    def _open_storage(self) -> RDBStorage:
        with self.hold_lock(SCHEMA):  # of two that make the same tables one fails
            with self._transaction() as sql:
                sql.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            # During a trial of hours a pooled connection may break, so each is tested before use.
            return RDBStorage("postgresql+psycopg2://", {"creator": self._connect, "pool_pre_ping": True})

    def _connect(self) -> connection:
        """Connect with Optuna's schema as the default; the DSN and its password are not passed to Optuna."""
        made = psycopg2.connect(self._dsn, connect_timeout=CONNECT_SECONDS)
        with made, made.cursor() as sql:
            sql.execute(f"SET search_path TO {SCHEMA}")
        return made

    def close(self) -> None:
        """Close all connections, which releases the locks."""
        self.storage.engine.dispose()
        super().close()

    @contextmanager
    def hold_lock(self, name: str) -> Iterator[None]:
        """Hold the lock `name` during the block."""
        self.lock(name)
        try:
            yield
        finally:
            self.unlock(name)

    def lock(self, name: str) -> None:
        """Wait for the lock `name` and hold it until `unlock`, or until this process or its connection ends."""
        self._row("SELECT pg_advisory_lock(%s)", _key(name))

    def unlock(self, name: str) -> None:
        """Release the lock `name`."""
        self._row("SELECT pg_advisory_unlock(%s)", _key(name))

    def is_free(self, name: str) -> bool:
        """Whether nobody else holds `name`."""
        free = cast(tuple[bool], self._row("SELECT pg_try_advisory_lock(%s)", _key(name)))[0]
        if free:
            self.unlock(name)
        return free


def _key(name: str) -> int:
    """Return the name as a signed 64-bit number, the type of PostgreSQL's lock ids."""
    return int.from_bytes(hashlib.sha256(f"{SCHEMA}/{name}".encode()).digest()[:8], "big", signed=True)
