"""The metrics history on a real PostgreSQL."""

from __future__ import annotations

import json
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest

from tasks.errors import BadInput, NotFound, TaskError
from tasks.store import History, MetricValue, SegmentValue, open_history, schema
from tasks.store.schema import names, unmigrate

pytestmark = pytest.mark.services
REPORT = {
    "suite": "embeddings",
    "success": False,
    "profiles": [
        {
            "subject": "text",
            "origin": "enc@1",
            "measures": {"rows": 3.0, "cosine": 0.25},
            "sketch": {"scale": 1.0, "fourier": [0.5], "neighbours": {"b": ["a"]}},
        }
    ],
    "results": [
        {
            "expectation": "rows_equal",
            "column": "items",
            "expected": "3",
            "observed": "3",
            "unexpected_count": 0,
            "element_count": 3,
            "sample_ids": [],
            "success": True,
            "severity": "critical",
            "type": "ExpectColumnValuesToBeInSet",
            "arguments": {"column": "good", "mostly": 1.0},
        },
        {
            "expectation": "no_nan",
            "column": "image",
            "expected": "0",
            "observed": "2",
            "unexpected_count": 2,
            "element_count": 3,
            "sample_ids": ["a", "b"],
            "success": False,
            "severity": "critical",
            "type": "ExpectColumnValuesToBeInSet",
            "arguments": {"column": "good", "mostly": 1.0},
        },
    ],
}


def trained(history: History, run: str, model: str = "ease", value: float = 0.3, dataset: str = "d") -> None:
    """Record a run with one trained and evaluated model."""
    history.start_run(run, dataset, {"k": 5})
    history.record_training(run, model, "enc", 7, {"l2": 1.0}, f"runs/{run}/train-{model}")
    history.record_metrics(
        run, model, [MetricValue("valid", "ndcg", 20, value), MetricValue("test", "ndcg", 20, value / 2)]
    )


