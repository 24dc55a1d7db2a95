"""`gc`: what nothing refers to is marked, then removed; all else stays."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from tasks.__main__ import main
from tasks.encoders.cache import EmbeddingCache
from tasks.errors import BadInput, NotFound, TaskError
from tasks.releases.verify import verify_release
from tasks.steps.gc import gc
from tasks.steps.publish import publish
from tasks.steps.rollback import rollback
from tasks.store import FolderStore, History, ObjectInfo, Store, has_artefact, read_artefact, release_prefix
from tasks.store.s3 import S3Store
from tests.steps.night import reach_publish
from tests.steps.shelf import DATASET, execute, put_release, put_run

pytestmark = pytest.mark.services
LONG = 90  # days


def age(store: Store, dsn: str, days: float, *prefixes: str) -> None:
    """Let what stands under the prefixes, or all, and all that the database knows, be so many days older."""
    assert isinstance(store, FolderStore)
    for info in store.list(""):
        if info.key.startswith(prefixes or ("",)):
            path = store.root / info.key
            moment = path.stat().st_mtime - days * 86400
            os.utime(path, (moment, moment))
    if not prefixes:
        for table, column in COLUMNS:
            execute(dsn, f"UPDATE rec.{table} SET {column} = {column} - %s", timedelta(days=days))


COLUMNS = [
    *(("run", "started_at"), ("run", "finished_at"), ("release", "created_at"), ("pointer_move", "moved_at")),
    *(("decision", "decided_at"), ("garbage", "marked_at"), ("pointer", "since")),
]


def standing(store: Store) -> set[str]:
    """Prefixes of all artefacts that are complete."""
    return {info.key.rpartition("/")[0] for info in store.list("") if info.key.endswith("/manifest.json")}


def collect(store: Store, dsn: str, **options: int) -> dict[str, object]:
    """Mark, wait for the grace, and remove."""
    gc(delete=True, **options)  # type: ignore[arg-type]
    execute(dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    return gc(delete=True, **options)  # type: ignore[arg-type]


@pytest.fixture
def old(folder_store: Store, history: History, metrics_dsn: str) -> list[str]:
    """Six releases of long ago, the last of which is served; returns their prefixes."""
    prefixes = []
    for number in range(6):
        prefixes.append(put_release(folder_store, history, f"r{number}"))
        age(folder_store, metrics_dsn, 1)
    age(folder_store, metrics_dsn, LONG)
    return prefixes


def test_what_nothing_refers_to_is_removed_after_it_was_marked(
    old: list[str], folder_store: Store, metrics_dsn: str
) -> None:
    """The releases beyond the last, and their runs; of those that are kept everything stays."""
    before = standing(folder_store)
    first = gc(keep=2, delete=True)
    assert (first["marked"], first["deleted"]) == (8, 0)
    assert standing(folder_store) == before
    assert gc(keep=2, delete=True)["waiting"] == 8
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    size = sum(info.size for info in folder_store.list("") if info.key.startswith((f"{old[0]}/", "runs/run-of-r0/")))
    last = gc(keep=2, delete=True)
    assert (last["deleted"], last["bytes"]) == (8, pytest.approx(4 * size, rel=0.01))
    gone = {one for one in before if any(f"r{number}" in one for number in range(4))}
    assert standing(folder_store) == before - gone
    assert not [info.key for info in folder_store.list("") if info.key.rpartition("/")[0] in gone]
    assert gc(keep=2, delete=True) == {
        **dict.fromkeys(("marked", "waiting", "deleted", "unmarked", "bytes"), 0),
        "kept": 4,
        "dry_run": False,
    }


def test_without_delete_nothing_changes(
    old: list[str], folder_store: Store, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    """What would be marked or deleted is said, with its bytes and the reason; what is kept, with the rule."""
    caplog.set_level(logging.INFO)
    before = list(folder_store.list(""))
    assert main(["gc", "--keep", "2"]) == 0
    assert history.marks(DATASET) == {}
    assert f"would mark {old[0]} (" in caplog.text
    assert f"kept {old[5]}: it is served" in caplog.text
    assert f"kept {old[4]}: a rollback goes back to it" in caplog.text
    assert "kept runs/run-of-r4: a release that is kept was made from it" in caplog.text
    assert "dry run: nothing was changed" in caplog.text
    assert list(folder_store.list("")) == before


@pytest.mark.parametrize(
    ("refer", "kept"),
    [
        ("UPDATE rec.pointer_move SET moved_at = now() - interval '29 days' WHERE version = 2", "r1"),
        ("UPDATE rec.pointer_move SET moved_at = now() - interval '29 days' WHERE version = 2", "r0"),
        ("UPDATE rec.release SET created_at = now() - interval '29 days' WHERE release = 'r1'", "r1"),
        ("UPDATE rec.decision SET outcome = 'waiting' WHERE release = 'r1'", "r1"),
        ("UPDATE rec.pointer SET release = 'r1'", "r1"),
        ("UPDATE rec.pointer SET release = 'r1'", "r0"),
    ],
    ids=["moved to", "moved from", "promoted lately", "waits", "served", "before what is served"],
)
def test_what_is_referred_to_is_kept(
    old: list[str], folder_store: Store, metrics_dsn: str, refer: str, kept: str
) -> None:
    """With the run that it was made by."""
    execute(metrics_dsn, refer)
    collect(folder_store, metrics_dsn, keep=1)
    found = standing(folder_store)
    assert release_prefix(DATASET, kept) in found
    assert f"runs/run-of-{kept}/prepare" in found
    assert release_prefix(DATASET, "r2") not in found


def test_the_rules_are_asked_anew_before_anything_is_removed(
    old: list[str], folder_store: Store, history: History, metrics_dsn: str
) -> None:
    """More releases are to be kept now: the marks are taken away."""
    gc(keep=1, delete=True)
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    assert gc(keep=6, delete=True)["unmarked"] == 8
    assert history.marks(DATASET) == {}
    assert all(has_artefact(folder_store, prefix) for prefix in old)


def test_runs_are_kept_while_they_go_on_or_are_recent(
    folder_store: Store, history: History, metrics_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """A killed run has no end in the database; one that was scanned again is new, whatever its beginning."""
    for run in ("running", "ended", "killed", "again"):
        put_run(folder_store, history, run, "scan")
        folder_store.put(f"quarantine/{run}/image/broken.jpg", b"no picture")
    history.finish_run("ended", "skipped")
    age(folder_store, metrics_dsn, LONG)
    execute(metrics_dsn, "UPDATE rec.run SET finished_at = now() - interval '29 days' WHERE run = 'ended'")
    execute(metrics_dsn, "UPDATE rec.run SET started_at = now() WHERE run = 'running'")
    gc(delete=True)
    put_run(folder_store, history, "again", "scan")
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    caplog.set_level(logging.INFO)
    gc(delete=True)
    assert {info.key.split("/")[1] for info in folder_store.list("runs/")} == {"running", "ended", "again"}
    assert {info.key.split("/")[1] for info in folder_store.list("quarantine/")} == {"running", "ended", "again"}
    assert "kept runs/running: its run goes on" in caplog.text
    assert "kept runs/ended: it or its run is recent" in caplog.text


def test_a_run_that_no_database_knows_is_kept_and_named(
    folder_store: Store, history: History, metrics_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Of another installation, or of one without a database."""
    put_run(folder_store, history, "mine", "scan")
    execute(metrics_dsn, "DELETE FROM rec.run")
    age(folder_store, metrics_dsn, LONG)
    caplog.set_level(logging.INFO)
    collect(folder_store, metrics_dsn)
    assert standing(folder_store) == {"runs/mine/scan"}
    assert "kept runs/mine: no database knows its run" in caplog.text


