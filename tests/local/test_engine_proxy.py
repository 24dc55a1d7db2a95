"""The proxy before a stand-in for the engine: what running a task needs gets through, and nothing else does."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.engine import CPUS, IMAGE, MEMORY, NETWORK, Engine, engine_behind_proxy, listing

pytestmark = pytest.mark.slow
Body = dict[str, Any]
Change = Callable[[Body], None]
OURS = f"{NETWORK}-{'0' * 32}"
OTHER = "audioclip4rec-postgres-1"
CREATE = f"/v1.41/containers/create?name={OURS}"
BODY: Body = {  # as docker-py writes what plugins/recsys/launch/docker.py asks for
    "Hostname": None,
    "User": None,
    "Tty": False,
    "OpenStdin": False,
    "AttachStdout": True,
    "Env": ["RECSYS_STORE=s3://recsys", 'A="quoted" \\ ü\n'],
    "Cmd": ["scan", "--run", "manual__2026-01-01T00:00:00+00:00"],
    "Image": IMAGE,
    "Volumes": {"/scratch": {}},
    "NetworkDisabled": False,
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
WITH_CDI = {"Driver": "cdi", "Count": 0, "DeviceIDs": ["nvidia.com/gpu=all"], "Capabilities": [], "Options": {}}
WITH_RUNTIME = {"Driver": "", "Count": -1, "DeviceIDs": [], "Capabilities": [["gpu"]], "Options": {}}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """Both, for all tests."""
    with engine_behind_proxy(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


@pytest.fixture
def engine(running: Engine) -> Engine:
    """The stand-in, which was asked nothing yet."""
    running.asked.clear()
    return running


def refuses(engine: Engine, method: str, path: str, body: object = None, headers: dict[str, str] | None = None) -> bool:
    """Whether the answer is 403 and nothing reached the engine."""
    status = engine.send(method, path, body, headers)
    return (status, engine.asked) == (403, [])


@pytest.mark.parametrize(
    ("method", "path", "passed"),
    [
        ("GET", "/_ping", "/_ping"),
        ("GET", "/version", "/version"),
        ("GET", "/v1.41/info", "/v1.41/info"),
        ("GET", f"/v1.41/images/{IMAGE}/json", f"/v1.41/images/{IMAGE}/json"),
        ("POST", f"/v1.41/containers/{OURS}/start", f"/v1.41/containers/{OURS}/start"),
        ("POST", f"/v1.41/containers/{OURS}/wait", f"/v1.41/containers/{OURS}/wait"),
        ("GET", f"/v1.41/containers/{OURS}/json", f"/v1.41/containers/{OURS}/json"),
        ("DELETE", f"/containers/{OURS}?v=True&link=False&force=True", f"/containers/{OURS}?v=1&force=1"),
    ],
)
def test_a_task_can_be_run_watched_and_removed(engine: Engine, method: str, path: str, passed: str) -> None:
    """All that the launcher does, but for what is below."""
    assert engine.send(method, path) == 200
    assert engine.asked == [(method, passed, b"")]


def test_our_containers_can_be_listed(engine: Engine) -> None:
    """By their label alone."""
    assert engine.send("GET", listing()) == 200
    ((_, path, _),) = engine.asked
    filters = urlencode({"filters": json.dumps({"label": [f"recsys.site={NETWORK}"]})})
    assert path == f"/v1.41/containers/json?all=1&{filters}"


@pytest.mark.parametrize("devices", [None, [WITH_CDI], [WITH_RUNTIME]])
def test_a_container_is_created_as_it_was_asked_for(engine: Engine, devices: object) -> None:
    """The values are the same; the text is written anew, without keys that are not set."""
    asked = copy.deepcopy(BODY)
    asked["HostConfig"]["DeviceRequests"] = devices
    spaced = json.dumps(asked, indent=3).replace('"HostConfig"', '"Host\\u0043onfig"')
    assert engine.send("POST", CREATE, spaced) == 200
    ((method, path, body),) = engine.asked
    assert (method, path) == ("POST", CREATE)
    built = json.loads(body)
    if devices is None:
        del asked["HostConfig"]["DeviceRequests"]
    assert built == asked
    assert b"u0043" not in body


def test_the_log_of_a_task_comes_as_a_stream(engine: Engine) -> None:
    """With the upgrade of the connection that docker-py asks for."""
    engine.started.set()
    request = f"POST /v1.41/containers/{OURS}/attach?stdout=1&stderr=1&stream=1 HTTP/1.1\r\nHost: x\r\n"
    said = engine.send_raw(f"{request}Connection: Upgrade\r\nUpgrade: tcp\r\nContent-Length: 0\r\n\r\n".encode())
    assert said.startswith(b"HTTP/1.1 101 UPGRADED")
    assert said.endswith(b'\x01\0\0\0\0\0\0\x0c{"done": 1}\n\x02\0\0\0\0\0\0\x0ba sentence\n')
    assert engine.asked[0][1].endswith("/attach?logs=0&stream=1&stdout=1&stderr=1")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/containers/json"),
        ("GET", "/containers/json?all=1"),
        ("GET", listing("other_tasks")),
        ("GET", listing() + "&filters=%7B%7D"),
        ("GET", listing() + "&filters%00=x"),
        ("GET", f"/containers/{OTHER}/json"),
        ("GET", f"/containers/{OURS}/archive?path=/"),
        ("GET", f"/containers/{OURS}/logs"),
        ("GET", f"/containers/{OURS}/json?size=1"),
        ("POST", f"/containers/{OTHER}/start"),
        ("POST", f"/containers/{OTHER}/kill"),
        ("POST", f"/containers/{OTHER}/exec"),
        ("POST", f"/containers/{OURS}/exec"),
        ("POST", f"/containers/{OURS}/update"),
        ("POST", f"/containers/{OURS}/rename?name=x"),
        ("POST", f"/containers/{OURS}/attach?stdin=1"),
        ("POST", f"/containers/{OURS}/../{OTHER}/start"),
        ("POST", f"/containers/{OURS}%2f..%2f{OTHER}/start"),
        ("POST", f"/containers/{OURS}/start#"),
        ("POST", f"/v1.23/containers/{OURS}/start"),  # which takes a HostConfig when a container is started
        ("POST", f"/v1.23/v1.41/containers/{OURS}/start"),
        ("POST", f"/v1.41/v1.23/containers/{OURS}/start"),
        ("GET", "/v1.18/version"),
        ("HEAD", "/images/json"),
        ("DELETE", f"/containers/{OTHER}"),
        ("DELETE", f"/containers/{NETWORK}-"),
        ("DELETE", f"/containers/{OURS}?link=1"),
        ("DELETE", "/volumes/x"),
        ("GET", "/volumes"),
        ("GET", "/images/json"),
        ("GET", "/images/python:3/json"),
        ("POST", "/images/create?fromImage=evil"),
        ("POST", "/build"),
        ("POST", "/networks/create"),
        ("POST", "/volumes/create"),
        ("POST", "/swarm/init"),
        ("PUT", f"/containers/{OURS}/archive?path=/"),
        ("GET", "/"),
    ],
)
def test_everything_else_is_refused(engine: Engine, method: str, path: str) -> None:
    """Other containers, other images, the engine's other abilities; whatever way the path is written."""
    assert refuses(engine, method, path)


