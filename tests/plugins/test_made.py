"""The links of a task to what it made."""

from __future__ import annotations

from typing import Any

import pytest
from recsys import made
from recsys.launch.outcome import FAULT, REPORT, SKIPPED
from recsys.launch.process import ProcessTask
from recsys.made import ArtefactLink, HistoryLink, ReleaseLink, ReportLink, read_console

from tests.plugins.bench import TaskInstance

CONSOLE = "http://localhost:9001/browser/recsys/"
RUN = "manual__2026-01-01T00:00:00+00:00"
URI = "s3://recsys/releases/films/1b2c"


class Ended(TaskInstance):
    """A task instance whose XComs can be read."""

    def xcom_pull(self, *, task_ids: str, map_indexes: int, key: str) -> Any:
        """Its own alone."""
        assert (task_ids, map_indexes) == (self.task_id, self.map_index)
        return self.pushed.get(key)


@pytest.fixture(autouse=True)
def console(monkeypatch: pytest.MonkeyPatch) -> None:
    """A console of MinIO, which takes a path as one segment."""
    monkeypatch.setattr(made, "CONSOLE", CONSOLE)


def links_of(*command: str, map_index: int = -1, **pushed: Any) -> dict[str, str]:
    """The links of a task that ended with these XComs."""
    operator = ProcessTask(task_id=command[0], command=list(command))
    ti = Ended(run_id=RUN, task_id=command[0], map_index=map_index, pushed=pushed)
    every = (ArtefactLink(), ReportLink(), ReleaseLink())
    found = {link.name: link.get_link(operator, ti_key=ti).removeprefix(CONSOLE) for link in every}
    return {name: url for name, url in found.items() if url}


def quoted(path: str) -> str:
    """As it stands in a link."""
    return path.replace(":", "%3A").replace("+", "%2B").replace("/", "%2F")


def test_each_task_links_to_its_artefact_and_its_report() -> None:
    """Mapped tasks each to their own; where a check has the report, to that of the check."""
    folder = quoted(f"runs/{RUN}/")
    assert links_of("align", "--run", RUN) == {"Artefact": f"{folder}align%2F"}
    assert links_of("train", "--run", RUN, "--model", "bpr", map_index=1) == {"Artefact": f"{folder}train-bpr%2F"}
    evaluate = {"Artefact": f"{folder}evaluate-bpr%2F", "Report": f"{folder}evaluate-bpr%2Fmetrics.json"}
    assert links_of("evaluate", "--run", RUN, "--model", "bpr", map_index=1) == evaluate
    assert links_of("refit", "--run", RUN)["Report"] == f"{folder}check-refit%2Freport.json"


def test_the_release_is_linked_where_one_was_made() -> None:
    """By the closing line; after a rejection there is none, nor in a folder, which has no console."""
    wanted = quoted("releases/films/1b2c/")
    assert links_of("publish", "--run", RUN, **{REPORT: {"uri": URI}})["Release"] == wanted
    for uri in (None, "", "file:///store/releases/films/1b2c"):
        assert "Release" not in links_of("promote", "--run", RUN, **{REPORT: {"uri": uri}})


def test_a_failed_check_links_to_its_report_and_other_failures_to_nothing() -> None:
    """Exit code 10 is told by a report; what crashed or had nothing to do made nothing."""
    failed = links_of("check-dataset", "--run", RUN, **{FAULT: {"exit_code": 10}})
    assert failed["Report"] == quoted(f"runs/{RUN}/check-dataset/report.json")
    assert links_of("check-dataset", "--run", RUN, **{FAULT: {"exit_code": 137}}) == {}
    assert links_of("scan", "--run", RUN, **{SKIPPED: "nothing is new"}) == {}


def test_no_name_leaves_the_console() -> None:
    """Whatever a run or a model is called, it is one segment of the address."""
    (url,) = links_of("train", "--run", RUN, "--model", "../../?x=#<script>", map_index=0).values()
    assert set(url) & set("/?#<>:&=") == set()


def test_without_a_console_there_are_no_links(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default: only that to the history is shown."""
    monkeypatch.setattr(made, "CONSOLE", "")
    assert links_of("publish", "--run", RUN, **{REPORT: {"uri": URI}}) == {}
    assert [link.name for link in made.LINKS] == ["History"]
    assert ProcessTask.operator_extra_links == made.LINKS


def test_each_task_of_a_run_links_to_the_history() -> None:
    """A check to what it checked; a command of no run to nothing."""
    link, ti = HistoryLink(), Ended(run_id=RUN)
    start, run = "http://airflow.test:8080/plugin/recsys/recsys", quoted(RUN)
    found = [
        link.get_link(ProcessTask(task_id=words[0], command=words), ti_key=ti)
        for words in (["check-dataset", "--run", RUN], ["train", "--run", RUN, "--model", "bpr"], ["discover"])
    ]
    assert found == [f"{start}/validation?run={run}", f"{start}/run?run={run}", ""]


def test_the_address_of_the_console_has_no_secret() -> None:
    """Nor is one in the sentence that refuses it."""
    assert [read_console(value) for value in ("", CONSOLE)] == ["", CONSOLE]
    with pytest.raises(ValueError, match="RECSYS_CONSOLE_URL has a user or password, expected none") as refused:
        read_console("https://root:hunter2@store.example.org/")
    assert "hunter2" not in str(refused.value)
    for value in ("javascript:alert(1)", "localhost:9001/browser", "https:///browser/"):
        with pytest.raises(ValueError, match="expected http:// or https:// and a host"):
            read_console(value)