def test_trials_and_checkpoints_of_old_runs_are_removed(old: list[str], folder_store: Store, metrics_dsn: str) -> None:
    """Also where the run stays, because a release was made from it."""
    for step in ("compare-trials/plain/ease-7/trial.json", "checkpoint-bpr/checkpoint.safetensors"):
        folder_store.put(f"runs/run-of-r5/{step}", b"{}")
    age(folder_store, metrics_dsn, LONG, "runs/run-of-r5/c")
    collect(folder_store, metrics_dsn)
    assert {info.key.split("/")[2] for info in folder_store.list("runs/run-of-r5/")} == {
        "scan",
        "prepare",
        "train-ease",
    }


def test_what_killed_commands_left_is_removed(folder_store: Store, history: History, metrics_dsn: str) -> None:
    """Files that were to replace others, half releases, temporary files and uploads in parts; not those of today."""
    for days, name in ((2, "old"), (0, "new")):
        folder_store.put(f"interactions/films/{name}/.new-1/log.parquet", b"1")
        folder_store.put(f"releases/films/{name}/model.safetensors", b"1")
        age(folder_store, metrics_dsn, days)
    assert isinstance(folder_store, FolderStore)
    (folder_store.root / "media").mkdir()
    (folder_store.root / "media" / ".writing-1").write_bytes(b"1")
    collect(folder_store, metrics_dsn)
    keys = {info.key for info in folder_store.list("")}
    assert keys == {"interactions/films/new/.new-1/log.parquet", "releases/films/new/model.safetensors"}
    assert not (folder_store.root / "media" / ".writing-1").exists()