def host(key: str, value: object) -> Change:
    """Set a key of HostConfig."""
    return lambda body: body["HostConfig"].__setitem__(key, value)


def top(key: str, value: object) -> Change:
    """Set a key of the request."""
    return lambda body: body.__setitem__(key, value)


def both(value: object) -> Change:
    """Set the limit of memory and that of memory and swap."""
    return lambda body: body["HostConfig"].update(Memory=value, MemorySwap=value)


def outside(key: str, into: str | None = None) -> Change:
    """Say a right at the top, or in another part of the request, where the engine does not look."""

    def change(body: Body) -> None:
        target = body if into is None else body.setdefault(into, {})
        target[key] = body["HostConfig"].pop(key)

    return change


def without(key: str) -> Change:
    """Leave a key of HostConfig out."""
    return lambda body: body["HostConfig"].__delitem__(key)


RIGHTS = sorted(set(BODY["HostConfig"]) - {"Init"})
WRONG = {
    "Privileged": [True],
    "privileged": [True],  # the engine takes keys in any case
    "Binds": [["/:/host"], []],
    "Mounts": [[{"Type": "bind", "Source": "/", "Target": "/host"}]],
    "Devices": [[{"PathOnHost": "/dev/mem"}]],
    "CapAdd": [["SYS_ADMIN"]],
    "CapDrop": [[], ["NET_RAW"], ["ALL", "NET_RAW"], "ALL", None],
    "capDrop": [[]],
    "PidMode": ["host"],
    "IpcMode": ["host"],
    "UTSMode": ["host"],
    "UsernsMode": ["host"],
    "CgroupParent": ["/"],
    "VolumesFrom": [[OTHER]],
    "Runtime": ["evil"],
    "Sysctls": [{"kernel.core_pattern": "x"}],
    "OomKillDisable": [True],
    "SecurityOpt": [["seccomp=unconfined", "no-new-privileges"], []],
    "ReadonlyRootfs": [False, 1, "true"],
    "Init": [False],
    "PidsLimit": [-1, 0, 513, 1.5, "512", True, None, 10**30],
    "NanoCpus": [0, -1, int(CPUS * 1e9) + 1, 1e9, None],
    "NetworkMode": ["host", f"container:{OTHER}", "audioclip4rec_default", None],
    "PortBindings": [{"80/tcp": [{"HostPort": "80"}]}],
    "LogConfig": [
        {"Type": "syslog", "Config": {}},
        {"Type": "json-file", "Config": {"max-size": "10t", "max-file": "1"}},
    ],
    "DeviceRequests": [
        [{"Driver": "evil", "Count": -1}],
        [WITH_CDI | {"DeviceIDs": ["vendor.com/disk=all"]}],
        [WITH_CDI, WITH_RUNTIME],
        [WITH_RUNTIME | {"Capabilities": [["gpu", "compute"]]}],
    ],
}
CHANGES = {
    **{f"HostConfig.{key} {value!r}": host(key, value) for key, values in WRONG.items() for value in values},
    **{f"without {key}": without(key) for key in RIGHTS},
    **{f"{key} at the top": outside(key) for key in RIGHTS},
    **{f"{key} in Labels": outside(key, "Labels") for key in RIGHTS},
    **{f"memory {value}": both(value) for value in (0, 1, -1, MEMORY + 1, 1 << 50, 2.0**30, True)},
    "other swap": host("MemorySwap", 2 << 30),
    "swap without end": host("MemorySwap", -1),
    **{
        f"{key} {value}": top(key, value)
        for key, value in (
            ("Image", "python:3"),
            ("image", "python:3"),
            ("User", "0"),
            ("User", ""),
            ("Entrypoint", ["sh"]),
            ("Volumes", {"/var/run/docker.sock": {}}),
            ("Volumes", {"/scratch": {}, "/x": {}}),
            ("Runtime", "evil"),
            ("NetworkingConfig", {"EndpointsConfig": {"audioclip4rec_engine": {}}}),
            ("Tty", True),
            ("OpenStdin", True),
            ("AttachStdin", 0),
            ("Cmd", "sh"),
            ("Cmd", ["a\0b"]),
            ("Env", ["NO_VALUE"]),
            ("Env", ["=x"]),
            ("Env", ["A=\0"]),
            ("Env", ["A=\ud800"]),
            ("Labels", {"recsys.site": "other_tasks", "recsys.task": ""}),
            ("Labels", {"recsys.site": NETWORK}),
            ("Labels", {"recsys.site": NETWORK, "recsys.task": "", "com.docker.compose.project": "x"}),
            ("HostConfig", None),
            ("HostConfig", []),
            ("Unknown", None),
        )
    },
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=[name.encode("ascii", "replace").decode() for name in CHANGES])
def test_a_container_with_more_rights_is_refused(engine: Engine, change: Change) -> None:
    """Each by itself, in a request that is right otherwise."""
    wrong = copy.deepcopy(BODY)
    change(wrong)
    assert json.dumps(wrong) != json.dumps(BODY)
    assert refuses(engine, "POST", CREATE, wrong)


