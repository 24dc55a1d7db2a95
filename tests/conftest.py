"""Fixtures for all tests: real servers, started once if needed, and the data beside the checkout."""

from __future__ import annotations

import importlib.util
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from tasks.store import History, Store

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"

# Read when NumPy or torch is first imported. Tests compute little, so two threads would mostly wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

if importlib.util.find_spec("hypothesis"):  # not in Airflow's environment
    import hypothesis

    hypothesis.settings.register_profile(
        "project", deadline=None, max_examples=50
    )  # a busy machine must not fail tests
    hypothesis.settings.load_profile("project")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: some contain a time, and test names must be equal in every process."""
    return argname if isinstance(val, bytes) else None


def _beside(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{name}/ is not beside this checkout: tests on real data are skipped")
    return folder


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data; skips the test without it."""
    return _beside("data")


@pytest.fixture(scope="session")
def shared_reference() -> Path:
    """Return the outputs of the original AudioCLIP; skips the test without them."""
    return _beside("reference")


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the DSN of database `postgres` of a real PostgreSQL server."""
    from local.postgres import start_postgres

    with start_postgres(tmp_path_factory.mktemp("postgres")) as dsn:
        yield dsn


def _database(server: str, name: str) -> str:
    """Return the DSN of another database of the server."""
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def _execute(server: str, statement: str) -> None:
    import psycopg2

    connection = psycopg2.connect(server)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@contextmanager
def _fresh(server: str, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    _execute(server, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _database(server, name)
    _execute(server, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def empty_dsn(postgres_server: str) -> Iterator[str]:
    """Return the DSN of a new, empty database."""
    with _fresh(postgres_server, "template1") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def migrated(postgres_server: str) -> str:
    """Return the name of a template with the metrics schema: a copy takes a tenth of the time of a migration."""
    from tasks.store import History

    _execute(postgres_server, "CREATE DATABASE migrated")
    with History(_database(postgres_server, "migrated")) as history:
        history.migrate()
    return "migrated"


@pytest.fixture
def metrics_dsn(postgres_server: str, migrated: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Return the DSN of a new database with the metrics schema; also sets RECSYS_METRICS_DSN."""
    with _fresh(postgres_server, migrated) as dsn:
        monkeypatch.setenv("RECSYS_METRICS_DSN", dsn)
        yield dsn


@pytest.fixture
def history(metrics_dsn: str) -> Iterator[History]:
    """Return an open metrics history on a new database."""
    from tasks.store import open_history

    with open_history(metrics_dsn) as opened:
        yield opened


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Return the RECSYS_S3_* settings of a real S3 server."""
    from local.s3 import start_s3

    with start_s3(tmp_path_factory.mktemp("s3")) as settings:
        yield settings


@pytest.fixture(scope="session")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the endpoint of a server with MinIO's own users and policies."""
    from tests.minio_server import start_minio

    with start_minio(tmp_path_factory.mktemp("minio")) as endpoint:
        yield endpoint


@pytest.fixture
def s3_store(s3_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """Return a store in a new bucket of a real S3 server; also sets the environment.

    The bucket is removed afterwards: each takes one of the server's volumes, of which it has as many as its disk has
    free GiB, and without one it answers each write with an error.
    """
    from minio import Minio

    from tasks.store import open_store

    for key, value in s3_server.items():
        monkeypatch.setenv(key, value)
    bucket = f"test-{uuid.uuid4().hex[:12]}"
    monkeypatch.setenv("RECSYS_STORE", f"s3://{bucket}")
    yield open_store(os.environ["RECSYS_STORE"])
    endpoint, access, secret = (s3_server[f"RECSYS_S3_{name}"] for name in ("ENDPOINT", "ACCESS_KEY", "SECRET_KEY"))
    Minio(endpoint, access_key=access, secret_key=secret, secure=False, region="us-east-1").remove_bucket(bucket)


@pytest.fixture
def folder_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """Return a store in a new folder; also sets the environment."""
    from tasks.store import open_store

    monkeypatch.setenv("RECSYS_STORE", f"file://{tmp_path / 'store'}")
    return open_store(os.environ["RECSYS_STORE"])
