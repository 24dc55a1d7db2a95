"""`load-interactions --append` on a real store."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

from tasks.__main__ import main
from tasks.data import Interactions
from tasks.errors import BadInput, NotFound, TaskError
from tasks.steps.load_interactions import load_interactions
from tasks.store import Store, logs, read_artefact
from tasks.store.pointers import current

FOLDER = "interactions/films"
LOG = ["u1,a,10", "u1,b,20", "u2,a,30"]


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.services)])
def store(request: pytest.FixtureRequest) -> Store:
    """Return each kind of store in turn, empty."""
    opened: Store = request.getfixturevalue(f"{request.param}_store")
    return opened


def write(tmp_path: Path, rows: list[str], header: str = "user_id,item_id,timestamp") -> Path:
    """Write a log."""
    path = tmp_path / "log.csv"
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def load(tmp_path: Path, rows: list[str], *, append: bool = True, header: str = "user_id,item_id,timestamp") -> Any:
    """Load rows, or add them."""
    return load_interactions(file=str(write(tmp_path, rows, header)), dataset="films", append=append)


def kept(store: Store) -> list[tuple[str, str, int]]:
    """The rows of the current log, in order."""
    log = Interactions.load(read_artefact(store, str(current(store, FOLDER))).path(logs.FILE))
    assert log.timestamps is not None
    columns = log.user_ids[log.users], log.item_ids[log.items], log.timestamps
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_rows_are_added_and_the_manifest_names_the_earlier_log(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """What is new, what is there already, and what contradicts is counted and said."""
    first = load(tmp_path, LOG, append=False)
    before = read_artefact(store, str(first["log"]))
    with caplog.at_level("INFO"):
        closing = load(tmp_path, ["u3,a,40", "u1,a,10", "u1,b,5", "u2,a,31", "u2,a,35"])
    assert kept(store) == [("u1", "a", 10), ("u1", "b", 5), ("u2", "a", 30), ("u3", "a", 40)]
    counts = {"rows": 5, "below_threshold": 0, "duplicates": 1, "added": 1, "repeated": 1, "contradicting": 2}
    counts |= {"interactions": 4, "users": 3, "items": 2}
    assert closing == {"log": current(store, FOLDER), "format": "csv", "changed": True, **counts}
    manifest = read_artefact(store, str(closing["log"])).manifest
    assert manifest.inputs == {before.prefix: before.manifest.content}
    assert manifest.counts == counts
    assert manifest.parameters["appended"] is True
    assert "1 rows are new to the log, 1 are in it already" in caplog.messages
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warning == (
        "2 pairs of user and item are in the log with another time "
        "(user 'u1' with item 'b' at 1970-01-01T00:00:20Z in the log and at 1970-01-01T00:00:05Z now; "
        "user 'u2' with item 'a' at 1970-01-01T00:00:30Z in the log and at 1970-01-01T00:00:31Z now); "
        "the earlier time is kept, which is that of the new row for 1 of them"
    )
    assert read_artefact(store, before.prefix).manifest == before.manifest


def test_adding_the_same_again_is_nothing_new(store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The pointer stays, also where rows come in another order than in the log, or later than in it."""
    first = load(tmp_path, LOG, append=False)
    for rows in (LOG, LOG[::-1], ["u1,a,11"]):
        caplog.clear()
        with caplog.at_level("INFO"):
            closing = load(tmp_path, rows)
        assert (closing["log"], closing["changed"], closing["added"]) == (first["log"], False, 0)
        assert "nothing new: the log stays as it is" in caplog.messages
    assert current(store, FOLDER) == first["log"]
    assert [info.key for info in store.list(FOLDER) if info.key.endswith(".parquet")] == [f"{first['log']}/{logs.FILE}"]


def test_parts_in_any_order_make_the_same_version(folder_store: Store, tmp_path: Path) -> None:
    """The version is a hash of the rows, whatever was loaded first."""
    rng = random.Random(0)
    rows = [f"u{rng.randrange(9)},film {rng.randrange(9)},{rng.randrange(100)}" for _ in range(60)]
    versions = set()
    for _ in range(5):
        rng.shuffle(rows)
        load(tmp_path, rows[:20], append=False)
        load(tmp_path, rows[20:30])
        versions.add(load(tmp_path, rows[30:])["log"])
    load(tmp_path, rows, append=False)
    whole = set(kept(folder_store))
    assert len(versions) == 1
    load(tmp_path, rows[:1], append=False)
    assert load(tmp_path, rows)["log"] in versions
    assert set(kept(folder_store)) == whole