@pytest.mark.parametrize(
    "more",
    [
        '"HostConfig": {"ReadonlyRootfs": false}',
        '"HostConfig": {}',
        '"Image": "python:3"',
        f'"Image": "{IMAGE}"',
        '"hostconfig": {"privileged": true}',
        '"HOSTCONFIG": null',
        '"Ho\\u017ftConfig": {"Privileged": true}',
        '"HostConfig" : {"Binds" : ["/:/host"]}',
        '"\\u0048ostConfig": {"\\u0050rivileged": true}',
        '"HostConfig"\n:\t{"Privileged"\r\n:true}',
        '"Labels": {"a": "b"}',
        '"Cmd\\u0000": []',
    ],
)
def test_a_second_word_on_the_same_thing_is_refused(engine: Engine, more: str) -> None:
    """The engine takes the last of several equal keys, a filter might look at the first."""
    text = json.dumps(BODY)
    inner = text.replace('"Memory"', more + ', "Memory"', 1)
    for wrong in (text[:-1] + ", " + more + "}", "{" + more + ", " + text[1:], inner):
        assert refuses(engine, "POST", CREATE, wrong)


@pytest.mark.parametrize("key", ["Memory", "CapDrop", "PidsLimit", "Init"])
def test_a_key_that_stands_twice_in_host_config_is_refused(engine: Engine, key: str) -> None:
    """With the same value, in any case."""
    for other in (key, key.upper(), key.lower()):
        second = f'"{other}": {json.dumps(BODY["HostConfig"][key])}, "ReadonlyRootfs"'
        assert refuses(engine, "POST", CREATE, json.dumps(BODY).replace('"ReadonlyRootfs"', second, 1))


