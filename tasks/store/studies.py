"""Trials of hyperparameter searches in PostgreSQL: Optuna's own tables, in a schema separate from `rec`.

A process holds an advisory lock on its trial; PostgreSQL releases it when the process ends. So several processes can
search at once, and a trial of a killed process can be distinguished from a running one without waiting.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self, cast

import psycopg2
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from psycopg2.extensions import connection

from tasks.store.database import CONNECT_SECONDS, Database, lock_key
from tasks.store.history import DSN, metrics_dsn, without_database

log = logging.getLogger(__name__)
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
        self._row("SELECT pg_advisory_lock(%s)", lock_key(f"{SCHEMA}/{name}"))

    def unlock(self, name: str) -> None:
        """Release the lock `name`."""
        self._row("SELECT pg_advisory_unlock(%s)", lock_key(f"{SCHEMA}/{name}"))

    def is_free(self, name: str) -> bool:
        """Whether nobody else holds `name`."""
        free = cast(tuple[bool], self._row("SELECT pg_try_advisory_lock(%s)", lock_key(f"{SCHEMA}/{name}")))[0]
        if free:
            self.unlock(name)
        return free


class LocalStudies:
    """Studies of this process alone, for RECSYS_METRICS_DSN=none: its trials are in the artefact of the search only.

    There is no other process that could hold a lock.
    """

    def __init__(self) -> None:
        self.storage: BaseStorage = InMemoryStorage()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    @contextmanager
    def hold_lock(self, name: str) -> Iterator[None]:
        """The lock is free."""
        yield

    def lock(self, name: str) -> None:
        """It is free."""

    def unlock(self, name: str) -> None:
        """It was not held."""

    def is_free(self, name: str) -> bool:
        """Whether nobody else holds `name`."""
        return True


def open_studies() -> Studies | LocalStudies:
    """Open the studies in the metrics database, or those of this process where there is none by intention."""
    if without_database():
        log.info("%s is none: the trials are in the artefact alone, and the same command begins anew", DSN)
        return LocalStudies()
    return Studies()
