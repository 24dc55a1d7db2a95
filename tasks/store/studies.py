"""Trials of hyper-parameter searches in PostgreSQL: Optuna's own tables, in a schema of their own beside `rec`.

Who works on something holds an advisory lock, which PostgreSQL takes back from a process that is gone: so several may
search at once, and what a killed one left behind is told from what is under way without waiting for it.
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
            self.storage = self._opened()
        except BaseException:
            super().close()
            raise

    def _opened(self) -> RDBStorage:
        with self.locked(SCHEMA):  # of two that make the same tables one fails
            with self._transaction() as sql:
                sql.execute(f"CREATE SCHEMA IF NOT EXISTS {SCHEMA}")
            # A trial may take hours, in which a connection of the pool may break: each is tried before it is used.
            return RDBStorage("postgresql+psycopg2://", {"creator": self._connect, "pool_pre_ping": True})

    def _connect(self) -> connection:
        """A connection in which names without a schema are Optuna's; the address, and its password, stay here."""
        made = psycopg2.connect(self._dsn, connect_timeout=CONNECT_SECONDS)
        with made, made.cursor() as sql:
            sql.execute(f"SET search_path TO {SCHEMA}")
        return made

    def close(self) -> None:
        """End all connections, and with them the locks."""
        self.storage.engine.dispose()
        super().close()

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Run the block alone: whoever else wants `name` waits."""
        self.lock(name)
        try:
            yield
        finally:
            self.unlock(name)

    def lock(self, name: str) -> None:
        """Wait for `name` and hold it until `unlock`, or until this process or its connection ends."""
        self._row("SELECT pg_advisory_lock(%s)", _key(name))

    def unlock(self, name: str) -> None:
        """Let go of `name`."""
        self._row("SELECT pg_advisory_unlock(%s)", _key(name))

    def is_free(self, name: str) -> bool:
        """Whether nobody else holds `name`."""
        found = cast(tuple[bool], self._row("SELECT pg_try_advisory_lock(%s)", _key(name)))[0]
        if found:
            self.unlock(name)
        return found


def _key(name: str) -> int:
    """The name as a signed number of 64 bits, which is what PostgreSQL locks."""
    return int.from_bytes(hashlib.sha256(f"{SCHEMA}/{name}".encode()).digest()[:8], "big", signed=True)
