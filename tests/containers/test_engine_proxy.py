"""The proxy before the socket of a real engine: a task can be run, and more cannot be asked for."""

from __future__ import annotations

import http.client
import json
import uuid
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.containers.site import NETWORK, PROJECT, Site, docker

pytestmark = pytest.mark.containers
Body = dict[str, Any]
OURS = f"{NETWORK}-{'0' * 32}"
OTHER = f"{PROJECT}-postgres-1"


@pytest.fixture(scope="module")
def address(site: Site) -> str:
    """Of the proxy, on its internal network."""
    template = f'{{{{(index .NetworkSettings.Networks "{PROJECT}_engine").IPAddress}}}}'
    return docker("inspect", "-f", template, site.compose("ps", "-q", "engine-proxy").strip())


@pytest.fixture
def ask(address: str) -> Callable[..., int]:
    """The status that the proxy answers with."""

    def send(method: str, path: str, body: Body | str | None = None, headers: dict[str, str] | None = None) -> int:
        connection = http.client.HTTPConnection(address, 2375, timeout=30)
        data = json.dumps(body) if isinstance(body, dict) else body
        connection.request(method, path, data, {"Content-Type": "application/json"} | (headers or {}))
        status = connection.getresponse().status
        connection.close()
        return status

    return send


@pytest.fixture
def body(site: Site) -> Body:
    """As the launcher asks for a container (plugins/recsys/launch/docker.py, through docker-py)."""
    return {
        "Hostname": None,
        "User": None,
        "Tty": False,
        "AttachStdout": True,
        "Env": ["RECSYS_STORE=s3://recsys"],
        "Cmd": ["scan", "--run", "manual__2026-01-01T00:00:00+00:00"],
        "Image": site.settings["TASK_IMAGE"],
        "Volumes": {"/scratch": {}},
        "Entrypoint": None,
        "HostConfig": {
            "Memory": 256 << 20,
            "MemorySwap": 256 << 20,
            "ReadonlyRootfs": True,
            "NetworkMode": NETWORK,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "1"}},
            "PidsLimit": 512,
            "Init": True,
            "NanoCpus": 1_000_000_000,
        },
        "NetworkingConfig": None,
        "Labels": {"recsys.site": NETWORK, "recsys.task": "dag|run|scan|-1"},
    }


def create_path(name: str | None = None) -> str:
    """Where a container of ours is made."""
    return f"/v1.41/containers/create?name={name or f'{NETWORK}-{uuid.uuid4().hex}'}"


def test_a_task_can_be_run_watched_and_removed(ask: Callable[..., int], body: Body) -> None:
    """All that the launcher does."""
    name = f"{NETWORK}-{uuid.uuid4().hex}"
    filters = quote(json.dumps({"label": [f"recsys.site={NETWORK}"]}))
    body["Cmd"] = ["--help"]
    for method, path, given, expected in (
        ("GET", "/version", None, 200),
        ("GET", "/v1.41/info", None, 200),
        ("GET", f"/v1.41/images/{body['Image']}/json", None, 200),
        ("GET", f"/v1.41/containers/json?all=1&filters={filters}", None, 200),
        ("POST", create_path(name), body, 201),
        ("POST", f"/v1.41/containers/{name}/start", None, 204),
        ("POST", f"/v1.41/containers/{name}/wait", None, 200),
        ("GET", f"/v1.41/containers/{name}/json", None, 200),
        ("DELETE", f"/v1.41/containers/{name}?v=True&force=True", None, 204),
    ):
        assert ask(method, path, given) == expected, path


def test_what_a_task_does_not_need_is_refused(ask: Callable[..., int], body: Body) -> None:
    """tests/local/test_engine_proxy.py has all of it, without an engine."""
    for method, path in (
        ("GET", "/containers/json"),
        ("GET", f"/containers/{OTHER}/json"),
        ("POST", f"/v1.23/containers/{OURS}/start"),
        ("DELETE", f"/containers/{OTHER}"),
        ("POST", "/build"),
    ):
        assert ask(method, path) == 403
    for wrong in (
        body | {"HostConfig": body["HostConfig"] | {"Binds": ["/:/host"]}},
        body | {"HostConfig": body["HostConfig"] | {"Memory": 1 << 50, "MemorySwap": 1 << 50}},
        body | {"HostConfig": {"NetworkMode": NETWORK}},
    ):
        assert ask("POST", create_path(), wrong) == 403


def test_only_the_scheduler_reaches_it(site: Site) -> None:
    """Neither the other parts of Airflow nor task containers are on its network, and it has no port on the host."""
    members = docker("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", f"{PROJECT}_engine").split()
    assert sorted(members) == [f"{PROJECT}-engine-proxy-1", f"{PROJECT}-scheduler-1"]
    assert docker("port", f"{PROJECT}-engine-proxy-1") == ""
    mounts = docker("inspect", "-f", "{{range .Mounts}}{{.Source}} {{end}}", f"{PROJECT}-scheduler-1")
    assert "docker.sock" not in mounts
