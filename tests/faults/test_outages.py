"""Servers and processes that are killed at the worst moment, and many that want the same: small, and for real."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic
from typing import Any

import psycopg2
import pytest

from local.postgres import Postgres
from local.processes import send, wait_ended
from local.s3 import S3
from local.service import Service, running
from local.state import State
from tasks.encoders import pipeline
from tasks.encoders.cache import EmbeddingCache
from tasks.errors import NotFound, TaskError
from tasks.releases.verify import verify_release
from tasks.steps.evaluate import evaluate
from tasks.steps.extract import extract
from tasks.steps.publish import publish
from tasks.steps.recommend import recommend
from tasks.steps.refit import refit
from tasks.store import History, Store, has_artefact, open_store, read_artefact
from tasks.store.s3 import S3Store
from tests.faults.child import fork, own_settings, type_command
from tests.faults.world import RUN, make_catalogue, use_encoders
from tests.steps.night import DATASET, reach_publish

pytestmark = pytest.mark.services
STEP = 40  # operations of `publish` from one kill to the next


def kill(server: Service) -> None:
    """End a server as the kernel does that has no memory left."""
    leader = server.identity
    assert leader is not None
    send(leader, signal.SIGKILL)
    assert wait_ended([leader], 30) == set()


def start_again(server: Service) -> float:
    """Start it, wait until it answers; returns the seconds."""
    begun = monotonic()
    server.launch()
    server.wait()
    return monotonic() - begun


@pytest.fixture
def postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Postgres]:
    """A database server of the test's own, with the metrics schema."""
    server = Postgres(State(tmp_path / "postgres"), bound=True)
    with running(server):
        monkeypatch.setenv("RECSYS_METRICS_DSN", server.dsn())
        with History(server.dsn()) as history:
            history.migrate()
        yield server


@pytest.fixture
def s3(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3]:
    """An S3 server of the test's own."""
    server = S3(State(tmp_path / "s3"), bound=True)
    with running(server):
        for name, value in {**server.environment(), "RECSYS_STORE": "s3://outage"}.items():
            monkeypatch.setenv(name, value)
        yield server


def rows(dsn: str, statement: str) -> list[tuple[Any, ...]]:
    """What a database answers."""
    with closing(psycopg2.connect(dsn)) as database, database.cursor() as sql:
        sql.execute(statement)
        return sql.fetchall()