def test_garbage_of_an_s3_store_is_removed(
    s3_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A release and its run by keys, and an upload in parts by its name."""
    assert isinstance(s3_store, S3Store)
    prefixes = [put_release(s3_store, history, f"r{number}") for number in range(3)]
    s3_store._client._create_multipart_upload(s3_store.bucket, "runs/x/scan/plan.json", {})
    for table, column in COLUMNS:
        execute(metrics_dsn, f"UPDATE rec.{table} SET {column} = {column} - %s", timedelta(days=LONG))
    listed = S3Store.list

    def list_old(store: S3Store, prefix: str) -> Iterator[ObjectInfo]:
        return (replace(info, modified=info.modified - timedelta(days=LONG)) for info in listed(store, prefix))

    monkeypatch.setattr(S3Store, "list", list_old)
    assert collect(s3_store, metrics_dsn, keep=1)["deleted"] == 3
    assert not any("r0" in info.key for info in s3_store.list(""))
    assert {prefix for prefix in standing(s3_store) if prefix.startswith("releases/")} == {*prefixes[1:]}
    assert list(s3_store.list_unfinished()) == []


def test_replaced_parts_of_the_cache_are_removed(folder_store: Store, history: History, metrics_dsn: str) -> None:
    """Once they have been replaced for long enough."""
    cache = EmbeddingCache(folder_store, "enc@1", "text", 2)
    for number in range(20):
        cache.append({f"{number:064x}": np.ones(2, dtype=np.float32)}, {})
    assert main(["compact-cache"]) == 0
    assert collect(folder_store, metrics_dsn)["deleted"] == 40
    assert len(list(folder_store.list("embeddings/"))) == 2
    assert len(cache.find({f"{number:064x}" for number in range(20)})) == 20


@pytest.mark.parametrize("removed", [0, 1, 3])
def test_a_removal_that_is_killed_leaves_nothing_that_looks_whole(
    old: list[str], folder_store: Store, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    """The manifest goes first; what is left is garbage as any other."""
    gc(keep=1, delete=True)
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    delete, left = folder_store.delete, iter(range(removed))

    def die(self: Store, key: str) -> None:
        if next(left, None) is None:
            raise KeyboardInterrupt
        delete(key)

    with monkeypatch.context() as patch:
        patch.setattr(FolderStore, "delete", die)
        with pytest.raises(KeyboardInterrupt):
            gc(keep=1, delete=True)
    assert (old[0] in standing(folder_store)) == (removed == 0)
    collect(folder_store, metrics_dsn, keep=1)
    assert not list(folder_store.list(f"{old[0]}/"))


class Between:
    """Does something in another connection while garbage is collected: when the first prefix is to be removed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, what: Callable[[], object]) -> None:
        hold = History.hold
        self.calls = 0

        def late(history: History, dataset: str) -> object:
            self.calls += 1
            if self.calls == 2:  # the first is for the marks
                what()
            return hold(history, dataset)

        monkeypatch.setattr(History, "hold", late)


