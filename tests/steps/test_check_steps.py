"""The two validation steps on a real store and a real metrics database."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg2
import pytest

from tasks.data import Interactions
from tasks.errors import NotFound, ValidationFailed
from tasks.quality import Report
from tasks.runs.config import RunConfig
from tasks.runs.inventory import COLUMNS, count_items
from tasks.runs.plan import Plan
from tasks.steps.align import align
from tasks.steps.check_dataset import check_dataset
from tasks.steps.check_embeddings import check_embeddings
from tasks.steps.extract import extract
from tasks.steps.prepare import prepare
from tasks.store import History, Store, read_artefact, write_artefact

pytestmark = pytest.mark.services

RUN, ITEMS, USERS, WIDTH = "manual__2026-01-02T03:04:05+00:00", 24, 30, 6
MODALITIES = ("image", "text")
IDS = [f"{number:03d}" for number in range(ITEMS)]  # words that look like numbers: nobody may drop their zeros


def write_log(store: Store, tmp_path: Path, ids: list[str]) -> str:
    """A log in which every user clicks twelve items; returns its prefix."""
    users = np.repeat(np.arange(USERS, dtype=np.int32), 12)
    items = (users + np.tile(np.arange(0, 24, 2, dtype=np.int32), USERS)) % ITEMS
    user_ids = np.array([f"user-{number}" for number in range(USERS)])
    Interactions(users, items.astype(np.int32), user_ids, np.array(ids)).save(tmp_path / "log.parquet")
    prefix = "interactions/demo/one"
    with write_artefact(store, prefix) as out:
        out.file("interactions.parquet").write_bytes((tmp_path / "log.parquet").read_bytes())
    return prefix


def write_plan(store: Store, plan: dict[str, Any]) -> None:
    """What `scan` wrote."""
    with write_artefact(store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan)
        out.frame("inventory.parquet", pd.DataFrame(columns=COLUMNS, dtype=str))
        items = {modality: {str(number) for number in range(ITEMS)} for modality in MODALITIES}
        out.counts.update(count_items(items))


def write_embeddings(store: Store, arrays: dict[str, np.ndarray], ids: list[str]) -> None:
    """Ready-made matrices, and what `extract` and `align` make of them."""
    for modality, array in arrays.items():
        with write_artefact(store, f"matrices/demo/{modality}/one") as out:
            out.array("vectors.npy", array)
            out.frame("items.csv", pd.DataFrame({"item_id": ids}))
        extract(run=RUN, feature=modality)
    align(run=RUN)


def rewrite_aligned(store: Store, name: str, array: np.ndarray) -> None:
    """Another matrix in what `align` wrote, with a manifest that follows it, as if the step had made the mistake."""
    before = read_artefact(store, f"runs/{RUN}/align")
    inputs = [read_artefact(store, prefix) for prefix in before.manifest.inputs]
    with write_artefact(store, before.prefix, inputs=inputs) as out:
        for file in before.manifest.files:
            out.copy(file, before)
        out.array(name, array)
        out.counts.update(before.manifest.counts)


@pytest.fixture
def arrays() -> dict[str, np.ndarray]:
    """Sound vectors."""
    rng = np.random.default_rng(1)
    return {modality: rng.normal(size=(ITEMS, WIDTH)).astype(np.float32) for modality in MODALITIES}


@pytest.fixture
def night(folder_store: Store, history: History, tmp_path: Path, arrays: dict[str, np.ndarray]) -> Store:
    """A store in which a run has come as far as `align`, and the metrics database that knows of the run."""
    config = RunConfig(dataset="demo", modalities=["image", "text"], encoder="audioclip-demo", models=["ease"])
    log = write_log(folder_store, tmp_path, IDS)
    matrices = {modality: f"matrices/demo/{modality}/one" for modality in MODALITIES}
    plan = Plan(run=RUN, config=config, interactions=log, matrices=matrices, inputs_hash="0" * 64)
    write_plan(folder_store, plan.model_dump(mode="json"))
    write_embeddings(folder_store, arrays, IDS)
    history.start_run(RUN, "demo", config.model_dump(mode="json"), None)
    return folder_store


def kept_report(store: Store, suite: str) -> Report:
    """The report as it lies in the store."""
    return Report.model_validate(read_artefact(store, f"runs/{RUN}/{suite}").json("report.json"))


def recorded(dsn: str, suite: str) -> tuple[bool, int, int, list[tuple[str, str, list[str]]]]:
    """What the metrics database holds of a suite: success, evaluated, failed, and what failed with its ids."""
    connection = psycopg2.connect(dsn)
    try:
        with connection.cursor() as sql:
            sql.execute(
                "SELECT success, evaluated, failed FROM rec.validation WHERE run = %s AND suite = %s", (RUN, suite)
            )
            ((success, evaluated, failed),) = sql.fetchall()
            sql.execute(
                "SELECT expectation, column_name, sample_ids FROM rec.validation_failures "
                "WHERE run = %s AND suite = %s",
                (RUN, suite),
            )
            return success, evaluated, failed, sql.fetchall()
    finally:
        connection.close()


def test_a_good_night_passes_both_checks(night: Store, metrics_dsn: str) -> None:
    """Sound embeddings and the dataset prepared from them pass; both reports are in store and database."""
    results = {"check-embeddings": check_embeddings(run=RUN)}
    prepare(run=RUN)
    results["check-dataset"] = check_dataset(run=RUN)
    for suite, result in results.items():
        report = kept_report(night, suite)
        assert report.success
        assert result == {
            "checked": f"runs/{RUN}/{suite}",
            "expectations": len(report.results),
            "failed": 0,
            "warnings": 0,
        }
        assert recorded(metrics_dsn, suite) == (True, len(report.results), 0, [])


def test_a_check_records_what_the_steps_before_it_counted(night: Store, history: History) -> None:
    """Also of steps that have no database; they are on the history page though the run may end here."""
    check_embeddings(run=RUN)
    found: dict[str, dict[str, int]] = {}
    for step, name, value in history._rows("SELECT step, name, value FROM rec.step_count ORDER BY step, position"):
        found.setdefault(step, {})[name] = value
    steps = ("scan", "extract-image", "extract-text", "align")
    assert found == {step: read_artefact(night, f"runs/{RUN}/{step}").manifest.counts for step in steps}


def test_the_log_of_a_check_says_what_was_checked_and_where_the_report_is(
    night: Store, caplog: pytest.LogCaptureFixture
) -> None:
    """Each expectation with what was observed, also where all hold."""
    caplog.set_level(logging.INFO)
    check_embeddings(run=RUN)
    for check in kept_report(night, "check-embeddings").results:
        said = f"{check.expectation} of {check.column}: expected {check.expected}, observed {check.observed}"
        assert any(message.startswith(said) for message in caplog.messages)
    assert f"written to {night.url}/runs/{RUN}/check-embeddings: profiles.json, report.json" in caplog.messages


def test_bad_embeddings_stop_the_run_with_evidence(
    night: Store, metrics_dsn: str, arrays: dict[str, np.ndarray], caplog: pytest.LogCaptureFixture
) -> None:
    """A NaN is reported by item id in the message, the log, the store and the database; exit code 10."""
    arrays["text"][3, 2] = np.nan
    write_embeddings(night, arrays, IDS)
    with (
        caplog.at_level(logging.ERROR),
        pytest.raises(ValidationFailed, match=r"^check-embeddings: 1 of \d+ ") as error,
    ):
        check_embeddings(run=RUN)
    assert error.value.exit_code == 10
    assert str(error.value).endswith(
        "first vectors_are_finite of text: expected no NaN and no infinity, observed 1 of 24 otherwise (003)"
    )
    assert "vectors_are_finite of text: expected no NaN" in caplog.text
    report = kept_report(night, "check-embeddings")
    assert [(check.expectation, check.sample_ids) for check in report.failures] == [("vectors_are_finite", ["003"])]
    assert recorded(metrics_dsn, "check-embeddings")[2:] == (1, [("vectors_are_finite", "text", ["003"])])


@pytest.mark.parametrize("limit", ["min_coverage", "min_item_coverage"])
def test_the_coverage_demanded_is_the_configs(
    night: Store, arrays: dict[str, np.ndarray], limit: str, tmp_path: Path
) -> None:
    """A log of which one item in 25 has no features is refused by a config that demands all, and by no looser one."""
    write_log(night, tmp_path, [*IDS[:-1], "unseen"])
    plan = read_artefact(night, f"runs/{RUN}/scan").json("plan.json")
    check_embeddings(run=RUN)
    for value in (1.0, 0.5):
        plan["config"] |= {"min_coverage": 0.5, "min_item_coverage": 0.5, limit: value}
        write_plan(night, plan)
        write_embeddings(night, arrays, IDS)
        if value < 1:
            check_embeddings(run=RUN)
        else:
            with pytest.raises(ValidationFailed, match="1 of"):
                check_embeddings(run=RUN)


def test_the_width_of_extraction_is_demanded(night: Store, arrays: dict[str, np.ndarray]) -> None:
    """Vectors of another width than those extracted fail."""
    rewrite_aligned(night, "image.npy", np.hstack([arrays["image"], arrays["image"]]))
    with pytest.raises(ValidationFailed, match="rows_equal_extracted of image"):
        check_embeddings(run=RUN)
    failures = kept_report(night, "check-embeddings").failures
    assert [check.expectation for check in failures] == ["rows_equal_extracted", "width_is_as_declared"]
    assert failures[1].observed == "(24, 12)"


def test_a_renumbered_log_stops_the_run(night: Store, arrays: dict[str, np.ndarray], tmp_path: Path) -> None:
    """A log of items 0..23 against features keyed by raw ids fails the id-space check by name."""
    raw = [str(2 + 3 * number // 2) for number in range(ITEMS)]
    write_embeddings(night, arrays, raw)
    write_log(night, tmp_path, [str(number) for number in range(ITEMS)])
    with pytest.raises(ValidationFailed):
        check_embeddings(run=RUN)
    assert "id_spaces_agree" in {check.expectation for check in kept_report(night, "check-embeddings").failures}


def test_a_bad_dataset_stops_the_run_with_evidence(
    night: Store, metrics_dsn: str, arrays: dict[str, np.ndarray]
) -> None:
    """Features that changed after they were prepared are no longer those of the dataset."""
    prepare(run=RUN)
    arrays["text"][[3, 4]] = arrays["text"][[4, 3]]
    rewrite_aligned(night, "text.npy", arrays["text"])
    with pytest.raises(
        ValidationFailed, match=r"^check-dataset: 2 of \d+ expectations failed, first made_from_what_stands_there"
    ):
        check_dataset(run=RUN)
    assert recorded(metrics_dsn, "check-dataset")[3][0] == ("rows_equal_their_source", "text", ["003", "004"])


def test_a_second_attempt_replaces_the_first(night: Store, metrics_dsn: str, arrays: dict[str, np.ndarray]) -> None:
    """After the fault is mended the same run passes, and nothing is left of the failure."""
    spoilt = {**arrays, "text": np.zeros_like(arrays["text"])}
    write_embeddings(night, spoilt, IDS)
    with pytest.raises(ValidationFailed):
        check_embeddings(run=RUN)
    write_embeddings(night, arrays, IDS)
    check_embeddings(run=RUN)
    assert kept_report(night, "check-embeddings").success
    assert recorded(metrics_dsn, "check-embeddings")[2:] == (0, [])


def test_a_run_that_was_not_planned_is_named(night: Store) -> None:
    """A run that no `scan` has planned is not found, rather than found to be bad."""
    with pytest.raises(NotFound, match="scan"):
        check_embeddings(run="another")
