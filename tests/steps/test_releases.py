"""`releases`: what was published, which of it is served, and what a reader without the database sees."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest

from tasks.__main__ import main
from tasks.steps.publish import publish
from tasks.steps.releases import format_age
from tasks.steps.rollback import rollback
from tasks.store import History, Store, release_prefix, write_artefact
from tests.steps.night import DATASET, reach_publish

pytestmark = pytest.mark.services


@pytest.fixture
def names(folder_store: Store, history: History) -> list[str]:
    """Three releases, the newest first."""
    found = []
    for n, score in enumerate((0.3, 0.31, 0.32)):
        reach_publish(
            folder_store, history, f"r{n}", {"popularity": score}, log_seed=n, test={"popularity": 0.1 + score}
        )
        found.append(str(publish(run=f"r{n}", force_publish=True)["release"]))
    return found[::-1]


def shown(capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    """The lines that the command prints, and nothing else."""
    capsys.readouterr()
    assert main(["releases", "--dataset", DATASET, *options]) == 0
    return capsys.readouterr().out.splitlines()


def told(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    """What a program reads."""
    (line,) = shown(capsys, "--json")
    found: list[dict[str, Any]] = json.loads(line)["releases"]
    return found


def test_releases_are_listed_from_new_to_old_with_metrics_age_and_size(
    names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """In columns, and the served one is marked."""
    head, titles, *rows = shown(capsys)
    assert head == "Releases of films; * is what is served."
    assert titles.split() == [
        "release",
        "model",
        "valid",
        "ndcg@20",
        "test",
        "ndcg@20",
        "test",
        "recall@20",
        "age",
        "size",
        "run",
    ]
    assert [row[2] for row in rows] == ["*", " ", " "]
    assert [row.replace("*", " ").split()[:4] for row in rows] == [
        [name, "popularity", valid, test]
        for name, valid, test in zip(names, ("0.3200", "0.3100", "0.3000"), ("0.4200", "0.4100", "0.4000"), strict=True)
    ]
    assert all("KiB" in row and row.endswith(f"r{2 - n}") for n, row in enumerate(rows))
    assert {row.index("popularity") for row in rows} == {titles.index("model")}


def test_the_mark_goes_back_with_a_rollback(names: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is the database's word, not the newest."""
    rollback(dataset=DATASET)
    assert [(one["release"], one["served"]) for one in told(capsys)] == [
        (names[0], False),
        (names[1], True),
        (names[2], False),
    ]


def test_what_is_gone_or_was_never_served_is_called_so(
    names: list[str], folder_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """A rollback would refuse both; that the served one is gone must not be hidden."""
    for name in names[:2]:
        folder_store.delete(f"{release_prefix(DATASET, name)}/manifest.json")
    with write_artefact(folder_store, release_prefix(DATASET, "half")):
        pass
    lines = shown(capsys)
    assert lines[2].endswith("never served")
    assert lines[3].startswith(f"  * {names[0]}")
    assert " gone " in lines[3]
    assert [(one["release"], one["served"], one["published"], one["size"] is None) for one in told(capsys)] == [
        ("half", False, False, False),
        (names[0], True, True, True),
        (names[1], False, True, True),
        (names[2], False, True, False),
    ]


@pytest.mark.parametrize("dsn", ["", "none"])
def test_a_reader_without_the_database_sees_what_the_store_holds(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, dsn: str
) -> None:
    """And is told what is not known."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", dsn)
    lines = shown(capsys)
    assert [line.split()[0] for line in lines[2:-1]] == names
    assert lines[-1] == "RECSYS_METRICS_DSN names no database, so it is not known which of them is served."
    assert {one["served"] for one in told(capsys)} == {None}


def test_a_store_in_s3_is_listed_alike(s3_store: Store, history: History, capsys: pytest.CaptureFixture[str]) -> None:
    """With the same command."""
    reach_publish(s3_store, history, "r0", {"popularity": 0.3})
    name = publish(run="r0")["release"]
    assert [(one["release"], one["served"]) for one in told(capsys)] == [(name, True)]


def test_an_unknown_dataset_is_answered_with_the_known_ones(
    names: list[str], folder_store: Store, capsys: pytest.CaptureFixture[str]
) -> None:
    """And a store without any release says that."""
    assert main(["releases", "--dataset", "flims"]) == 2
    assert "dataset 'flims' has no release" in (said := capsys.readouterr().err)
    assert "expected one of the datasets films" in said
    for info in list(folder_store.list("releases/")):
        folder_store.delete(info.key)
    assert main(["releases", "--dataset", "flims"]) == 2
    assert "expected a run to have published one" in capsys.readouterr().err


def test_a_database_that_does_not_answer_is_an_error(
    names: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list without its mark would look as if nothing were served."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "postgresql://a:b@127.0.0.1:1/metrics")
    assert main(["releases", "--dataset", DATASET]) == 1
    assert "no connection to database metrics at 127.0.0.1:1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3600, "1 h"),
        (86_399, "23 h"),
        (90_000_000, "1041 d"),
    ],
)
def test_an_age_is_told_in_its_largest_unit(seconds: int, text: str) -> None:
    """A clock that is behind the database's makes none below zero."""
    assert format_age(timedelta(seconds=seconds)) == text
