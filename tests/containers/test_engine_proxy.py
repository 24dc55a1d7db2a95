"""The filter before the engine's socket: what running a task needs gets through, and nothing else does."""

from __future__ import annotations

import copy
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
            "Memory": 1 << 30,
            "MemorySwap": 1 << 30,
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


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/json"),
        ("GET", "/containers/json?all=1"),
        ("GET", "/containers/json?filters=" + quote(json.dumps({"label": ["recsys.site=other_tasks"]}))),
        ("GET", f"/containers/{OTHER}/json"),
        ("GET", f"/containers/{OURS}/archive?path=/"),
        ("GET", f"/containers/{OURS}/logs"),
        ("POST", f"/containers/{OTHER}/start"),
        ("POST", f"/containers/{OTHER}/kill"),
        ("POST", f"/containers/{OTHER}/exec"),
        ("POST", f"/containers/{OURS}/exec"),
        ("POST", f"/containers/{OURS}/update"),
        ("POST", f"/containers/{OURS}/rename?name=x"),
        ("POST", f"/containers/{OURS}/../{OTHER}/start"),
        ("POST", f"/containers/{OURS}%2f..%2f{OTHER}/start"),
        ("POST", f"//containers/{OTHER}/start"),
        ("POST", f"/v1.23/containers/{OURS}/start"),  # which takes a HostConfig when a container is started
        ("POST", f"/v1.23/v1.41/containers/{OURS}/start"),
        ("GET", "/v1.18/version"),
        ("DELETE", f"/containers/{OTHER}"),
        ("DELETE", f"/containers/{NETWORK}-"),
        ("DELETE", "/volumes/x"),
        ("GET", "/volumes"),
        ("GET", "/images/json"),
        ("GET", "/images/python:3/json"),
        ("POST", "/images/create?fromImage=evil"),
        ("POST", "/build"),
        ("POST", "/networks/create"),
        ("POST", "/volumes/create"),
        ("POST", "/swarm/init"),
        ("POST", "/plugins/pull"),
        ("PUT", f"/containers/{OURS}/archive?path=/"),
        ("GET", "/"),
    ],
)
def test_everything_else_is_refused(ask: Callable[..., int], method: str, path: str) -> None:
    """Other containers, other images, the engine's other abilities; whatever way the path is written."""
    assert ask(method, path) == 403


def host(key: str, value: object) -> Callable[[Body], None]:
    """Set a key of HostConfig."""
    return lambda body: body["HostConfig"].__setitem__(key, value)


def top(key: str, value: object) -> Callable[[Body], None]:
    """Set a key of the request."""
    return lambda body: body.__setitem__(key, value)


def without(key: str) -> Callable[[Body], None]:
    """Leave a key of HostConfig out."""
    return lambda body: body["HostConfig"].__delitem__(key)