def rows(dsn: str, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Return the result of a query."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        sql.execute(statement, values)
        return sql.fetchall()


def test_migrating_twice_changes_nothing_and_can_be_undone(empty_dsn: str) -> None:
    """Migrations are applied once, in order, and their rollbacks remove everything."""
    with History(empty_dsn) as history:
        assert history.migrate() == names()
        assert history.migrate() == []
    unmigrate(empty_dsn)
    assert rows(empty_dsn, "SELECT 1 FROM pg_namespace WHERE nspname = 'rec'") == []


def test_migrating_at_the_same_time_is_migrating_once(empty_dsn: str) -> None:
    """Two processes that migrate at once create one schema."""
    applied: list[list[str]] = []

    def go() -> None:
        with History(empty_dsn) as history:
            applied.append(history.migrate())

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(applied) == [[], names()]


def test_every_table_and_view_says_what_it_is_for(metrics_dsn: str) -> None:
    """Users who query the database by hand find comments."""
    silent = rows(
        metrics_dsn,
        "SELECT relname FROM pg_class WHERE relnamespace = 'rec'::regnamespace AND relkind IN ('r', 'v') "
        "AND obj_description(oid, 'pg_class') IS NULL",
    )
    assert silent == []


def test_an_unmigrated_database_says_what_to_run(empty_dsn: str) -> None:
    """The error says how to create the missing tables."""
    with pytest.raises(BadInput, match="python -m tasks migrate"):
        open_history(empty_dsn)


@pytest.mark.fault("F9")
def test_an_unreachable_database_is_named_without_its_password() -> None:
    """The error names the server but not the password."""
    with pytest.raises(TaskError, match=r"metrics at 127\.0\.0\.1:1") as caught:
        open_history("postgresql://me:secret@127.0.0.1:1/metrics")
    assert "secret" not in str(caught.value)


def test_an_address_that_cannot_be_read_stays_secret() -> None:
    """The driver's message quotes the whole DSN, so it is not shown."""
    with pytest.raises(BadInput, match="expected postgresql://") as caught:
        open_history("me:secret@host/metrics")
    assert "secret" not in str(caught.value)


@pytest.mark.fault("F9")
def test_a_connection_that_broke_off_is_a_fault(history: History, metrics_dsn: str) -> None:
    """It may be retried; the error names the server."""
    rows(metrics_dsn, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()")
    for _ in range(2):
        with pytest.raises(TaskError, match="broke off") as caught:
            history.champion("d")
        assert caught.value.exit_code == 1


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without RECSYS_METRICS_DSN there is no default database."""
    monkeypatch.delenv("RECSYS_METRICS_DSN", raising=False)
    with pytest.raises(BadInput, match="RECSYS_METRICS_DSN"):
        open_history()


@pytest.mark.fault("F14")
def test_a_retried_task_leaves_the_same_rows(history: History, metrics_dsn: str) -> None:
    """Every write is an upsert by natural key; only the attempts are counted."""
    for _ in range(2):
        trained(history, "r1")
        history.record_validation("r1", REPORT)
    assert rows(metrics_dsn, "SELECT count(*), max(attempt) FROM rec.training") == [(1, 2)]
    assert rows(metrics_dsn, "SELECT count(*) FROM rec.metric") == [(2,)]
    assert rows(metrics_dsn, "SELECT count(*) FROM rec.validation_result") == [(2,)]
    assert rows(metrics_dsn, "SELECT count(*) FROM rec.profile") == [(1,)]


def test_a_retry_with_fewer_metrics_leaves_none_behind(history: History, metrics_dsn: str) -> None:
    """The metrics of an earlier attempt are not mixed with the new ones."""
    trained(history, "r1")
    history.record_metrics("r1", "ease", [MetricValue("valid", "ndcg", 10, 0.1)])
    assert rows(metrics_dsn, "SELECT k FROM rec.metric") == [(10,)]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_metric_that_is_not_finite_is_refused(history: History, metrics_dsn: str, value: float) -> None:
    """The code raises an error, and the database refuses it too."""
    trained(history, "r1")
    with pytest.raises(BadInput, match="finite"):
        history.record_metrics("r1", "ease", [MetricValue("valid", "ndcg", 20, value)])
    with pytest.raises(psycopg2.errors.CheckViolation):
        rows(metrics_dsn, "INSERT INTO rec.metric VALUES ('r1', 'ease', 'valid', 'map', 5, %s) RETURNING 1", value)


def test_metrics_of_an_unknown_run_are_refused(history: History) -> None:
    """The error names the steps that must run first."""
    with pytest.raises(NotFound, match="the steps before it"):
        history.record_metrics("nobody", "ease", [MetricValue("valid", "ndcg", 20, 0.1)])
    with pytest.raises(NotFound, match="nobody"):
        history.finish_run("nobody", "failed")


def test_failed_expectations_can_be_read_for_the_alert(history: History, metrics_dsn: str) -> None:
    """One view has everything that the alert email needs, and no expectation that passed."""
    history.start_run("r1", "d", {})
    history.record_validation("r1", REPORT)
    failures = rows(
        metrics_dsn,
        "SELECT dataset, suite, expectation, column_name, expected, observed, unexpected_count, element_count, "
        "sample_ids FROM rec.validation_failures",
    )
    assert failures == [("d", "embeddings", "no_nan", "image", "0", "2", 2, 3, ["a", "b"])]


def test_every_result_is_a_row_with_what_was_asked(history: History, metrics_dsn: str) -> None:
    """Class, arguments and severity of each expectation, and a warning that is no failure of the suite."""
    warning = REPORT["results"][1] | {"severity": "warning"}  # type: ignore[index]
    history.start_run("r1", "d", {})
    history.record_validation("r1", {**REPORT, "success": True, "results": [REPORT["results"][0], warning]})  # type: ignore[index]
    assert rows(metrics_dsn, "SELECT success, evaluated, failed, warned FROM rec.validation") == [(True, 2, 0, 1)]
    found = rows(metrics_dsn, "SELECT success, severity, type, arguments FROM rec.validation_result ORDER BY position")
    asked = ("ExpectColumnValuesToBeInSet", {"column": "good", "mostly": 1.0})
    assert found == [(True, "critical", *asked), (False, "warning", *asked)]


def test_the_profiles_of_a_check_are_read_again(history: History, metrics_dsn: str) -> None:
    """As they were recorded, and number by number in SQL; those of another check or run are not among them."""
    history.start_run("r1", "d", {})
    history.record_validation("r1", REPORT)
    assert history.profiles("r1", "embeddings") == REPORT["profiles"]
    assert history.profiles("r1", "dataset") == history.profiles("r2", "embeddings") == []
    measured = rows(metrics_dsn, "SELECT dataset, run, subject, measure, value FROM rec.profile_measure ORDER BY 4")
    assert measured == [("d", "r1", "text", "cosine", 0.25), ("d", "r1", "text", "rows", 3.0)]


def test_the_first_release_becomes_champion(history: History) -> None:
    """If nothing is served yet, any release that passed the gate is."""
    trained(history, "r1")
    assert history.champion("d") is None
    assert history.promote("d", "r1", "ease", "aa", {"margin": 0.1}, "h1", seen=None)
    champion = history.champion("d")
    assert champion is not None
    assert (champion.release, champion.model, champion.run, champion.version) == ("aa", "ease", "r1", 1)
    decision = history.last_decision("d")
    assert decision is not None
    assert (decision.outcome, decision.inputs_hash) == ("promoted", "h1")


def test_promoting_against_a_champion_that_moved_changes_nothing(history: History, metrics_dsn: str) -> None:
    """Compare-and-swap: a run that compared with an outdated champion records nothing and must compare again."""
    for run in ("r1", "r2", "r3"):
        trained(history, run)
    assert history.promote("d", "r1", "ease", "aa", {}, "h1", seen=None)
    seen = history.champion("d")
    assert history.promote("d", "r2", "ease", "bb", {}, "h2", seen=seen)
    assert not history.promote("d", "r3", "ease", "cc", {}, "h3", seen=seen)
    assert not history.promote("d", "r3", "ease", "cc", {}, "h3", seen=None)
    champion = history.champion("d")
    assert champion is not None
    assert champion.release == "bb"
    assert rows(metrics_dsn, "SELECT 1 FROM rec.release WHERE release = 'cc'") == []
    assert rows(metrics_dsn, "SELECT 1 FROM rec.decision WHERE run = 'r3'") == []


@pytest.mark.fault("F13")
def test_of_many_promoters_one_wins(metrics_dsn: str, history: History) -> None:
    """Eight connections promote at once."""
    for n in range(8):
        trained(history, f"r{n}")
    won: list[bool] = []
    barrier = threading.Barrier(8)

    def promote(n: int) -> None:
        with open_history(metrics_dsn) as mine:
            barrier.wait()
            won.append(mine.promote("d", f"r{n}", "ease", f"release{n}", {}, "h", seen=None))

    threads = [threading.Thread(target=promote, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(won) == [False] * 7 + [True]


def test_promoting_what_is_served_already_moves_nothing(history: History, metrics_dsn: str) -> None:
    """A repeated promotion, or one by another run with the same release, records the decision but moves no pointer."""
    for run in ("r1", "r2"):
        trained(history, run)
    history.promote("d", "r1", "ease", "aa", {"margin": 0.1}, "h1", seen=None)
    seen = history.champion("d")
    for run in ("r1", "r2"):
        assert history.promote("d", run, "ease", "aa", {"margin": 0.0}, "h1", seen=seen)
    assert history.champion("d") == seen
    assert rows(metrics_dsn, "SELECT count(*) FROM rec.pointer_move") == [(1,)]
    assert rows(metrics_dsn, "SELECT run, outcome FROM rec.decision ORDER BY run") == [
        ("r1", "promoted"),
        ("r2", "promoted"),
    ]
    assert history.promote("d", "r2", "ease", "bb", {}, "h2", seen=seen)
    assert not history.promote("d", "r1", "ease", "aa", {}, "h1", seen=seen)


def test_a_champion_keeps_the_metrics_it_was_promoted_with(history: History) -> None:
    """Later candidates are compared with these metrics, even if the run changes afterwards."""
    trained(history, "r1")
    history.promote("d", "r1", "ease", "aa", {"margin": 0.1}, "h1", seen=None)
    history.reject("d", "r1", "ease", {"margin": -0.3}, "h1")
    champion = history.champion("d")
    assert champion is not None
    assert champion.gate == {"margin": 0.1}


def test_promotions_are_what_was_served_in_a_time(history: History, metrics_dsn: str) -> None:
    """With the report of the first promotion; what was rejected is none. The clock is the database's."""
    trained(history, "r1")
    history.promote("d", "r1", "ease", "aa", {"margin": 0.1}, "h1", seen=None)
    history.promote("d", "r1", "ease", "aa", {"margin": 0.2}, "h1", seen=history.champion("d"))
    history.reject("d", "r1", "ease", {"margin": -0.3}, "h1")
    (found,) = history.promotions("d", timedelta(days=30))
    assert (found.release, found.gate) == ("aa", {"margin": 0.1})
    assert history.promotions("other", timedelta(days=30)) == []
    rows(metrics_dsn, "UPDATE rec.release SET created_at = created_at - interval '31 days' RETURNING 1")
    assert history.promotions("d", timedelta(days=30)) == []
    history.promote("d", "r1", "ease", "bb", {}, "h1", seen=history.champion("d"))
    served = {one.release for one in history.promotions("d", timedelta(days=30))}
    assert served == {"aa", "bb"}  # the first was replaced just now


def test_inputs_are_numbered_in_the_order_in_which_they_are_found(history: History) -> None:
    """The same again is the same number, and what comes back is new: no clock is asked."""
    first, second = {"media": "a", "interactions": "1"}, {"media": "a", "interactions": "2"}
    found = [history.number_inputs("d", state) for state in (first, first, second, second, first)]
    assert found == [1, 1, 2, 2, 3]
    assert history.number_inputs("other", first) == 1


def test_a_champion_is_as_new_as_the_last_run_that_came_to_it(history: History) -> None:
    """A later run with the same content confirms it; a rejected run does not."""
    for run in ("r1", "r2", "r3"):
        trained(history, run)
    history.promote("d", "r1", "ease", "aa", {"candidate": {}}, "h1", seen=None)
    champion = history.champion("d")
    assert champion is not None
    assert champion.inputs is None
    for run, inputs in (("r2", 4), ("r1", 2)):
        history.promote("d", run, "ease", "aa", {"candidate": {"inputs": inputs}}, "h", seen=champion)
    history.reject("d", "r3", "ease", {"candidate": {"inputs": 9}}, "h3")
    champion = history.champion("d")
    assert champion is not None
    assert (champion.inputs, champion.gate) == (4, {"candidate": {}})


def test_a_decision_ends_its_run(history: History, metrics_dsn: str) -> None:
    """The run's status shows the outcome."""
    for run in ("r1", "r2", "r3"):
        trained(history, run)
    history.promote("d", "r1", "ease", "aa", {}, "h1", seen=None)
    history.reject("d", "r2", "ease", {}, "h2")
    history.finish_run("r3", "failed")
    runs = rows(metrics_dsn, "SELECT run, status, finished_at IS NOT NULL FROM rec.run ORDER BY run")
    assert runs == [("r1", "published", True), ("r2", "rejected", True), ("r3", "failed", True)]
    history.start_run("r3", "d", {})
    assert rows(metrics_dsn, "SELECT status, finished_at FROM rec.run WHERE run = 'r3'") == [("running", None)]


def test_a_rejected_run_is_a_decision_and_moves_nothing(history: History) -> None:
    """A rejection is recorded, so that the run is not repeated while nothing has changed."""
    trained(history, "r1")
    history.promote("d", "r1", "ease", "aa", {}, "h1", seen=None)
    trained(history, "r2")
    history.reject("d", "r2", "ease", {"margin": -0.2}, "h2")
    champion, decision = history.champion("d"), history.last_decision("d")
    assert champion is not None
    assert decision is not None
    assert champion.release == "aa"
    assert (decision.run, decision.outcome, decision.inputs_hash) == ("r2", "rejected", "h2")


def test_what_waits_is_not_decided_and_its_run_goes_on(history: History, metrics_dsn: str) -> None:
    """Neither for the next `scan` nor for those who read the history; the schema has no row with half an answer."""
    history.start_run("r1", "d", {})
    history.wait("d", "r1", "ease", "one", {}, "h")
    assert history.last_decision("d") is None
    assert rows(metrics_dsn, "SELECT outcome, release FROM rec.decision") == [("waiting", "one")]
    assert rows(metrics_dsn, "SELECT status FROM rec.run") == [("running",)]
    for change in ("release = NULL", "answered_by = 'Ada'", "answered_at = now()", "outcome = 'perhaps'"):
        with pytest.raises(psycopg2.errors.CheckViolation):
            rows(metrics_dsn, f"UPDATE rec.decision SET {change} RETURNING 1")


@pytest.mark.fault("F22")
def test_a_rollback_serves_what_was_served_before(history: History) -> None:
    """The default is the previous release; any other can be named; an unknown release is refused."""
    seen = None
    for n in range(3):
        trained(history, f"r{n}")
        assert history.promote("d", f"r{n}", "ease", f"release{n}", {}, "h", seen=seen)
        seen = history.champion("d")
    assert history.rollback("d").release == "release1"
    assert history.rollback("d").release == "release0"
    assert history.rollback("d", "release2").release == "release2"
    with pytest.raises(NotFound, match="release9"):
        history.rollback("d", "release9")
    with pytest.raises(NotFound, match="no release"):
        history.rollback("other")


def test_the_only_release_cannot_be_rolled_back(history: History) -> None:
    """There is no earlier release."""
    trained(history, "r1")
    history.promote("d", "r1", "ease", "aa", {}, "h1", seen=None)
    with pytest.raises(NotFound, match="earlier"):
        history.rollback("d")


def test_the_table_shows_the_change_since_the_run_before(history: History) -> None:
    """The change is per dataset, model, encoder, split, metric and k."""
    for n, value in enumerate((0.2, 0.25)):
        trained(history, f"r{n}", value=value)
    trained(history, "elsewhere", value=0.9, dataset="other")
    table = history.table(dataset="d", model="ease", split="valid", since=None, runs=10)
    table = table[table["metric"] == "ndcg"]
    assert table["value"].tolist() == [0.2, 0.25]
    assert table["change"].iloc[1] == pytest.approx(0.05)
    later = datetime.now(UTC) + timedelta(hours=1)
    assert history.table(dataset=None, model=None, split=None, since=later, runs=10).empty


FEATURES = {"image": {"modality": "image", "encoder": "enc"}, "text": {"modality": "text", "encoder": "enc"}}


def test_changes_are_between_runs_of_equal_features(history: History, metrics_dsn: str) -> None:
    """In whatever order they were named; other features, also by the same encoders, are another story."""
    other = FEATURES | {"sound": {"modality": "audio", "encoder": "enc"}}
    again = dict(reversed(FEATURES.items()))
    for n, features in enumerate((FEATURES, other, again, other)):
        history.start_run(f"r{n}", "d", {})
        history.record_training(f"r{n}", "ease", "enc", 7, {}, "x", features=features)
        history.record_metrics(f"r{n}", "ease", [MetricValue("test", "ndcg", 20, 0.1 * 2**n)])
    found = rows(metrics_dsn, "SELECT run, round(change::numeric, 3)::float FROM rec.metric_change ORDER BY started_at")
    assert found == [("r0", None), ("r1", None), ("r2", 0.3), ("r3", 0.6)]
    assert rows(metrics_dsn, "SELECT features FROM rec.metrics_history WHERE run = 'r1'") == [(other,)]


def test_a_database_from_before_there_were_features_goes_on(empty_dsn: str) -> None:
    """Old trainings get the features that follow from their run's modalities and their encoder; changes go on."""
    with schema._yoyo(empty_dsn) as (backend, migrations), backend.lock():
        backend.apply_migrations(backend.to_apply(migrations).filter(lambda one: one.id == "0001_metrics"))
    configs = {"old": {"modalities": ["text", "image"], "encoder": "enc"}, "odd": {"modalities": "text"}, "none": {}}
    for run, config in configs.items():
        rows(
            empty_dsn,
            "INSERT INTO rec.run (run, dataset, config, started_at) VALUES (%s, 'd', %s, now() - interval '1 day') "
            "RETURNING run",
            *(run, json.dumps(config)),
        )
        rows(
            empty_dsn,
            "INSERT INTO rec.training (run, model, encoder, seed, parameters, artefact) "
            "VALUES (%s, 'ease', 'enc', 7, '{}', 'x') RETURNING run",
            run,
        )
        rows(empty_dsn, "INSERT INTO rec.metric VALUES (%s, 'ease', 'test', 'ndcg', 20, 0.25) RETURNING 1", run)
    with History(empty_dsn) as history:
        assert history.migrate() == names()[1:]
        history.start_run("new", "d", {})
        history.record_training("new", "ease", "enc", 7, {}, "x", features=FEATURES)
        history.record_metrics("new", "ease", [MetricValue("test", "ndcg", 20, 0.5)])
    found = dict(rows(empty_dsn, "SELECT run, features FROM rec.training"))
    assert found == {"old": FEATURES, "new": FEATURES, "odd": {}, "none": {}}
    assert rows(empty_dsn, "SELECT change FROM rec.metric_change WHERE run = 'new'") == [(0.25,)]


def test_media_and_interactions_are_new_until_they_were_seen(history: History) -> None:
    """What is there at the first look and each change are reported, one apart from the other."""
    looks = [("", "x"), ("", "x"), ("a", "x"), ("a", "y"), ("b", None), ("b", None), ("a", "y")]
    found = [history.find_changes("d", media=media, interactions=log) for media, log in looks]
    both = ["media", "interactions"]
    assert found == [["interactions"], [], ["media"], ["interactions"], both, [], both]
    assert history.find_changes("other", media="a", interactions=None) == ["media"]


def test_of_many_looks_at_once_one_reports(metrics_dsn: str) -> None:
    """Also at the first look, when there is no row to lock yet."""
    found: list[list[str]] = []

    def look() -> None:
        with open_history(metrics_dsn) as history:
            found.append(history.find_changes("d", media="a", interactions="x"))

    threads = [threading.Thread(target=look) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == [[]] * 5 + [["media", "interactions"]]


def test_a_look_of_an_earlier_version_is_followed_by_one_report(empty_dsn: str) -> None:
    """Its fingerprint was of both, so what has changed since cannot be known."""
    with schema._yoyo(empty_dsn) as (backend, migrations), backend.lock():
        backend.apply_migrations(backend.to_apply(migrations).filter(lambda one: one.id < "0004"))
    with closing(psycopg2.connect(empty_dsn)) as database, database, database.cursor() as sql:
        sql.execute("INSERT INTO rec.media_seen (dataset, fingerprint) VALUES ('d', 'of both')")
    with History(empty_dsn) as history:
        history.migrate()
        found = [history.find_changes("d", media="a", interactions="x") for _ in range(2)]
    assert found == [["media", "interactions"], []]


def test_segments_are_beside_the_history_of_all(history: History, metrics_dsn: str) -> None:
    """The views of before, and the command, show the segment `all` alone."""
    trained(history, "r1")
    values = [MetricValue("test", "ndcg", 20, 0.3, low=0.2, high=0.4), SegmentValue("test", "ndcg", 20, 0.1, "short")]
    history.record_metrics("r1", "ease", values)
    assert rows(metrics_dsn, "SELECT value, low, high FROM rec.metrics_history") == [(0.3, 0.2, 0.4)]
    assert rows(metrics_dsn, "SELECT count(*) FROM rec.metric_change") == [(1,)]
    found = rows(metrics_dsn, "SELECT segment, value, low FROM rec.segment_history ORDER BY 1")
    assert found == [("all", 0.3, 0.2), ("short", 0.1, None)]


def test_a_retried_step_leaves_its_last_counts(history: History, metrics_dsn: str) -> None:
    """In the order in which it counted."""
    history.start_run("r1", "d", {})
    history.record_counts("r1", "scan", {"names": 3, "gone": 1})
    history.record_counts("r1", "scan", {"names": 4, "new_media": 2})
    found = rows(metrics_dsn, "SELECT name, value FROM rec.step_count WHERE step = 'scan' ORDER BY position")
    assert found == [("names", 4), ("new_media", 2)]


def test_what_was_served_when_follows_from_the_moves(history: History, metrics_dsn: str) -> None:
    """Each time ends with the next, the last one has not ended."""
    for run in ("r1", "r2"):
        trained(history, run)
        history.promote("d", run, "ease", f"release-{run}", {}, "h", seen=history.champion("d"))
    history.rollback("d")
    found = rows(
        metrics_dsn,
        "SELECT release, reason, until = lead(since) OVER (ORDER BY version) FROM rec.served ORDER BY version",
    )
    assert found == [
        ("release-r1", "promoted", True),
        ("release-r2", "promoted", True),
        ("release-r1", "rolled back", None),
    ]


def test_an_expectation_has_its_number_and_its_bounds(history: History, metrics_dsn: str) -> None:
    """Where it has none of its own, the number of unexpected elements, of which its share may be."""
    history.start_run("r1", "d", {})
    plain = REPORT["results"][0]
    number = plain | {"arguments": {"column": "share", "min_value": 0.6}, "value": 0.5}
    share = plain | {"arguments": {"column": "good", "mostly": 0.5}, "unexpected_count": 1}
    history.record_validation("r1", REPORT | {"success": True, "results": [number, share]})
    assert rows(metrics_dsn, "SELECT value, least, most FROM rec.observed ORDER BY position") == [
        (0.5, 0.6, None),
        (1.0, None, 1.0),
    ]
