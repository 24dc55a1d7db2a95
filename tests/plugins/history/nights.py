"""Thirty nights of a dataset in schema `rec`, always the same: one failed, one rejected, one rolled back, a recovery.

What is known of it, for tests that ask the page: VBPR reaches NDCG@20 .0810 on test in the first night and .1100 in the
last; the 12th night failed on two sounds, the 13th recovered, the 17th was rejected, the release of the 21st was rolled
back, and the 26th has a warning.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
from psycopg2.extras import execute_values

DATASET = "cinema"
FIRST = datetime(2026, 11, 1, 2, tzinfo=UTC)
NIGHTS, SKIPPED, FAILED, REJECTED, ROLLED_BACK, WARNED = 30, 9, 12, 17, 21, 26
MODELS = {"popularity": 0.052, "ease": 0.094, "hybrid": 0.101, "bpr": 0.078, "vbpr": 0.081, "lightgcn": 0.088}
METRICS = {"ndcg": 1.0, "recall": 1.6, "precision": 0.3, "map": 0.5}
CUTOFFS = {5: 0.6, 10: 0.8, 20: 1.0, 50: 1.35}
SEGMENTS = {"all": 1.0, "short": 0.8, "medium": 1.0, "long": 1.2}
MODALITIES = ("image", "audio", "text")
BAD = ["film-0107", "film-0131"]
BROKEN = "mine.py cannot be parsed"
FORMULA, MARKUP = "=1+1", "<img src=x>"  # what somebody may have named an item


def run_of(night: int) -> str:
    """The run of a night, counted from 1."""
    return f"scheduled__{(FIRST + timedelta(days=night - 1)).isoformat()}"


def release_of(night: int) -> str:
    """What a night published."""
    return f"{night:02d}" + "c0ffee00c0ffee"


def figure_of(model: str, night: int) -> float:
    """NDCG@20 of a model on test."""
    if model == "vbpr":
        return round(0.081 + (night - 1) * 0.001, 4)
    wave = random.Random(f"{model} {night}").uniform(-0.002, 0.002)
    return round(MODELS[model] + wave + (-0.03 if night == REJECTED and model == "hybrid" else 0), 5)


def fill(dsn: str, *, live: bool = False) -> None:
    """Write all of it; not what is still wrong where a `live` watchdog would see that nothing is."""
    with closing(psycopg2.connect(dsn)) as database, database, database.cursor() as sql:
        champion = None
        for night in range(1, NIGHTS + 1):
            outcome = outcome_of(night)
            _insert(sql, "run", [_run(night, outcome)])
            _insert(sql, "step_count", list(_counts(night, outcome)))
            if outcome == "skipped":
                continue
            for suite in ("check-embeddings", "check-dataset"):
                if suite == "check-embeddings" or outcome != "failed":
                    _validate(sql, night, suite)
            if outcome == "failed":
                continue
            _train(sql, night)
            champion = _decide(sql, night, outcome, champion)
        _compare(sql)
        _tell(sql)
        if not live:
            _break(sql)


def outcome_of(night: int) -> str:
    """What became of a night."""
    return {SKIPPED: "skipped", FAILED: "failed", REJECTED: "rejected"}.get(night, "published")


def _at(night: int, minutes: int) -> datetime:
    return FIRST + timedelta(days=night - 1, minutes=minutes)


def _insert(sql: Any, table: str, rows: list[dict[str, Any]]) -> None:
    columns = list(rows[0])
    values = [[json.dumps(v) if isinstance(v, (dict, list)) else v for v in row.values()] for row in rows]
    execute_values(sql, f"INSERT INTO rec.{table} ({', '.join(columns)}) VALUES %s", values, page_size=2000)


def _run(night: int, outcome: str) -> dict[str, Any]:
    return {
        "run": run_of(night),
        "dataset": DATASET,
        "status": outcome,
        "config": {"models": list(MODELS), "split": "random"},
        "url": f"http://airflow.test/dags/retrain_nightly/runs/{run_of(night)}",
        "started_at": _at(night, 0),
        "finished_at": _at(night, 1 if outcome == "skipped" else 45),
    }


def _counts(night: int, outcome: str) -> Iterator[dict[str, Any]]:
    items = 300 + 3 * night
    steps: dict[str, dict[str, int]] = {
        "scan": {
            "image_found": items,
            "audio_found": items - 5,
            "text_found": items,
            "names": items,
            "with_all": items - 5,
        }
        | {"new_media": 0 if outcome == "skipped" else 9}
    }
    if outcome != "skipped":
        for modality in MODALITIES:
            found = items - 5 * (modality == "audio")
            steps[f"extract-{modality}"] = {
                "found": found,
                "cached": found - 3,
                "extracted": 2,
                "rejected": 1,
                "kept": found - 1,
            }
        steps["align"] = {"with_all": items - 5, "kept": items - 7}
    if outcome not in {"skipped", "failed"}:
        taken = 9000 + 40 * night
        steps["log"] = {"interactions": taken + 300, "users": 620 + night, "items": items - 10}
        for stage, share in (("before", 1.0), ("with_features", 0.96), ("in_5_core", 0.9), ("trained", 0.88)):
            names = {"interactions": taken, "users": 600 + night, "items": items - 12}
            steps.setdefault("prepare", {}).update({f"{n}_{stage}": int(v * share) for n, v in names.items()})
        steps["prepare"] |= {"arrivals": 3 + night % 4, "other_users": 20}
    if outcome == "published":
        steps["publish"] = {"users": 560 + night, "items": items - 7, "arrivals": 3 + night % 4, "other_users": 20}
    for step, counts in steps.items():
        for position, (name, value) in enumerate(counts.items()):
            yield {"run": run_of(night), "step": step, "name": name, "value": value, "position": position}


def _validate(sql: Any, night: int, suite: str) -> None:
    results = list(_embeddings(night) if suite == "check-embeddings" else _dataset(night))
    critical = sum(not r["success"] and r["severity"] == "critical" for r in results)
    warned = sum(not r["success"] and r["severity"] == "warning" for r in results)
    row = {"run": run_of(night), "suite": suite, "success": not critical, "evaluated": len(results), "failed": critical}
    _insert(sql, "validation", [row | {"warned": warned, "recorded_at": _at(night, 20)}])
    _insert(
        sql,
        "validation_result",
        [{"run": run_of(night), "suite": suite, "position": i} | r for i, r in enumerate(results)],
    )


def _check(expectation: str, column: str, expected: str, observed: str, **more: Any) -> dict[str, Any]:
    return {
        "expectation": expectation,
        "column_name": column,
        "success": True,
        "expected": expected,
        "observed": observed,
        "unexpected_count": 0,
        "element_count": 300 + 3 * night_of(more),
        "sample_ids": [],
        "severity": "critical",
        "type": "ExpectColumnValuesToBeInSet",
        "arguments": {"value_set": [True], "mostly": 1.0},
        "value": None,
    } | more


def night_of(more: dict[str, Any]) -> int:
    """The night of a check, which is no column of it."""
    return int(more.pop("night"))


def _embeddings(night: int) -> Iterator[dict[str, Any]]:
    for modality in MODALITIES:
        bad = BAD if night == FAILED and modality == "audio" else []
        yield _check(
            *("vectors_are_finite", modality, "finite numbers", f"{len(bad)} of {300 + 3 * night} otherwise"),
            night=night,
            success=not bad,
            unexpected_count=len(bad),
            sample_ids=bad,
        )
        share = 0.97 + random.Random(f"{modality} {night}").uniform(-0.01, 0.01)
        yield _check(
            *("coverage", modality, "at least 0.9", f"{share:.1%} of {300 + 3 * night}"),
            night=night,
            type="ExpectColumnValuesToBeBetween",
            arguments={"column": "share", "min_value": 0.9},
            value=share,
        )


def _dataset(night: int) -> Iterator[dict[str, Any]]:
    lost = 0.31 if night == WARNED else 0.02 + random.Random(f"lost {night}").uniform(0, 0.05)
    yield _check(
        *("drift_items_lost", "log", "at most 0.2: share of served items that are gone", f"{lost:.1%}"),
        night=night,
        success=lost <= 0.2,
        severity="warning",
        sample_ids=[FORMULA, MARKUP, "film-0002"] if lost > 0.2 else [],
        unexpected_count=int(lost > 0.2),
        type="ExpectColumnValuesToBeBetween",
        arguments={"column": "items_lost", "max_value": 0.2},
        value=lost,
    )
    yield _check("users_are_numbered_on", "users", "0 to n - 1", f"{600 + night} up to {599 + night}", night=night)


def _train(sql: Any, night: int) -> None:
    shared = {"encoder": "audioclip-demo", "seed": 7, "parameters": {}, "recorded_at": _at(night, 30)}
    _insert(
        sql,
        "training",
        [{"run": run_of(night), "model": m, "artefact": f"runs/{run_of(night)}/train-{m}"} | shared for m in MODELS],
    )
    rows = []
    for model in MODELS:
        for split in ("valid", "test"):
            for metric, factor in METRICS.items():
                for k, scale in CUTOFFS.items():
                    for segment, part in SEGMENTS.items():
                        value = figure_of(model, night) * factor * scale * part * (1.05 if split == "valid" else 1)
                        whole = segment == "all"
                        band = (value - 0.006, value + 0.006) if whole else (None, None)
                        key = {"run": run_of(night), "model": model, "split": split, "metric": metric, "k": k}
                        rows.append(key | {"segment": segment, "value": value, "low": band[0], "high": band[1]})
    _insert(sql, "metric", rows)


def _decide(sql: Any, night: int, outcome: str, champion: tuple[str, int] | None) -> tuple[str, int] | None:
    """Record the decision, and move what is served; returns its release and version."""
    model = "vbpr" if night > 24 else "hybrid"
    passed = outcome == "published"
    shown = figure_of(model, night)
    reason = (
        f"ndcg@20 {shown:.4f}, {'+0.0010' if passed else '-0.0290'} "
        f"[{'-0.0008, +0.0031' if passed else '-0.0341, -0.0252'}] against the champion on 580 users"
        + ("" if passed else ": worse by more than the tolerance of 0.002")
    )
    gate = {"passed": passed, "reason": reason if champion else "nothing is served yet", "metric": "ndcg@20"}
    gate["candidate"] = {"model": model, "figures": {m: figure_of(m, night) for m in MODELS}}
    release = release_of(night) if passed else None
    run = {"run": run_of(night), "dataset": DATASET, "model": model}
    decision = run | {"outcome": "promoted" if passed else "rejected", "release": release, "inputs_hash": f"h{night}"}
    _insert(sql, "decision", [decision | {"gate": gate, "decided_at": _at(night, 44)}])
    if release is None:
        return champion
    _insert(sql, "release", [run | {"release": release, "gate": gate, "created_at": _at(night, 44)}])
    if champion:
        example = {"user": "ada", "came": ["film-0310"], "went": ["film-0002"]}
        changes = {"items_new": 3, "items_gone": 0, "users_new": 1, "users_gone": 0, "users_compared": 580}
        names = {"dataset": DATASET, "release": release, "served": champion[0]}
        _insert(sql, "release_change", [names | changes | {"kept": 0.85, "examples": json.dumps([example])}])
    champion = _move(sql, release, champion, "promoted", _at(night, 44))
    if night == ROLLED_BACK:
        champion = _move(sql, release_of(night - 1), champion, "rolled back", _at(night, 450))
    return champion


def _move(sql: Any, release: str, seen: tuple[str, int] | None, reason: str, when: datetime) -> tuple[str, int]:
    previous, version = seen or (None, 0)
    sql.execute("DELETE FROM rec.pointer WHERE dataset = %s", (DATASET,))
    _insert(sql, "pointer", [{"dataset": DATASET, "release": release, "version": version + 1, "since": when}])
    moved = {"dataset": DATASET, "version": version + 1, "release": release, "previous": previous}
    _insert(sql, "pointer_move", [moved | {"reason": reason, "moved_at": when}])
    return release, version + 1


def _tell(sql: Any) -> None:
    """What people were told: of two bad nights, and of the good ones after them."""
    scope, dag = f"retrain_nightly/{DATASET}", "retrain_nightly"
    for night, kind, what in (
        (FAILED, "failed", "validation failed, 1 expectation"),
        (FAILED + 1, "recovered", "published again, after a run without"),
        (REJECTED, "rejected", "hybrid rejected"),
        (REJECTED + 1, "recovered", "published again, after a run without"),
    ):
        told, good = _at(night, 46), _at(night + 1, 44)
        row = {"key": f"{kind}/{night}", "kind": kind, "scope": scope, "topic": what, "dataset": DATASET, "dag": dag}
        row |= {"run": run_of(night), "facts": {"letter": {"what": what}}, "created_at": told, "due_at": told}
        _insert(sql, "message", [row | {"settled_at": good if kind != "recovered" else told}])
        sql.execute(
            "INSERT INTO rec.delivery (message, channel, attempts, sent_at) "
            "SELECT max(id), 'email', 1, %s FROM rec.message",
            (told,),
        )


def _break(sql: Any) -> None:
    """A message that could not be sent yet."""
    broken = {"key": "unparsed/mine.py", "kind": "unparsed", "scope": "file mine.py", "topic": BROKEN}
    _insert(sql, "message", [broken | {"created_at": _at(NIGHTS, 100), "facts": {"letter": {"what": BROKEN}}}])
    sql.execute(
        "INSERT INTO rec.delivery (message, channel, attempts, error) "
        "SELECT max(id), 'email', 3, 'ConnectionRefusedError: the mail server' FROM rec.message"
    )


def _compare(sql: Any) -> None:
    run = run_of(NIGHTS)
    row = {"run": run, "dataset": DATASET, "dataset_hash": "d" * 16, "metric": "ndcg", "k": 20, "against": "bpr"}
    _insert(sql, "comparison", [row | {"started_at": _at(NIGHTS, 60), "finished_at": _at(NIGHTS, 90)}])
    for model in ("bpr", "vbpr", "lightgcn"):
        for seed in (1, 2, 3):
            trial = {"run": run, "world": "plain", "model": model, "seed": seed}
            facts = {"status": "done", "hyperparameters": {"lr": 0.01}, "fingerprint": "f", "seconds": 3.0}
            _insert(sql, "comparison_trial", [trial | facts | {"device": "cpu", "code_version": "1", "artefact": "x"}])
            _insert(
                sql,
                "comparison_metric",
                [
                    trial
                    | {
                        "split": split,
                        "segment": "all",
                        "metric": "ndcg",
                        "k": 20,
                        "value": MODELS[model] + seed / 1000,
                    }
                    for split in ("valid", "test")
                ],
            )
