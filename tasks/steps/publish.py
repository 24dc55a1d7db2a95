"""The last box: the best model of the run becomes what is served, if it is good enough."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from tasks.errors import TaskError, ValidationFailed
from tasks.steps.dataset import load_dataset, prepared_artefact
from tasks.steps.options import Run
from tasks.steps.plan import Plan, read_plan, run_key
from tasks.steps.release import release_name, write_release
from tasks.store import Artefact, History, Store, has_artefact, open_history, open_store, read_artefact, write_artefact
from tasks.store.history import Champion

log = logging.getLogger(__name__)
METRIC, K = "ndcg", 20
FIGURE = f"{METRIC}@{K}"
CHECKS = ("check-embeddings", "check-dataset")


@dataclass(frozen=True)
class Gate:
    """The comparison that decides. Figures are on validation."""

    model: str
    figure: float
    champion: Champion | None
    champion_figure: float | None
    tolerance: float

    @property
    def passed(self) -> bool:
        """Not worse than what is served by more than the tolerance."""
        return self.champion_figure is None or self.figure >= self.champion_figure - self.tolerance

    def facts(self) -> dict[str, object]:
        """For the record."""
        return {
            "metric": f"valid {FIGURE}",
            "candidate": self.figure,
            "champion": self.champion_figure,
            "champion_release": self.champion.release if self.champion else None,
            "tolerance": self.tolerance,
        }


def publish(*, run: Run) -> dict[str, object]:
    """Publish the best model of a run as a release, if every check passed and it is not worse than what is served.

    Best is by NDCG@20 on validation; a release may lose to the champion by the plan's tolerance. A candidate that is turned
    down is recorded as such and changes nothing: that is a decision, not a failure.
    """
    store = open_store()
    plan = read_plan(store, run)
    require_checks(store, run)
    evaluated = {model: read_artefact(store, run_key(run, f"evaluate-{model}")) for model in plan.config.models}
    metrics = {model: artefact.json("metrics.json") for model, artefact in evaluated.items()}
    best = max(metrics, key=lambda model: metrics[model]["valid"][FIGURE])
    dataset = plan.config.dataset
    with open_history() as history:
        champion = history.champion(dataset)
        gate = Gate(best, metrics[best]["valid"][FIGURE], champion, served(history, champion), plan.config.tolerance)
        release = write(store, plan, best, list(evaluated.values()), metrics[best]) if gate.passed else None
        outcome = decide(history, plan, gate, release)
    result = {"run": run, "dataset": dataset, "model": best, "published": release is not None, "release": release, **gate.facts()}
    with write_artefact(store, run_key(run, "publish"), inputs=list(evaluated.values())) as out:
        out.json("decision.json", result)
    log.info("%s", outcome)
    return result


def require_checks(store: Store, run: str) -> None:
    """ValidationFailed unless both checks of this very run have passed."""
    for check in CHECKS:
        if not read_artefact(store, run_key(run, check)).json("report.json")["success"]:
            raise ValidationFailed(f"{check} of run {run} failed, expected it passed: nothing is published")


def served(history: History, champion: Champion | None) -> float | None:
    """The figure the champion reached when it was evaluated."""
    if champion is None:
        return None
    figure = history.figure(champion.run, champion.model, "valid", METRIC, K)
    if figure is None:
        raise TaskError(f"champion {champion.release} has no valid {FIGURE} in the metrics history, expected the figure it was promoted with")
    return figure


def write(store: Store, plan: Plan, best: str, evaluated: list[Artefact], metrics: object) -> str:
    """Write the release, complete and verified before anybody is pointed to it; returns its name.

    A release is immutable: where one of that content stands already, it is left as it is.
    """
    trained, prepared = read_artefact(store, run_key(plan.run, f"train-{best}")), prepared_artefact(store, plan.run)
    name = release_name(trained, prepared)
    prefix = f"releases/{plan.config.dataset}/{name}"
    if not has_artefact(store, prefix):
        data = load_dataset(store, plan.run)
        parameters = {"run": plan.run, "model": best, "encoders": plan.encoders}
        with write_artefact(store, prefix, inputs=[trained, prepared, *evaluated], parameters=parameters, seed=plan.config.seed) as out:
            write_release(out, trained, prepared, data, metrics)
    verified = read_artefact(store, prefix)
    for file in verified.manifest.files:
        verified.path(file)
    return name


def decide(history: History, plan: Plan, gate: Gate, release: str | None) -> str:
    """Record the decision and move the champion in one transaction; returns it as a sentence."""
    dataset, facts = plan.config.dataset, gate.facts()
    against = "nothing was served yet" if gate.champion_figure is None else f"what is served has {gate.champion_figure:.4f}"
    if release is None:
        history.reject(dataset, plan.run, gate.model, facts, plan.inputs_hash)
        return f"NOT PUBLISHED: {gate.model} reaches {FIGURE} {gate.figure:.4f} on validation and {against} (tolerance {gate.tolerance:g})"
    decided = history.decision(plan.run)
    if decided is not None and decided.release == release and gate.champion is not None and gate.champion.release == release:
        return f"release {release} of {dataset} was published by this run before: nothing changes"
    if not history.promote(dataset, plan.run, gate.model, release, facts, plan.inputs_hash, seen=gate.champion):
        raise TaskError(f"the champion of {dataset} changed while {release} was being published, expected {gate.champion}: compare again")
    return f"published release {release} of {dataset}: {gate.model}, {FIGURE} {gate.figure:.4f} on validation; {against}"
