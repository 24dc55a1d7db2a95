"""A metrics database with thirty nights, and clients of the page with the logins of Airflow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests import control_plane
from tests.plugins.history import nights

Client = Any


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The DSN of a database with the nights, for tests that only read."""
    if not control_plane.TASKS_PYTHON.exists():
        pytest.skip(f"{control_plane.TASKS_PYTHON} does not exist: no PostgreSQL for these tests")
    with control_plane.servers(tmp_path_factory.mktemp("history")) as found:
        nights.fill(found["dsn"])
        yield found["dsn"]


@pytest.fixture(scope="session")
def airflow_app() -> Any:
    """Airflow's own API server with the plugin, its tables in a file."""
    from airflow.api_fastapi.app import create_app
    from airflow.utils.db import initdb

    initdb()
    return create_app(apps="core")


@pytest.fixture
def client(airflow_app: Any, filled: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Client]:
    """`client(role)` asks with the login of a user of that role, `client()` without one."""
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", filled)

    def make(role: str | None = None) -> Client:
        headers = {}
        if role:
            manager = airflow_app.state.auth_manager
            token = manager.generate_jwt(SimpleAuthManagerUser(username=f"a {role}", role=role))
            headers["Authorization"] = f"Bearer {token}"
        return TestClient(airflow_app, headers=headers)

    return make


@pytest.fixture
def viewer(client: Callable[..., Client]) -> Client:
    """Somebody who may read and not trigger."""
    return client("viewer")


@pytest.fixture
def ask(viewer: Client) -> Callable[..., Any]:
    """`ask("metrics", model="vbpr")`: what the page's API answers a viewer about the dataset of the nights."""

    def call(name: str, **parameters: Any) -> Any:
        answer = viewer.get(f"/recsys/api/{name}", params={"dataset": nights.DATASET} | parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return call
