"""The last step: the best model of the run becomes the champion, if the gate accepts it."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated

import typer

from tasks.data import Dataset
from tasks.data.dataset import PARTS
from tasks.errors import BadInput, Corrupt, NotFound, TaskError, ValidationFailed
from tasks.models.base import Model
from tasks.models.saved import load_model
from tasks.releases.candidates import read_candidates
from tasks.releases.catalogue import fit_catalogue
from tasks.releases.changes import compare_releases
from tasks.releases.comparison import Comparison, Incomparable, Tonight
from tasks.releases.gate import Candidate, Gate, Rules, judge
from tasks.releases.outcome import Outcome, closing_line, describe_outcome
from tasks.releases.reference import WINDOW, best_release
from tasks.releases.serving_files import TWIN, save_serving
from tasks.releases.twins import twin_of
from tasks.releases.verify import verify_release
from tasks.releases.writer import Sources, name_similarity, release_name, write_answers, write_sources
from tasks.runs.lineage import read_made, require_made_from
from tasks.runs.plan import Plan, read_plan, scan_artefact
from tasks.runs.prepared import load_dataset, load_outside
from tasks.steps.options import Run
from tasks.store import (
    Champion,
    Store,
    has_artefact,
    open_history,
    open_store,
    read_artefact,
    release_prefix,
    write_artefact,
)
from tasks.store.item_records import read_records
from tasks.store.layout import run_key, run_prefix

log = logging.getLogger(__name__)
SPLIT_FACTS = ("split", "cuts")  # of what `prepare` was told and drew; the gate and the next `scan` read them


@dataclass(frozen=True)
class Evidence:
    """The artefacts of a run that passed every check, and its candidate."""

    plan: Plan
    sources: Sources
    candidate: Candidate

    @cached_property
    def data(self) -> Dataset:
        """The dataset of the run."""
        return load_dataset(self.sources.prepared.store, self.plan.run)

    @cached_property
    def twin(self) -> Model:
        """The candidate as it was evaluated, fitted on it."""
        return load_model(self.sources.trained, self.data)

    @cached_property
    def tonight(self) -> Tonight:
        """What releases are compared with: the candidate's twin and validation rows."""
        config, twin = self.plan.config, twin_of(self.twin, self.data)
        return Tonight(self.sources.prepared.store, config.dataset, twin, self.data.valid, config.split)

    def compare(self, release: str) -> Comparison | Incomparable:
        """Compare the candidate with a release; only then is anything of both loaded."""
        return self.tonight.compare(release)


def publish(
    *,
    run: Run,
    force_publish: Annotated[bool, typer.Option(help="Publish also what the gate would reject; recorded.")] = False,
) -> dict[str, object]:
    """Publish the best model of a run as a release, if every check passed and it is not worse than what is served.

    The best model is that with the highest NDCG@20 on validation. Its twin and that of the served release are compared
    on validation rows that neither has learned from: with 95 % confidence, it must not be worse by more than the
    tolerance of the plan, nor worse than the best release of the last thirty days. A rejected candidate is recorded and
    changes nothing: this is a decision, not a failure. Where the run needs a human's approval, an accepted release is
    written and waits: `promote` records the answer.
    """
    store = open_store()
    evidence = gather(store, run)
    plan, candidate = evidence.plan, evidence.candidate
    rules = Rules(plan.config.tolerance, plan.config.when_incomparable, force_publish)
    with open_history() as history:
        champion = history.champion(plan.config.dataset)
        earlier = history.promotions(plan.config.dataset, WINDOW)
    reference = best_release(champion, earlier) if champion else None
    gate = judge(candidate, champion, rules, evidence.compare, reference)
    release = make_release(store, evidence) if gate.passed else None
    if release is not None:
        record_release(store, plan, release, champion)
    described = describe_outcome(gate, decide(evidence, gate, release, champion), release)
    made = evidence.sources
    inputs = [made.refitted, made.trained, made.evaluated]
    with write_artefact(store, run_key(run, "publish"), inputs=inputs) as out:
        out.json("decision.json", described | {"gate": gate.model_dump(mode="json")})
    return closing_line(store, run, plan.config.dataset, gate, described)


def gather(store: Store, run: str) -> Evidence:
    """Collect the results of the run; raises an error if a check is missing, failed, or validated other data."""
    plan = read_plan(store, run)
    best, scores = read_candidates(store, plan)
    trained, evaluated, prepared, *checks = read_made(
        store, plan, *(f"train-{best}", f"evaluate-{best}", "prepare", "check-embeddings", "check-dataset")
    )
    refitted, check = (read_artefact(store, run_key(run, step)) for step in ("refit", "check-refit"))
    require_made_from(refitted, scan_artefact(store, run), prepared, trained, evaluated)
    require_made_from(check, prepared, trained, refitted)
    for report in (*checks, check):
        if report.json("report.json")["success"] is not True:
            raise ValidationFailed(f"{report.prefix} failed, expected it to have passed: nothing is published")
    sources = Sources(refitted, trained, evaluated, prepared)
    candidate = Candidate(
        model=best,
        scores=scores,
        dataset=prepared.manifest.content[:16],
        planned_at=scan_artefact(store, run).manifest.created_at,
        release=release_name(sources, plan.config.arrivals_policy, plan.records),
        split=plan.config.split,
        inputs=plan.inputs,
    )
    return Evidence(plan, sources, candidate)