@pytest.mark.parametrize(
    "text",
    [
        json.dumps(BODY).replace('"HostConfig": {', '"HostConfig": {\0"Binds": ["/:/h"], '),
        json.dumps(BODY) + '\0{"HostConfig": {"Privileged": true}}',
        json.dumps(BODY) + json.dumps(BODY),
        "\ufeff" + json.dumps(BODY),
        json.dumps(BODY).replace("1073741824", "NaN"),
        json.dumps(BODY).replace("512", "9" * 5000),
        "[" * 50_000,
        f"[{json.dumps(BODY)}]",
        "null",
        json.dumps(BODY).replace("scan", "sc\udcff"),
        "",
    ],
    ids=["NUL", "NUL behind", "two", "mark", "NaN", "digits", "depth", "list", "null", "no UTF-8", "empty"],
)
def test_a_body_that_is_not_one_plain_object_is_refused(engine: Engine, text: str) -> None:
    """What stands behind a NUL is seen, and bytes that are not UTF-8 are not replaced."""
    assert refuses(engine, "POST", CREATE, text.encode("utf-8", "surrogateescape"))


@pytest.mark.parametrize(
    "name", ["x", OTHER, f"{NETWORK}-1", f"{OURS}x", f"x{OURS}", "", f"{OURS}%0A", f"{OURS}&name={OURS}"]
)
def test_a_container_has_to_have_a_name_of_ours(engine: Engine, name: str) -> None:
    """By which it is watched and removed afterwards."""
    assert refuses(engine, "POST", f"/v1.41/containers/create?name={name}", BODY)
    assert refuses(engine, "POST", "/v1.41/containers/create", BODY)


def test_rights_cannot_be_given_when_a_container_is_started(engine: Engine) -> None:
    """Older engines took them there; nothing is sent with a start."""
    for path in (f"/containers/{OURS}/start", f"/v1.41/containers/{OURS}/start"):
        assert refuses(engine, "POST", path, {"Privileged": True})
        assert refuses(engine, "POST", path, "2\r\n{}\r\n0\r\n\r\n", {"Transfer-Encoding": "chunked"})


@pytest.mark.parametrize(
    "head",
    [
        "Transfer-Encoding: chunked",
        "Content-Length: 1\r\nContent-Length: 1",
        "Content-Length: +1",
        "Content-Length: 60001",
        "Content-Length : 1",
        "X: y\nContent-Length: 1",
        " folded: 1",
        "Expect: 100-continue",
        "X: \0",
        "no colon",
    ],
)
def test_a_request_whose_end_is_not_plain_is_refused(engine: Engine, head: str) -> None:
    """What follows could be read as a second one."""
    said = engine.send_raw(f"POST /containers/{OURS}/start HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\nx".encode())
    assert said.startswith(b"HTTP/1.1 403")
    assert engine.asked == []


def test_a_second_request_in_the_same_connection_is_not_answered(engine: Engine) -> None:
    """Neither by the engine nor by the proxy."""
    one = b"GET /version HTTP/1.1\r\nHost: x\r\n\r\n"
    assert engine.send_raw(one + one.replace(b"version", b"images/json")).count(b"HTTP/1.1") == 1
    assert [path for _, path, _ in engine.asked] == ["/version"]


def test_headers_that_do_not_end_are_refused(engine: Engine) -> None:
    """In bounded memory."""
    assert engine.send_raw(b"GET /version HTTP/1.1\r\n" + b"X: y\r\n" * 10_000).startswith(b"HTTP/1.1 400")
    assert engine.asked == []


def test_an_engine_that_is_away_is_an_error(tmp_path: Path) -> None:
    """Of the engine's kind, which docker-py shows."""
    with engine_behind_proxy(tmp_path) as engine:
        (tmp_path / "engine.sock").unlink()
        assert engine.send("GET", "/version") == 502
