"""What the docker launcher asks of the engine: a task's rights, and which containers go. No engine takes part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from docker import APIClient
from docker.errors import APIError, NotFound
from recsys.launch.docker import (
    SCRATCH,
    SITE,
    TASK,
    DockerTask,
    read_environment,
    remove,
    remove_containers,
    rights,
)
from recsys.launch.outcome import Failed, FailedForGood

from tests.plugins.bench import TaskInstance, execute

HERE, ELSEWHERE = "films", "songs"  # two installations at one engine
MARK = "dag|run|train|0"


class Engine:
    """Containers by name with their labels, and what was asked of the engine."""

    def __init__(self, containers: Mapping[str, Mapping[str, str]]) -> None:
        self.present = dict(containers)
        self.removals: list[dict[str, Any]] = []
        self.created: list[dict[str, Any]] = []

    def containers(self, *, all: bool = False, filters: Mapping[str, Sequence[str]]) -> list[dict[str, Any]]:
        """Those that have all labels of the filter, as the engine lists them; without `all` only those that run."""
        wanted = set(filters["label"])
        return [
            {"Names": [f"/{name}"], "Labels": dict(labels)}
            for name, labels in self.present.items()
            if (all or "running" in name) and wanted <= {f"{key}={value}" for key, value in labels.items()}
        ]

    def remove_container(self, name: str, **options: Any) -> None:
        """Forget it, or say that it is not there."""
        if name not in self.present:
            raise NotFound(f"no such container: {name}")
        del self.present[name]
        self.removals.append({"name": name, **options})

    def create_host_config(self, **options: Any) -> dict[str, Any]:
        """As it was asked for."""
        return options

    def create_container(self, image: str, **options: Any) -> None:
        """Note what was asked for, and refuse: no test needs a container that runs."""
        self.created.append({"image": image, **options})
        raise NotFound("there is no engine")

    def close(self) -> None:
        """Nothing was opened."""


def client(engine: object) -> APIClient:
    """The engine, as typed code wants it."""
    return cast(APIClient, engine)


def labels(site: str, mark: str) -> dict[str, str]:
    """Of the container of a task instance."""
    return {SITE: site, TASK: mark}


@pytest.fixture
def engine() -> Engine:
    """Two containers of one task instance, one of another mapped one, one of another run, one of another site."""
    return Engine(
        {
            "running": labels(HERE, MARK),
            "ended": labels(HERE, MARK),
            "running-beside": labels(HERE, "dag|run|train|1"),
            "running-later": labels(HERE, "dag|run2|train|0"),
            "unmarked": {SITE: HERE},
            "running-elsewhere": labels(ELSEWHERE, MARK),
        }
    )


@pytest.fixture(autouse=True)
def _limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of an installation."""
    monkeypatch.setenv("RECSYS_TASK_MEMORY", "200m")
    monkeypatch.setenv("RECSYS_TASK_CPUS", "1.5")


def test_a_task_has_these_rights_and_no_others() -> None:
    """A right that is added or taken away has to be added or taken away here."""
    found = rights()
    log = found.pop("log_config")
    assert found == {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": 512,
        "mem_limit": "200m",
        "memswap_limit": "200m",
        "nano_cpus": 1_500_000_000,
        "init": True,
    }
    assert (log["Type"], log["Config"]) == ("json-file", {"max-size": "10m", "max-file": "1"})


def test_without_limits_memory_is_bounded_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four gigabytes with no swap beyond them, and the CPUs that there are."""
    monkeypatch.setenv("RECSYS_TASK_MEMORY", "")
    monkeypatch.setenv("RECSYS_TASK_CPUS", "")
    monkeypatch.setattr("os.cpu_count", lambda: 6)
    found = rights()
    assert (found["mem_limit"], found["memswap_limit"], found["nano_cpus"]) == ("4g", "4g", 6_000_000_000)


def test_a_limit_of_cpus_that_is_no_number_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the setting and what it was."""
    monkeypatch.setenv("RECSYS_TASK_CPUS", "many")
    with pytest.raises(FailedForGood, match="RECSYS_TASK_CPUS is 'many', expected a number of CPUs"):
        rights()