def make_release(store: Store, evidence: Evidence) -> str:
    """Write the complete release before the champion moves; returns its name.

    A release is immutable: if it already exists and is sound, it is not changed. What was damaged is written anew.
    """
    plan, prepared = evidence.plan, evidence.sources.prepared
    name = str(evidence.candidate.release)
    prefix = release_prefix(plan.config.dataset, name)
    with open_history() as history:
        history.rescue(plan.config.dataset, prefix, run_prefix(plan.run))
    if has_artefact(store, prefix):
        try:
            verify_release(store, plan.config.dataset, name)
        except Corrupt as error:
            log.warning("release %s of %s is written anew: %s", name, plan.config.dataset, error)
        else:
            log.info("release %s of %s already exists and is not changed", name, plan.config.dataset)
            return name
    model = load_model(evidence.sources.refitted, load_dataset(store, plan.run, all_in_train=True))
    outside, policy = load_outside(store, plan.run), plan.config.arrivals_policy
    catalogue = fit_catalogue(model, evidence.twin, outside, policy, seed=plan.config.seed)
    parameters = {
        "run": plan.run,
        "dataset": plan.config.dataset,
        "model": evidence.candidate.model,
        "encoders": plan.encoders,
        "matrices": plan.matrices,
        "records": plan.records,
        "similar_items": name_similarity(model),
        "learned_from": list(PARTS),
    } | {key: prepared.manifest.parameters[key] for key in SPLIT_FACTS if key in prepared.manifest.parameters}
    made = evidence.sources
    inputs = [prepared, made.refitted, made.trained, made.evaluated]
    inputs += [read_artefact(store, plan.records)] if plan.records else []
    with write_artefact(
        store, prefix, inputs=inputs, parameters=parameters, encoder=plan.config.encoder_names, seed=plan.config.seed
    ) as out:
        write_sources(out, evidence.sources)
        write_answers(out, model, evidence.data, outside, catalogue, read_records(store, plan.records))
        save_serving(out, evidence.twin, TWIN)
    verify_release(store, plan.config.dataset, name)
    return name


def record_release(store: Store, plan: Plan, release: str, champion: Champion | None) -> None:
    """Record the counts of a release, and what it changes compared with the champion, as far as both can be read.

    Whether the release may be served is decided by `decide`, which refuses one that was removed meanwhile.
    """
    dataset = plan.config.dataset
    with open_history() as history:
        try:
            made = read_artefact(store, release_prefix(dataset, release))
            history.record_counts(plan.run, "publish", made.manifest.counts)
            if champion is None or champion.release == release:
                return
            changes = compare_releases(made, read_artefact(store, release_prefix(dataset, champion.release)))
        except (NotFound, BadInput, Corrupt) as error:  # gone, damaged or of an earlier version
            log.warning("what release %s changes is not recorded: %s", release, error)
            return
        history.record_changes(dataset, release, champion.release, changes)


def decide(evidence: Evidence, gate: Gate, release: str | None, champion: Champion | None) -> Outcome:
    """Record the decision and move the champion in one transaction. Raises TaskError if it changed meanwhile.

    Where an approval is required the champion does not move; nobody is asked about what is served already.
    """
    plan, model = evidence.plan, evidence.candidate.model
    dataset, facts = plan.config.dataset, gate.model_dump(mode="json")
    with open_history() as history:
        if release is None:
            history.reject(dataset, plan.run, model, facts, plan.inputs_hash)
            log.warning("NOT PUBLISHED: %s of run %s was rejected: %s", model, plan.run, gate.reason)
            return "rejected"
        if plan.config.approval == "required" and (champion is None or champion.release != release):
            history.wait(dataset, plan.run, model, release, facts, plan.inputs_hash)
            log.warning("release %s of %s waits for approval: %s", release, dataset, gate.reason)
            return "waiting"
        if history.promote(dataset, plan.run, model, release, facts, plan.inputs_hash, seen=champion):
            level = logging.INFO if gate.proved else logging.WARNING
            log.log(level, "%s is served from release %s, model %s: %s", dataset, release, model, gate.reason)
            return "promoted"
        raise TaskError(
            f"the champion of {dataset} changed while {release} was made, expected it to be still "
            f"{champion.release if champion else 'none'}: publish again, to compare with the new one"
        )
