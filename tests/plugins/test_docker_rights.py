"""The docker launcher without an engine: what it asks of one for a task, and which containers it removes."""

from __future__ import annotations

from typing import Any

import pytest
from docker.errors import APIError, NotFound
from recsys.docker import PROCESSES, SITE, TASK, remove_containers, rights


class Engine:
    """Keeps containers by name, as much of docker's API as removing needs. It stands in where no engine can be had."""

    def __init__(self, containers: dict[str, dict[str, str]], error: Exception | None = None) -> None:
        self.kept, self.error = dict(containers), error

    def containers(self, *, all: bool, filters: dict[str, list[str]]) -> list[dict[str, Any]]:
        """Stopped ones too, by label, as the engine filters them."""
        assert all
        wanted = [tuple(label.split("=", 1)) for label in filters["label"]]
        found = {n: labels for n, labels in self.kept.items() if all_of(labels, wanted)}
        return [{"Names": [f"/{name}"], "Labels": labels} for name, labels in found.items()]

    def remove_container(self, name: str, *, v: bool, force: bool) -> None:
        """With its volume, running or not."""
        assert v
        assert force
        del self.kept[name]
        if self.error:
            raise self.error


def all_of(labels: dict[str, str], wanted: list[tuple[str, ...]]) -> bool:
    """Whether each label is there with its value."""
    return all(labels.get(name) == value for name, value in wanted)


def engine(error: Exception | None = None) -> Engine:
    """Two tasks of an installation, one of them twice, and one of another installation."""
    own = {"one": "dag|run|train|0", "again": "dag|run|train|0", "other": "dag|run|train|1"}
    containers = {name: {SITE: "here", TASK: mark} for name, mark in own.items()}
    return Engine({**containers, "elsewhere": {SITE: "there", TASK: "dag|run|train|0"}}, error)


def test_a_task_may_compute_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No writable root, no capability, no new privilege; memory, CPUs and processes have limits, and swap none more."""
    monkeypatch.setenv("RECSYS_TASK_MEMORY", "3g")
    monkeypatch.setenv("RECSYS_TASK_CPUS", "1.5")
    found = rights()
    log = found.pop("log_config")
    assert found == {
        "read_only": True,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
        "pids_limit": PROCESSES,
        "mem_limit": "3g",
        "memswap_limit": "3g",
        "nano_cpus": 1_500_000_000,
        "init": True,
    }
    assert log["Config"] == {"max-size": "10m", "max-file": "1"}


def test_a_retry_removes_what_is_left_of_its_own_task_alone() -> None:
    """Other tasks of the installation run on, and so does the same task of another installation."""
    client = engine()
    assert remove_containers(client, "here", "dag|run|train|0") == ["one", "again"]
    assert set(client.kept) == {"other", "elsewhere"}


def test_before_the_scheduler_starts_all_of_an_installation_goes() -> None:
    """And nothing of another one."""
    client = engine()
    assert remove_containers(client, "here") == ["one", "again", "other"]
    assert set(client.kept) == {"elsewhere"}


@pytest.mark.parametrize("error", [NotFound("gone"), APIError("removal of container is already in progress")])
def test_a_container_that_goes_by_itself_is_no_fault(error: Exception) -> None:
    """All others are removed all the same."""
    client = engine(error)
    remove_containers(client, "here")
    assert set(client.kept) == {"elsewhere"}


def test_an_engine_that_cannot_remove_is_heard() -> None:
    """Its error is not swallowed."""
    with pytest.raises(APIError, match="permission denied"):
        remove_containers(engine(APIError("permission denied")), "here")
