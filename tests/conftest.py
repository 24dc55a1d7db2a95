"""Fixtures for all tests: real servers, started once and only when a test asks for them, and the data beside the checkout."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tasks.store import History, Store

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


def _beside(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{name}/ is not beside this checkout: tests on real data are left out")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real data, or a skip that says so."""
    return _beside("data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Outputs of the original AudioCLIP, or a skip that says so."""
    return _beside("reference")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """DSN of a real PostgreSQL server's `postgres` database."""
    from local.postgres import start_postgres

    with start_postgres(tmp_path_factory.mktemp("postgres")) as dsn:
        yield dsn


@pytest.fixture
def empty_dsn(postgres_server: str) -> Iterator[str]:
    """DSN of a fresh, empty database."""
    import psycopg2
    from psycopg2.extensions import make_dsn, parse_dsn

    name = f"test_{uuid.uuid4().hex[:12]}"

    def execute(statement: str) -> None:
        connection = psycopg2.connect(postgres_server)
        connection.autocommit = True
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
        finally:
            connection.close()

    execute(f"CREATE DATABASE {name}")
    parts = parse_dsn(postgres_server) | {"dbname": name}
    host, port = parts.get("host", "127.0.0.1"), parts.get("port", "5432")
    login = parts["user"] + (f":{parts['password']}" if "password" in parts else "")
    yield f"postgresql://{login}@{host}:{port}/{name}" if not host.startswith("/") else make_dsn(**parts)
    execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def metrics_dsn(empty_dsn: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """DSN of a fresh database with the metrics schema, also set as RECSYS_METRICS_DSN."""
    from tasks.store import History

    with History(empty_dsn) as history:
        history.migrate()
    monkeypatch.setenv("RECSYS_METRICS_DSN", empty_dsn)
    return empty_dsn


@pytest.fixture
def history(metrics_dsn: str) -> Iterator[History]:
    """An open metrics history on a fresh database."""
    from tasks.store import open_history

    with open_history(metrics_dsn) as opened:
        yield opened


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """RECSYS_S3_* settings of a real S3 server."""
    from local.s3 import start_s3

    with start_s3(tmp_path_factory.mktemp("s3")) as settings:
        yield settings


@pytest.fixture
def s3_store(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in a fresh bucket of a real S3 server, also set in the environment."""
    from tasks.store import open_store

    for key, value in s3_server.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setenv("RECSYS_STORE", f"s3://test-{uuid.uuid4().hex[:12]}")
    return open_store(os.environ["RECSYS_STORE"])


@pytest.fixture
def folder_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store in a fresh folder, also set in the environment."""
    from tasks.store import open_store

    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path / 'store'}")
    return open_store(os.environ["RECSYS_STORE"])