@pytest.mark.usefixtures("folder_store")
def test_a_dataset_without_a_log_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A typo in its name must not make a dataset of one day."""
    assert main(["load-interactions", str(write(tmp_path, LOG)), "--dataset", "flims", "--append"]) == 2
    assert "dataset 'flims' has no log to add to, expected one: leave --append out" in capsys.readouterr().err
    with pytest.raises(NotFound):
        load(tmp_path, LOG)


def test_a_log_that_does_not_fit_is_refused_and_changes_nothing(folder_store: Store, tmp_path: Path) -> None:
    """Times and labels are in all rows or in none."""
    first = load(tmp_path, LOG, append=False)["log"]
    with pytest.raises(BadInput, match="the log found with times and the new rows without"):
        load(tmp_path, ["u9,a"], header="user_id,item_id")
    with pytest.raises(BadInput, match="row 1"):
        load(tmp_path, [",a,3"])
    assert current(folder_store, FOLDER) == first
    load(tmp_path, ["u1,a,0", "u1,b,2"], append=False, header="user_id,item_id,x_label")
    with pytest.raises(BadInput, match="user 'u1' with item 'b' has 2 in the log and 0 now"):
        load(tmp_path, ["u1,b,0"], header="user_id,item_id,x_label")


def test_another_threshold_is_said(folder_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Ratings that count from different ones up are mixed only with the user's knowledge."""
    path = str(write(tmp_path, ["u,a,5", "v,b,3"], "user,item,rating"))
    load_interactions(file=path, dataset="films", threshold=4)
    load_interactions(file=path, dataset="films", threshold=4, append=True)
    assert "--threshold 4" not in caplog.text
    assert load_interactions(file=path, dataset="films", threshold=3, append=True)["added"] == 1
    assert "the log was last given rows with --threshold 4, and now with --threshold 3" in caplog.text


def test_of_two_at_once_one_is_asked_to_repeat_and_no_row_is_lost(store: Store, tmp_path: Path) -> None:
    """Each reads the log, then moves the pointer only if it is still there."""
    load(tmp_path, LOG, append=False)
    read = threading.Barrier(4)
    done: list[str] = []

    def add(number: int) -> None:
        folder = tmp_path / str(number)
        folder.mkdir()
        path = write(folder, [f"new{number},a,{number}"])
        while True:
            try:
                load_interactions(file=str(path), dataset="films", append=True)
            except TaskError as error:
                done.append(f"{error.exit_code} {error}")
            else:
                done.append("added")
                return

    found = logs.find_log

    def find_together(*given: object) -> object:
        artefact = found(*given)  # type: ignore[arg-type]
        if not done:
            read.wait()
        return artefact

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tasks.steps.load_interactions.find_log", find_together)
        threads = [threading.Thread(target=add, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert done.count("added") == 4
    refused = [said for said in done if said != "added"]
    assert len(refused) >= 3
    assert all(said.startswith("1 ") and "repeat the command" in said for said in refused)
    assert {user for user, _, _ in kept(store)} == {"u1", "u2", "new0", "new1", "new2", "new3"}


def test_a_log_that_was_replaced_meanwhile_is_not_overwritten(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command ends with a fault, which a scheduler retries, and names both what it saw and what to do."""
    first = load(tmp_path, LOG, append=False)["log"]
    other = load(tmp_path, ["x,y,1"], append=False)["log"]
    load(tmp_path, LOG, append=False)
    found = logs.find_log

    def find_then_replace(opened: Store, dataset: str) -> object:
        artefact = found(opened, dataset)
        (tmp_path / "meanwhile").mkdir()
        load(tmp_path / "meanwhile", ["x,y,1"], append=False)
        return artefact

    monkeypatch.setattr("tasks.steps.load_interactions.find_log", find_then_replace)
    path = tmp_path / "new.csv"
    path.write_text("user_id,item_id,timestamp\nw,a,1\n", encoding="utf-8")
    assert main(["load-interactions", str(path), "--dataset", "films", "--append"]) == 1
    said = capsys.readouterr().err
    assert f"{FOLDER} has another current version than {first}" in said
    assert "repeat the command" in said
    assert current(store, FOLDER) == other


def test_it_is_a_command(folder_store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option works as typed."""
    load(tmp_path, LOG, append=False)
    words = ["load-interactions", str(write(tmp_path, ["u9,c,1"])), "--dataset", "films", "--append"]
    assert main(words) == 0
    closing = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (closing["added"], closing["interactions"], closing["log"]) == (1, 4, current(folder_store, FOLDER))
