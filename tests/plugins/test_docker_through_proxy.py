"""The docker launcher, with docker-py itself, through the engine's proxy: what it asks for is what the proxy allows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker import APIClient
from recsys.launch.docker import DockerTask, remove_containers, rights
from structlog.testing import capture_logs

from tests.engine import CPUS, IMAGE, LINES, MEMORY, NETWORK, Engine, engine_behind_proxy
from tests.plugins.bench import TaskInstance, execute, messages

CDI = {"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=all"}]}
RUNTIME = {"Runtimes": {"nvidia": {}}}


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """A stand-in that knows of every container of ours that it has ended well."""
    (tmp_path / "tasks.env").write_text('RECSYS_STORE=s3://films\nRECSYS_S3_SECRET_KEY=a\\"b ü\n', encoding="utf-8")
    with engine_behind_proxy(tmp_path) as engine:
        for name, value in {
            "DOCKER_HOST": f"tcp://127.0.0.1:{engine.port}",
            "RECSYS_TASK_IMAGE": IMAGE,
            "RECSYS_TASK_NETWORK": NETWORK,
            "RECSYS_TASK_ENV_FILE": str(tmp_path / "tasks.env"),
            "RECSYS_TASK_MEMORY": f"{MEMORY >> 20}m",
            "RECSYS_TASK_CPUS": str(CPUS),
        }.items():
            monkeypatch.setenv(name, value)
        yield engine


@pytest.mark.parametrize("gpu", [{}, CDI, RUNTIME])
def test_a_task_runs_to_its_end(engine: Engine, gpu: dict[str, object]) -> None:
    """At the most of memory and CPUs that the installation has, on the CPU or a GPU; nothing is refused."""
    engine.answers["/info"] = gpu
    engine.answers[f"/images/{IMAGE}/json"]["Config"]["Labels"]["recsys.accelerator"] = "cuda"
    engine.default = {"StatusCode": 0, "State": {"OOMKilled": False}}
    with capture_logs() as logged:
        execute(DockerTask(task_id="train", command=["train", "--model", 'a\\b"c'], gpu=True), TaskInstance())
    assert messages(logged, "info")[-1] == LINES[1].decode().strip()
    assert messages(logged, "warning") == [LINES[2].decode().strip()]
    steps = [
        (method, re.sub(r"^/v1\.\d+|[0-9a-f]{32}|\?.*", "", path.replace(NETWORK, "")))
        for method, path, _ in engine.asked
    ]
    clean = re.compile(rf"^/v1\.\d+|{NETWORK}|[0-9a-f]{{32}}|\?.*")
    steps = [(method, clean.sub("", path)) for method, path, _ in engine.asked]
    assert [step for step in steps if "containers" in step[1]] == [
        ("GET", "/containers/json"),
        ("POST", "/containers/create"),
        ("POST", "/containers/-/attach"),
        ("POST", "/containers/-/start"),
        ("POST", "/containers/-/wait"),
        ("GET", "/containers/-/json"),
        ("DELETE", "/containers/-"),
    ]
    (body,) = [json.loads(body) for _, path, body in engine.asked if "/create" in path]
    assert body["Cmd"] == ["train", "--model", 'a\\b"c']
    assert 'RECSYS_S3_SECRET_KEY=a\\"b ü' in body["Env"]
    assert bool(gpu) == ("DeviceRequests" in body["HostConfig"])
    assert (body["HostConfig"]["Memory"], body["HostConfig"]["NanoCpus"]) == (MEMORY, int(CPUS * 1e9))
    assert body["HostConfig"]["PidsLimit"] == rights()["pids_limit"]


def test_containers_that_a_killed_scheduler_left_are_removed(engine: Engine) -> None:
    """Before the next one starts."""
    name = f"{NETWORK}-{'a' * 32}"
    engine.answers["/containers/json"] = [{"Names": [f"/{name}"], "Labels": {}}]
    client = APIClient(base_url=f"tcp://127.0.0.1:{engine.port}", version="auto")
    assert remove_containers(client, NETWORK) == [name]
    client.close()
    assert engine.asked[-1][:2] == ("DELETE", f"/v1.41/containers/{name}?v=1&force=1")
