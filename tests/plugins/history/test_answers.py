"""A stranger's questions about thirty nights, asked of the API that the page uses."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest

from tests.plugins.history import nights
from tests.plugins.history.nights import FAILED, NIGHTS, REJECTED, ROLLED_BACK, SKIPPED, WARNED, release_of, run_of

Ask = Callable[..., Any]


def test_which_model_serves_since_when_and_why(ask: Ask) -> None:
    """With the figures of the gate."""
    served = ask("overview")["served"]
    assert (served["model"], served["release"], served["run"]) == ("vbpr", release_of(NIGHTS), run_of(NIGHTS))
    assert (served["since"], served["how"]) == ("2026-11-30T02:44:00Z", "promoted")
    assert served["why"].startswith("ndcg@20 0.1100, +0.0010 [")


def test_what_changed_last_night(ask: Ask) -> None:
    """Each count beside that of the run before."""
    counts = {(row["step"], row["name"]): row for row in ask("overview")["counts"]}
    assert counts["scan", "names"] | {"step": 0, "name": 0} == {"step": 0, "name": 0, "value": 390, "before": 387}
    assert counts["scan", "new_media"]["value"] == 9


def test_which_expectation_failed_and_for_which_items(ask: Ask) -> None:
    """What stopped the 12th night, also seen from the overview."""
    unmet = ask("run", run=run_of(FAILED))["unmet"]
    assert [(row["expectation"], row["column_name"], row["sample_ids"]) for row in unmet] == [
        ("vectors_are_finite", "audio", nights.BAD)
    ]
    assert {row["run"] for row in ask("overview")["unmet"]} == {run_of(FAILED), run_of(WARNED)}


def test_how_a_metric_moved_over_thirty_nights(ask: Ask) -> None:
    """NDCG@20 of VBPR on test, with its interval; nights that trained nothing have no point."""
    answer = ask("metrics", model="vbpr")
    rows = answer["rows"]
    assert [row["run"] for row in rows] == [run_of(n) for n in range(1, NIGHTS + 1) if n not in {SKIPPED, FAILED}]
    assert (rows[0]["value"], rows[-1]["value"]) == (0.081, 0.11)
    assert all(row["low"] < row["value"] < row["high"] for row in rows)
    assert (answer["total"], answer["every"]) == (NIGHTS - 2, 1)


def test_what_happened_meanwhile(ask: Ask) -> None:
    """A rollback, a rejection and a failed night are events."""
    events = ask("metrics", model="vbpr")["events"]
    odd = {event["kind"]: event for event in events if event["kind"] != "release"}
    assert {kind: event["run"] for kind, event in odd.items()} == {
        "failed": run_of(FAILED),
        "rejected": run_of(REJECTED),
        "rollback": None,
    }
    assert odd["rollback"]["release"] == release_of(ROLLED_BACK - 1)
    assert "worse by more than the tolerance" in odd["rejected"]["reason"]


def test_metrics_of_a_segment_are_apart(ask: Ask) -> None:
    """Those of users with short histories, without an interval."""
    (row,) = ask("metrics", model="vbpr", segment="short", since="2026-11-30T00:00:00Z")["rows"]
    assert row["value"] == pytest.approx(0.11 * nights.SEGMENTS["short"])
    assert row["low"] is None


def test_of_many_runs_every_nth_is_shown_and_the_newest_always(ask: Ask) -> None:
    """28 trained runs at ten points are every third."""
    answer = ask("metrics", model="vbpr", points=10)
    assert (answer["total"], answer["every"], len(answer["rows"])) == (28, 3, 10)
    assert answer["rows"][-1]["run"] == run_of(NIGHTS)


def test_choices_are_what_there_is(ask: Ask) -> None:
    """For the fields of the page; `all` is the first segment."""
    choices = ask("choices")
    assert choices["models"] == sorted(nights.MODELS)
    assert len(choices["metrics"]) == 16
    assert choices["segments"] == ["all", "long", "medium", "short"]


def test_a_trend_has_its_bounds(ask: Ask) -> None:
    """The share of lost items passed its limit in the 26th night."""
    rows = ask("trend", suite="check-dataset", expectation="drift_items_lost", column="log")["rows"]
    assert {row["most"] for row in rows} == {0.2}
    assert [row["run"] for row in rows if row["value"] > row["most"]] == [run_of(WARNED)]


def test_an_expectation_about_rows_is_followed_by_what_failed(ask: Ask) -> None:
    """It has no number of its own: none may be unexpected."""
    rows = ask("trend", suite="check-embeddings", expectation="vectors_are_finite", column="audio")["rows"]
    assert {row["run"]: (row["value"], row["most"]) for row in rows if row["value"]} == {run_of(FAILED): (2, 0)}


def test_releases_say_when_each_was_served(ask: Ask) -> None:
    """What was rolled back to was served twice; its last time ended with the next night."""
    answer = ask("releases")
    of = {row["release"]: row for row in answer["rows"]}
    assert [name for name, row in of.items() if row["served"]] == [release_of(NIGHTS)]
    back = of[release_of(ROLLED_BACK - 1)]
    assert (back["how"], back["until"]) == ("rolled back", "2026-11-22T02:44:00+00:00")
    assert len(answer["moves"]) == len(of) + 1


def test_two_releases_are_compared(ask: Ask) -> None:
    """Figures, counts and models, side by side."""
    found = ask("diff", one=release_of(20), other=release_of(NIGHTS))
    assert (found["one"]["model"], found["other"]["model"]) == ("hybrid", "vbpr")
    metrics = {(row["split"], row["metric"], row["k"]): row for row in found["metrics"]}
    assert metrics["test", "ndcg", 20]["other"] == 0.11
    counts = {(row["step"], row["name"]): (row["one"], row["other"]) for row in found["counts"]}
    assert counts["publish", "items"] == (353, 383)


def test_what_changed_for_people_from_one_release_to_the_next(ask: Ask) -> None:
    """Recorded when a release was made, with what was served then; of others it is not known."""
    changes = ask("diff", one=release_of(NIGHTS - 1), other=release_of(NIGHTS))["changes"]
    assert (changes["items_new"], changes["users_new"], changes["kept"]) == (3, 1, 0.85)
    assert changes["examples"] == [{"user": "ada", "came": ["film-0310"], "went": ["film-0002"]}]
    assert ask("diff", one=release_of(20), other=release_of(NIGHTS))["changes"] is None


def test_arrivals_of_each_run(ask: Ask) -> None:
    """A night without new media has none."""
    rows = {row["run"]: row for row in ask("arrivals")["rows"]}
    assert (rows[run_of(NIGHTS)]["new_media"], rows[run_of(NIGHTS)]["refused"]) == (9, 3)
    assert (rows[run_of(SKIPPED)]["new_media"], rows[run_of(SKIPPED)]["arrivals"]) == (0, None)


def test_comparisons_are_tables_over_seeds(ask: Ask) -> None:
    """Mean and deviation of three seeds."""
    assert [row["run"] for row in ask("comparisons")["rows"]] == [run_of(NIGHTS)]
    row = ask("comparison", run=run_of(NIGHTS))["rows"][0]
    assert (row["model"], row["seeds"], row["mean"]) == ("lightgcn", 3, pytest.approx(0.09))


def test_runs_are_paged(ask: Ask) -> None:
    """The newest first."""
    answer = ask("runs", limit=5, offset=25)
    assert (answer["total"], [row["run"] for row in answer["rows"]]) == (30, [run_of(n) for n in (5, 4, 3, 2, 1)])


@pytest.mark.parametrize(
    ("name", "parameters"), [("run", {"run": "x"}), ("diff", {"one": "x", "other": "y"})], ids=["run", "release"]
)
def test_what_there_is_not_is_named(viewer: Any, name: str, parameters: dict[str, str]) -> None:
    """With 404, which says what was expected."""
    answer = viewer.get(f"/recsys/api/{name}", params={"dataset": nights.DATASET} | parameters)
    assert answer.status_code == 404
    assert "'x'" in answer.json()["detail"]


def test_a_download_is_a_file_of_all_rows(viewer: Any) -> None:
    """As CSV, with the same figures as the page."""
    answer = viewer.get("/recsys/api/metrics", params={"dataset": nights.DATASET, "model": "vbpr", "format": "csv"})
    assert answer.headers["content-disposition"] == 'attachment; filename="cinema-ndcg@20-test-all.csv"'
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert (len(rows), rows[-1]["value"], rows[-1]["model"]) == (28, "0.11", "vbpr")
    as_json = viewer.get("/recsys/api/metrics", params={"dataset": nights.DATASET, "model": "vbpr", "format": "json"})
    assert len(as_json.json()) == 28


def test_a_download_as_parquet_has_types(viewer: Any) -> None:
    """Times are times and figures are numbers; what is nested is JSON; of no rows it is a file all the same."""
    import pyarrow as pa
    from pyarrow import parquet
    from recsys.history.answers import write_parquet

    names = {"dataset": nights.DATASET, "format": "parquet"}
    answer = viewer.get("/recsys/api/metrics", params=names | {"model": "vbpr"})
    assert answer.headers["content-disposition"].endswith('.parquet"')
    table = parquet.read_table(io.BytesIO(answer.content))
    assert (table.num_rows, table.schema.field("value").type) == (28, pa.float64())
    assert pa.types.is_timestamp(table.schema.field("started_at").type)
    checks = parquet.read_table(io.BytesIO(viewer.get("/recsys/api/validation", params=names).content))
    assert "null" not in {str(checks.schema.field("sample_ids").type)}
    assert parquet.read_table(io.BytesIO(write_parquet([]))).num_rows == 0


def test_no_cell_of_a_download_is_a_formula(viewer: Any) -> None:
    """Ids are what users made of them."""
    from recsys.history.answers import write_csv

    parameters = {"dataset": nights.DATASET, "run": run_of(WARNED), "format": "csv"}
    text = viewer.get("/recsys/api/validation", params=parameters).text
    assert nights.FORMULA in text
    assert not any(cell.startswith(("=", "+", "@")) for row in csv.reader(io.StringIO(text)) for cell in row)
    assert write_csv([{"name": "=1+1", "value": -0.5}]) == "name,value\n'=1+1,-0.5\n"


def test_a_database_that_does_not_answer_is_said(client: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """With 503, and without its password."""
    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", "postgresql://me:secret@127.0.0.1:1/metrics")
    answer = client("viewer").get("/recsys/api/datasets")
    assert answer.status_code == 503
    assert "does not answer" in answer.json()["detail"]
    assert "secret" not in answer.text


def test_nothing_can_be_written_through_the_connection(filled: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The transaction is read-only, whatever the role could do."""
    import psycopg2
    from recsys.history.reader import reading

    monkeypatch.setenv("AIRFLOW_CONN_METRICS_DB", filled)
    with reading() as db, pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        db.rows("DELETE FROM rec.run RETURNING run")


def test_what_was_told_and_whether_it_arrived(ask: Ask) -> None:
    """The newest first: what is wrong now was not sent yet, and what was wrong is well again."""
    rows = ask("alerts")["rows"]
    assert [row["kind"] for row in rows] == ["unparsed", "recovered", "rejected", "recovered", "failed"]
    assert (rows[0]["what"], rows[0]["failed_attempts"]) == (nights.BROKEN, 3)
    assert rows[0]["error"].startswith("ConnectionRefusedError")
    assert (rows[4]["run"], rows[4]["what"]) == (run_of(FAILED), "validation failed, 1 expectation")
    assert all(row["sent_at"] and row["settled_at"] for row in rows[1:])
    assert len(ask("alerts", limit=2, offset=4)["rows"]) == 1


def test_what_is_wrong_now_is_on_the_overview(ask: Ask) -> None:
    """Also what is of no dataset, such as a DAG file."""
    assert [row["what"] for row in ask("overview")["alerts"]] == [nights.BROKEN]