@pytest.mark.fault("F23")
def test_what_is_referred_to_after_it_was_judged_is_not_removed(
    old: list[str], folder_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pointer that moves to a release takes its mark away, without which nothing is removed."""
    gc(keep=1, delete=True)
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    Between(monkeypatch, lambda: history.rollback(DATASET, "r0"))
    gc(keep=1, delete=True)
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == "r0"
    assert has_artefact(folder_store, old[0])
    assert not has_artefact(folder_store, old[1])


@pytest.mark.fault("F23")
def test_nobody_comes_to_refer_to_what_was_removed(
    old: list[str], folder_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rollback that had read the release whole is refused, also where garbage waits for nothing."""

    def removed_meanwhile(*_: object) -> None:
        gc(keep=1, grace=0, delete=True)
        gc(keep=1, grace=0, delete=True)

    monkeypatch.setattr("tasks.steps.rollback.verify_release", removed_meanwhile)
    with pytest.raises(TaskError, match=f"{old[1]} was removed as garbage at .* expected it to stand"):
        rollback(dataset=DATASET, release="r1")
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == "r5"
    with pytest.raises(TaskError, match="was removed as garbage"):
        history.wait(DATASET, "run-of-r1", "ease", "r1", {}, "hash")


def read_whole(store: Store, dataset: str, release: str) -> None:
    """What a rollback asks, of the small releases here."""
    read_artefact(store, release_prefix(dataset, release)).verify()


@pytest.mark.fault("F23")
def test_what_is_served_is_whole_while_garbage_is_collected_all_the_time(
    old: list[str], folder_store: Store, history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rollbacks to releases that are garbage either serve one that stays, or are refused; grace or not."""
    monkeypatch.setattr("tasks.steps.rollback.verify_release", read_whole)
    done, said = threading.Event(), list[str]()

    def collect_always() -> None:
        while not done.is_set():
            gc(keep=1, grace=0, delete=True)

    collector = threading.Thread(target=collect_always)
    collector.start()
    try:
        for name in ("r1", "r3", "r0", "r5", "r2", "r4") * 2:
            try:
                rollback(dataset=DATASET, release=name)
                said.append(name)
            except TaskError as error:
                assert "removed as garbage" in str(error) or "is not in" in str(error)  # noqa: PT017
            champion = history.champion(DATASET)
            assert champion is not None
            read_whole(folder_store, DATASET, champion.release)
    finally:
        done.set()
        collector.join()
    assert "r5" in said
    assert not all(has_artefact(folder_store, prefix) for prefix in old)


@pytest.mark.fault("F23")
@pytest.mark.parametrize("grace", [0, 48])
def test_a_publication_of_old_content_while_garbage_is_collected(
    folder_store: Store, history: History, metrics_dsn: str, monkeypatch: pytest.MonkeyPatch, grace: int
) -> None:
    """It stands already, and nobody has referred to it for long: it stays, or is written anew by the next try."""
    for number, seed in enumerate((1, 2, 3)):
        reach_publish(folder_store, history, f"night{number}", {"popularity": 0.3}, log_seed=seed)
        publish(run=f"night{number}", force_publish=True)
    first = history.releases(DATASET)[-1].release
    age(folder_store, metrics_dsn, LONG)
    gc(keep=1, delete=True)
    execute(metrics_dsn, "UPDATE rec.garbage SET marked_at = marked_at - %s", timedelta(hours=49))
    reach_publish(folder_store, history, "again", {"popularity": 0.3}, log_seed=1)
    verify = verify_release

    def then_collect(store: Store, dataset: str, name: str) -> None:
        verify(store, dataset, name)
        for _ in range(2):
            gc(keep=1, grace=grace, delete=True)

    with monkeypatch.context() as patch:
        patch.setattr("tasks.steps.publish.verify_release", then_collect)
        if grace:
            assert publish(run="again", force_publish=True)["release"] == first
        else:
            with pytest.raises(TaskError, match=f"{first} was removed as garbage"):
                publish(run="again", force_publish=True)
    assert publish(run="again", force_publish=True)["release"] == first
    verify_release(folder_store, DATASET, first)
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == first


def test_bad_limits_and_unknown_datasets_are_refused(folder_store: Store, history: History) -> None:
    """Before anything is looked at."""
    for options in ({"keep": 0}, {"days": 0}, {"grace": -1}):
        with pytest.raises(BadInput, match=r"found, expected at least"):
            gc(**options)  # type: ignore[arg-type]
    with pytest.raises(NotFound, match="dataset 'books' has neither a release nor a run"):
        gc(dataset="books")
