"""The last step: the best model of the run becomes the champion, if the gate accepts it."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tasks.data.dataset import PARTS
from tasks.errors import TaskError, ValidationFailed
from tasks.metrics import DECIDES
from tasks.models.saved import load_model
from tasks.releases.candidates import read_candidates, read_model
from tasks.releases.catalogue import fit_catalogue
from tasks.releases.gate import Candidate, Gate, judge
from tasks.releases.serving_files import TWIN, save_serving
from tasks.releases.writer import Sources, name_similarity, release_name, write_answers, write_sources
from tasks.runs.plan import Plan, read_plan, scan_artefact
from tasks.runs.prepared import load_dataset, load_outside, prepared_artefact, require_made_from
from tasks.steps.options import Run
from tasks.store import (
    Artefact,
    Champion,
    Store,
    has_artefact,
    open_history,
    open_store,
    read_artefact,
    release_prefix,
    write_artefact,
)
from tasks.store.layout import run_key

log = logging.getLogger(__name__)
SPLIT_FACTS = ("split", "cuts")  # of what `prepare` was told and drew; the gate and the next `scan` read them
CHECKS = {"check-embeddings": "align", "check-dataset": "prepare"}  # check -> the step whose result it validates


@dataclass(frozen=True)
class Evidence:
    """The artefacts of a run that passed every check, and its candidate."""

    plan: Plan
    prepared: Artefact
    trained: Artefact
    evaluated: Artefact
    refitted: Artefact
    candidate: Candidate


def publish(*, run: Run) -> dict[str, object]:
    """Publish the best model of a run as a release, if every check passed and it is not worse than what is served.

    The best model is that with the highest NDCG@20 on validation; it may be worse than the champion by at most the
    tolerance of the plan. A rejected candidate is recorded and changes nothing: this is a decision, not a failure.
    """
    store = open_store()
    evidence = gather(store, run)
    plan, candidate = evidence.plan, evidence.candidate
    with open_history() as history:
        champion = history.champion(plan.config.dataset)
    gate = judge(candidate, champion, plan.config.tolerance)
    release = make_release(store, evidence) if gate.passed else None
    decide(evidence, gate, release, champion)
    outcome: dict[str, object] = {
        "published": release is not None,
        "outcome": "promoted" if release else "rejected",
        "release": release,
        "model": candidate.model,
        "reason": gate.reason,
    }
    with write_artefact(
        store, run_key(run, "publish"), inputs=[evidence.refitted, evidence.trained, evidence.evaluated]
    ) as out:
        out.json("decision.json", outcome | {"gate": gate.model_dump(mode="json")})
    return {"run": run, "dataset": plan.config.dataset, **outcome, f"valid_{DECIDES}": candidate.score}


def gather(store: Store, run: str) -> Evidence:
    """Collect the results of the run; raises an error if a check is missing, failed, or validated other data."""
    plan = read_plan(store, run)
    made = {step: read_artefact(store, run_key(run, step)) for step in CHECKS.values()}
    for check, step in CHECKS.items():
        report = read_artefact(store, run_key(run, check))
        if report.json("report.json")["success"] is not True:
            raise ValidationFailed(f"{check} of run {run} failed, expected it to have passed: nothing is published")
        require_made_from(report, made[step])
    prepared = prepared_artefact(store, run)
    require_made_from(prepared, made["align"])
    best, scores = read_candidates(store, plan, prepared)
    trained, evaluated = read_model(store, plan, best, prepared)
    refitted = read_artefact(store, run_key(run, "refit"))
    for source in (prepared, trained, evaluated):
        require_made_from(refitted, source)
    candidate = Candidate(
        model=best,
        scores=scores,
        dataset=prepared.manifest.content[:16],
        planned_at=scan_artefact(store, run).manifest.created_at,
    )
    return Evidence(plan, prepared, trained, evaluated, refitted, candidate)


def make_release(store: Store, evidence: Evidence) -> str:
    """Write the complete release before the champion moves; returns its name.

    A release is immutable: if it already exists and is complete, it is not changed.
    """
    plan, prepared = evidence.plan, evidence.prepared
    sources = Sources(evidence.refitted, evidence.trained, evidence.evaluated, prepared)
    name = release_name(sources, plan.config.arrivals_policy)
    prefix = release_prefix(plan.config.dataset, name)
    if has_artefact(store, prefix):
        log.info("release %s of %s already exists and is not changed", name, plan.config.dataset)
        return name
    data, everything = load_dataset(store, plan.run), load_dataset(store, plan.run, all_in_train=True)
    model, twin = load_model(evidence.refitted, everything), load_model(evidence.trained, data)
    outside = load_outside(store, plan.run)
    catalogue = fit_catalogue(model, twin, outside, plan.config.arrivals_policy, seed=plan.config.seed)
    parameters = {
        "run": plan.run,
        "dataset": plan.config.dataset,
        "model": evidence.candidate.model,
        "encoders": plan.encoders,
        "matrices": plan.matrices,
        "similar_items": name_similarity(model),
        "learned_from": list(PARTS),
    } | {key: prepared.manifest.parameters[key] for key in SPLIT_FACTS if key in prepared.manifest.parameters}
    inputs = [prepared, evidence.refitted, evidence.trained, evidence.evaluated]
    with write_artefact(
        store, prefix, inputs=inputs, parameters=parameters, encoder=plan.config.encoder_names, seed=plan.config.seed
    ) as out:
        write_sources(out, sources)
        write_answers(out, model, data, outside, catalogue)
        save_serving(out, twin, TWIN)
    return name


def decide(evidence: Evidence, gate: Gate, release: str | None, champion: Champion | None) -> None:
    """Record the decision and move the champion in one transaction. Raises TaskError if it changed meanwhile."""
    plan, model = evidence.plan, evidence.candidate.model
    dataset, facts = plan.config.dataset, gate.model_dump(mode="json")
    with open_history() as history:
        if release is None:
            history.reject(dataset, plan.run, model, facts, plan.inputs_hash)
            log.warning("NOT PUBLISHED: %s of run %s was rejected: %s", model, plan.run, gate.reason)
        elif history.promote(dataset, plan.run, model, release, facts, plan.inputs_hash, seen=champion):
            log.info("%s is served from release %s, model %s: %s", dataset, release, model, gate.reason)
        else:
            raise TaskError(
                f"the champion of {dataset} changed while {release} was made, expected it to be still "
                f"{champion.release if champion else 'none'}: publish again, to compare with the new one"
            )