def test_a_part_of_a_cpu_is_one_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Libraries take 0 threads for all CPUs of the host, or refuse; three quarters of the memory are for a model."""
    (tmp_path / "tasks.env").write_text("RECSYS_STORE=s3://films\nRECSYS_DEVICE=\n")
    monkeypatch.setenv("RECSYS_TASK_ENV_FILE", str(tmp_path / "tasks.env"))
    for limit, threads in (("0.5", "1"), ("2.9", "2")):
        monkeypatch.setenv("RECSYS_TASK_CPUS", limit)
        assert read_environment("RECSYS_TASK_ENV_FILE") == {
            "RECSYS_STORE": "s3://films",
            "OMP_NUM_THREADS": threads,
            "OPENBLAS_NUM_THREADS": threads,
            "RECSYS_MEMORY_GIB": "0.15",
        }


def test_of_one_task_instance_only_its_own_containers_go(engine: Engine) -> None:
    """Whether running or not, with their scratch volumes; those of others stay, though they have the same site."""
    assert remove_containers(client(engine), HERE, MARK) == ["running", "ended"]
    assert engine.removals == [{"name": name, "v": True, "force": True} for name in ("running", "ended")]
    assert set(engine.present) == {"running-beside", "running-later", "unmarked", "running-elsewhere"}


def test_of_an_installation_all_containers_go_and_those_of_another_stay(engine: Engine) -> None:
    """Without a task instance every container of the site is meant."""
    found = remove_containers(client(engine), HERE)
    assert set(found) == {"running", "ended", "running-beside", "running-later", "unmarked"}
    assert set(engine.present) == {"running-elsewhere"}


def test_what_is_gone_already_is_no_error() -> None:
    """Neither a container that is not there nor one that somebody else is just removing."""

    class Busy(Engine):
        def remove_container(self, name: str, **options: Any) -> None:
            raise APIError(f"removal of container {name} is already in progress")

    class Broken(Engine):
        def remove_container(self, name: str, **options: Any) -> None:
            raise APIError("the disk is full")

    remove(client(Engine({})), "gone")
    remove(client(Busy({})), "going")
    with pytest.raises(APIError, match="the disk is full"):
        remove(client(Broken({})), "stuck")


def test_a_retry_removes_its_own_left_overs_and_asks_for_no_more_than_its_rights(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new container has the labels by which the next attempt finds it, the site's network, and `rights()`."""
    env_file = tmp_path / "tasks.env"
    env_file.write_text("RECSYS_STORE=s3://films\n")
    monkeypatch.setenv("RECSYS_TASK_IMAGE", "recsys-tasks")
    monkeypatch.setenv("RECSYS_TASK_NETWORK", HERE)
    monkeypatch.setenv("RECSYS_TASK_ENV_FILE", str(env_file))
    monkeypatch.setattr(DockerTask, "cli", engine)
    task, ti = DockerTask(task_id="train", command=["train"]), TaskInstance("dag", "run", "train", map_index=0)
    with pytest.raises(Failed, match="was removed while train ran"):  # for this engine makes none
        execute(task, ti)
    assert set(engine.present) == {"running-beside", "running-later", "unmarked", "running-elsewhere"}
    asked = engine.created[0]
    assert asked["labels"] == labels(HERE, MARK)
    assert asked["volumes"] == [SCRATCH]
    assert asked["host_config"] == {**rights(), "network_mode": HERE, "device_requests": None}


@pytest.mark.parametrize(
    ("command", "store"), [("train", "tasks"), ("extract", "media"), ("encode", "media"), ("train-encoder", "media")]
)
def test_a_container_that_decodes_media_gets_the_file_with_fewer_rights(
    engine: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, store: str
) -> None:
    """Its whole environment is of that file, but for the address of the run and what follows from the limits."""
    monkeypatch.setenv("RECSYS_TASK_IMAGE", "recsys-tasks")
    monkeypatch.setenv("RECSYS_TASK_NETWORK", HERE)
    for name in ("tasks", "media"):
        (tmp_path / name).write_text(f"RECSYS_S3_ACCESS_KEY={name}\n")
    (tmp_path / "tasks").write_text("RECSYS_S3_ACCESS_KEY=tasks\nRECSYS_METRICS_DSN=postgresql://a:b@c/d\n")
    monkeypatch.setenv("RECSYS_TASK_ENV_FILE", str(tmp_path / "tasks"))
    monkeypatch.setenv("RECSYS_MEDIA_ENV_FILE", str(tmp_path / "media"))
    monkeypatch.setattr(DockerTask, "cli", engine)
    task = DockerTask(task_id="another-name", command=[command, "--run", "r"])
    with pytest.raises(Failed, match="was removed while"):
        execute(task, TaskInstance())
    found = engine.created[0]["environment"]
    assert found["RECSYS_S3_ACCESS_KEY"] == store
    assert ("RECSYS_METRICS_DSN" in found) == (store == "tasks")
    monkeypatch.delenv("RECSYS_MEDIA_ENV_FILE")
    if store == "media":
        with pytest.raises(FailedForGood, match="RECSYS_MEDIA_ENV_FILE is not set"):
            execute(task, TaskInstance())
