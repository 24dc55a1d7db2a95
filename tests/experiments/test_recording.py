"""What of a trial becomes rows of the metrics database."""

from __future__ import annotations

import pytest

from tasks.experiments.arms import Arm
from tasks.experiments.recording import DSN, Recorder, metric_values
from tasks.experiments.trials import ComparisonTrial
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.store import SegmentValue, Store, TrialRow, read_artefact, write_artefact
from tasks.training import TrainingOptions


def test_a_part_is_a_split_or_what_competes_on_test() -> None:
    """Name and cutoff are columns of their own."""
    metrics = {"valid": {"ndcg@20": 0.5}, "held-out items": {"recall@5": 0.25, "catalogue": 1.0}}
    assert metric_values(metrics) == [
        SegmentValue("valid", "ndcg", 20, 0.5, segment="all"),
        SegmentValue("test", "recall", 5, 0.25, segment="held-out items"),
        SegmentValue("test", "catalogue", 0, 1.0, segment="held-out items"),
    ]


def test_a_trial_of_an_earlier_call_keeps_what_made_it(folder_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Device and version of the code are those of its training, not of the call that finds it."""
    monkeypatch.delenv(DSN, raising=False)
    monkeypatch.setenv("RECSYS_CODE_VERSION", "earlier")
    config = RunConfig(dataset="d", modalities=["text"], encoder="e", models=["ease"])
    plan = Plan(run="r", config=config, interactions="interactions/d/1", inputs_hash="0")
    with write_artefact(folder_store, "runs/r/compare-trials/plain/ease-7") as out:
        out.json("trial.json", {"device": "cuda", "seconds": 2.5, "cpu": 2.0, "peak_mib": None, "figures": {}})
    monkeypatch.setenv("RECSYS_CODE_VERSION", "newer")
    rows: list[TrialRow] = []
    recorder = Recorder(plan, TrainingOptions(device="cpu"), "hash")
    monkeypatch.setattr(recorder, "_record", lambda row, _: rows.append(row))
    artefact = read_artefact(folder_store, "runs/r/compare-trials/plain/ease-7")
    recorder.record_done(ComparisonTrial(Arm("ease", "ease"), 7), artefact)
    (row,) = rows
    assert (row.device, row.code_version, row.seconds) == ("cuda", "earlier", 2.5)
    assert (row.artefact, row.status) == (artefact.prefix, "done")