@pytest.mark.parametrize(
    "change",
    [
        host("Privileged", True),
        host("privileged", True),  # the engine takes keys in any case
        host("Binds", ["/:/host"]),
        host("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
        host("Devices", [{"PathOnHost": "/dev/mem"}]),
        host("CapAdd", ["SYS_ADMIN"]),
        host("CapDrop", []),
        host("capDrop", []),
        host("PidMode", "host"),
        host("IpcMode", "host"),
        host("UTSMode", "host"),
        host("UsernsMode", "host"),
        host("CgroupParent", "/"),
        host("VolumesFrom", [OTHER]),
        host("Runtime", "evil"),
        host("Sysctls", {"kernel.core_pattern": "x"}),
        host("OomKillDisable", True),
        host("SecurityOpt", ["seccomp=unconfined", "no-new-privileges"]),
        host("ReadonlyRootfs", False),
        host("Memory", 0),
        host("PidsLimit", -1),
        host("NetworkMode", "host"),
        host("NetworkMode", f"container:{OTHER}"),
        host("NetworkMode", f"{PROJECT}_default"),
        host("PortBindings", {"80/tcp": [{"HostPort": "80"}]}),
        host("LogConfig", {"Type": "syslog", "Config": {}}),
        host("DeviceRequests", [{"Driver": "evil", "Count": -1}]),
        host("DeviceRequests", [{"Driver": "cdi", "DeviceIDs": ["vendor.com/disk=all"]}]),
        top("Image", "python:3"),
        top("image", "python:3"),
        top("User", "0"),
        top("Entrypoint", ["sh"]),
        top("Volumes", {"/var/run/docker.sock": {}}),
        top("Runtime", "evil"),
        top("NetworkingConfig", {"EndpointsConfig": {f"{PROJECT}_engine": {}}}),
        top("Env", ['A="quoted"']),  # a backslash in the request, with which a key could be hidden
        without("Memory"),
        without("ReadonlyRootfs"),
        without("CapDrop"),
        without("SecurityOpt"),
        without("NetworkMode"),
    ],
)
def test_a_container_with_more_rights_is_refused(
    ask: Callable[..., int], body: Body, change: Callable[[Body], None]
) -> None:
    """Each by itself, in a request that is right otherwise."""
    wrong = copy.deepcopy(body)
    change(wrong)
    assert wrong != body
    assert ask("POST", create_path(), wrong) == 403


@pytest.mark.parametrize(
    "more",
    [
        '"HostConfig": {"ReadonlyRootfs": false}',
        '"HostConfig": {}',
        '"Image": "python:3"',
        '"hostconfig": {"privileged": true}',
        '"HostConfig" : {"Binds" : ["/:/host"]}',
        '"\\u0048ostConfig": {"\\u0050rivileged": true}',
        '"HostConfig"\n:\t{"Privileged"\r\n:true}',
        '"Labels": {"a": "b"}',
    ],
)
def test_a_second_word_on_the_same_thing_is_refused(ask: Callable[..., int], body: Body, more: str) -> None:
    """The engine takes the last of several equal keys, a filter might look at the first."""
    for text in (json.dumps(body)[:-1] + ", " + more + "}", "{" + more + ", " + json.dumps(body)[1:]):
        assert ask("POST", create_path(), text) == 403


@pytest.mark.parametrize("name", ["x", OTHER, f"{NETWORK}-1", f"{OURS}x", f"x{OURS}", ""])
def test_a_container_has_to_have_a_name_of_ours(ask: Callable[..., int], body: Body, name: str) -> None:
    """By which it is watched and removed afterwards."""
    assert ask("POST", f"/v1.41/containers/create?name={name}", body) == 403


def test_rights_cannot_be_given_when_a_container_is_started(ask: Callable[..., int]) -> None:
    """Older engines took them there; nothing is sent with a start."""
    for path in (f"/containers/{OURS}/start", f"/v1.41/containers/{OURS}/start"):
        assert ask("POST", path, {"Privileged": True}) == 403
        assert ask("POST", path, "2\r\n{}\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"}) in {400, 403}


def test_a_request_that_cannot_be_seen_as_a_whole_is_refused(ask: Callable[..., int], body: Body) -> None:
    """Too long, empty, or in pieces."""
    assert ask("POST", create_path(), body | {"Env": ["A=" + "x" * 60_000]}) == 403
    assert ask("POST", create_path()) == 403
    text = json.dumps(body)
    chunked = f"{len(text):x}\r\n{text}\r\n0\r\n\r\n"
    assert ask("POST", create_path(), chunked, {"Transfer-Encoding": "chunked"}) in {400, 403}


def test_only_the_scheduler_reaches_it(site: Site) -> None:
    """Neither the other parts of Airflow nor task containers are on its network, and it has no port on the host."""
    members = docker("network", "inspect", "-f", "{{range .Containers}}{{.Name}} {{end}}", f"{PROJECT}_engine").split()
    assert sorted(members) == [f"{PROJECT}-engine-proxy-1", f"{PROJECT}-scheduler-1"]
    assert docker("port", f"{PROJECT}-engine-proxy-1") == ""
    mounts = docker("inspect", "-f", "{{range .Mounts}}{{.Source}} {{end}}", f"{PROJECT}-scheduler-1")
    assert "docker.sock" not in mounts