@pytest.mark.fault("F9")
def test_a_database_that_is_killed_while_metrics_are_written_gets_them_once(
    folder_store: Store, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, record_property: Callable[..., None]
) -> None:
    """Away when it is written or asked, it makes a fault of one sentence; when it is back the same steps end well."""
    dsn, count = postgres.dsn(), "SELECT count(*), count(DISTINCT (model, split, metric, k, segment)) FROM rec.metric"
    with History(dsn) as history:
        reach_publish(folder_store, history, "r1", {"ease": 0.3})

    record_metrics = History.record_metrics

    def dies(self: History, *arguments: Any) -> None:
        kill(postgres)
        record_metrics(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(History, "record_metrics", dies)
        with pytest.raises(TaskError, match="broke off"):
            evaluate(run="r1", model="ease")
    record_property("recovered", start_again(postgres))
    assert rows(dsn, count) == [(0, 0)]
    for _ in range(2):
        evaluate(run="r1", model="ease")
        ((written, distinct),) = rows(dsn, count)
        assert written == distinct > 0
    refit(run="r1", threads=1)

    kill(postgres)
    for step in (lambda: publish(run="r1"), lambda: recommend(dataset=DATASET, user=["viewer 1"])):
        with pytest.raises(TaskError, match="no connection to database postgres at") as caught:
            step()
        assert caught.value.exit_code == 1
        assert postgres.password("postgres") not in str(caught.value)
    assert not list(folder_store.list("releases/"))
    start_again(postgres)
    assert publish(run="r1")["published"]


@pytest.mark.fault("F11")
def test_an_s3_server_that_is_killed_during_extract_costs_one_part(
    s3: S3, monkeypatch: pytest.MonkeyPatch, record_property: Callable[..., None]
) -> None:
    """The step gives up with a sentence, nothing of it can be seen, and the next try encodes only what is missing."""
    monkeypatch.setenv("RECSYS_METRICS_DSN", "none")
    monkeypatch.setattr(pipeline, "PART", pipeline.BATCH)
    use_encoders(monkeypatch)
    store = open_store()
    make_catalogue(store)
    append = EmbeddingCache.append

    def dies(self: EmbeddingCache, *arguments: Any) -> None:
        append(self, *arguments)
        if s3.identity:
            kill(s3)

    with monkeypatch.context() as patch:
        patch.setattr(EmbeddingCache, "append", dies)
        with pytest.raises(TaskError, match="does not answer") as caught:
            extract(run=RUN, feature="plot")
    assert caught.value.exit_code == 1
    record_property("recovered", start_again(s3))
    assert not has_artefact(store, f"runs/{RUN}/extract-plot")
    said = extract(run=RUN, feature="plot")
    assert said["cached"] == pipeline.BATCH
    read_artefact(store, f"runs/{RUN}/extract-plot").verify()


@pytest.mark.fault("F11")
@pytest.mark.parametrize("files", [1, 7])
def test_an_s3_server_that_is_killed_while_a_release_is_written_leaves_what_is_served(
    s3: S3, history: History, monkeypatch: pytest.MonkeyPatch, files: int, record_property: Callable[..., None]
) -> None:
    """Half a release is none, the champion stays and answers, and the next try writes it whole."""
    store = open_store()
    reach_publish(store, history, "r1", {"popularity": 0.3})
    reach_publish(store, history, "r2", {"ease": 0.3}, log_seed=1, inputs=2)
    before = publish(run="r1")["release"]
    put_file, written = S3Store.put_file, list[str]()

    def dies(self: S3Store, key: str, path: Path) -> None:
        if key.startswith("releases/"):
            written.append(key)
            if len(written) > files and s3.identity:
                kill(s3)
        put_file(self, key, path)

    with monkeypatch.context() as patch:
        patch.setattr(S3Store, "put_file", dies)
        with pytest.raises(TaskError, match="does not answer"):
            publish(run="r2", force_publish=True)
    record_property("recovered", start_again(s3))
    assert not has_artefact(store, written[0].rpartition("/")[0])
    champion = history.champion(DATASET)
    assert champion is not None
    assert champion.release == before
    assert recommend(dataset=DATASET, user=["viewer 1"])
    after = publish(run="r2", force_publish=True)["release"]
    verify_release(store, DATASET, str(after))
    assert after != before


@pytest.mark.fault("F4")
def test_a_publish_that_is_killed_again_and_again_shows_whole_releases_only(
    folder_store: Store, history: History, tmp_path: Path
) -> None:
    """Killed at each of its operations in turn, after any number of files: what is served is whole, or nothing is."""
    reach_publish(folder_store, history, "r1", {"ease": 0.3})
    log, codes, seen = tmp_path / "log", list[int](), set[tuple[bool, bool]]()
    while 0 not in codes:
        done = fork(log, own_settings(), type_command, ["publish", "--run", "r1"], STEP * (len(codes) + 1))
        codes.append(done.code)
        champion = history.champion(DATASET)
        keys = {info.key for info in folder_store.list("releases/")}
        whole = {key for key in keys if key.endswith("/manifest.json")}
        seen.add((bool(keys), bool(whole)))
        for key in whole:
            verify_release(folder_store, DATASET, key.split("/")[2])
        if not whole:
            assert champion is None
            for key in keys:
                with pytest.raises(NotFound):
                    recommend(dataset=DATASET, user=["viewer 1"], release=key.split("/")[2])
    assert set(codes) == {0, -signal.SIGKILL}, log.read_text()
    assert (True, False) in seen  # it died within a release
    assert champion is not None
    assert champion.version == 1


@pytest.mark.fault("F13")
def test_of_several_publishers_at_once_each_compares_with_what_it_replaces(
    folder_store: Store, history: History, metrics_dsn: str, tmp_path: Path
) -> None:
    """Processes that publish different releases: losers say so and are tried again, and the moves are one chain."""
    runs = {f"r{seed}": seed for seed in range(4)}
    for run, seed in runs.items():
        reach_publish(folder_store, history, run, {"popularity": 0.3}, log_seed=seed)

    def press(run: str) -> int:
        log = tmp_path / f"{run}.log"
        return fork(log, own_settings(), type_command, ["publish", "--run", run, "--force-publish"], 0).code

    waiting = list(runs)
    while waiting:
        with ThreadPoolExecutor(len(waiting)) as pool:
            codes = dict(zip(waiting, pool.map(press, waiting), strict=True))
        assert set(codes.values()) <= {0, 1}, [(tmp_path / f"{run}.log").read_text() for run in waiting]
        assert 0 in codes.values()
        waiting = [run for run, code in codes.items() if code]
        for run in waiting:
            assert "changed while" in (tmp_path / f"{run}.log").read_text()
    moves = rows(metrics_dsn, "SELECT version, previous, release FROM rec.pointer_move ORDER BY version")
    assert [version for version, _, _ in moves] == [1, 2, 3, 4]
    assert [previous for _, previous, _ in moves] == [None, *(release for _, _, release in moves[:-1])]
    for _, _, release in moves:
        verify_release(folder_store, DATASET, release)


@pytest.mark.fault("F19")
def test_a_machine_of_another_time_zone_writes_the_same_times(
    folder_store: Store, history: History, metrics_dsn: str, tmp_path: Path
) -> None:
    """What is kept is in UTC, in the store, or with its zone, in the database."""
    reach_publish(folder_store, history, "r1", {"popularity": 0.3})
    before = datetime.now(UTC)
    far = {**own_settings(), "TZ": "Asia/Tokyo", "PGTZ": "Asia/Tokyo"}
    assert fork(tmp_path / "log", far, type_command, ["publish", "--run", "r1"], 0).code == 0
    after = datetime.now(UTC)
    champion = history.champion(DATASET)
    assert champion is not None
    release = read_artefact(folder_store, f"releases/{DATASET}/{champion.release}")
    assert release.manifest.created_at.utcoffset() == timedelta(0)
    for written in (release.manifest.created_at, champion.since):
        assert before <= written <= after
    without = "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'rec' AND data_type"
    assert rows(metrics_dsn, f"{without} = 'timestamp without time zone'") == []
