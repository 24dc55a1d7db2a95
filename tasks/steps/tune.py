"""Tunes the hyperparameters of one model."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from itertools import count
from typing import Annotated, Any

import typer
import yaml
from optuna.trial import FrozenTrial

from tasks.errors import BadInput, TaskError
from tasks.experiments.tuner import REASON, Search
from tasks.experiments.tuning_task import Subject
from tasks.metrics import DECIDES
from tasks.metrics.selection import TITLE
from tasks.models import model_class
from tasks.progress import logs_above, progress
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.options import Device, Memory, Run, Threads
from tasks.store import open_store, write_artefact
from tasks.store.layout import run_key
from tasks.store.studies import open_studies
from tasks.training import TrainingOptions, place_values
from tasks.training.device import thread_count

log = logging.getLogger(__name__)


def tune(
    *,
    run: Run,
    model: Annotated[str, typer.Option("--model", help="Any model, whether or not the run trains it.")],
    trials: Annotated[int | None, typer.Option(help="Number of trials in this call.")] = None,
    minutes: Annotated[float | None, typer.Option(help="No trial starts after this time; at least one is run.")] = None,
    device: Device = "cpu",
    threads: Threads = 0,
    memory: Memory = 8.0,
) -> dict[str, object]:
    """Search for better hyperparameters of one model on the prepared dataset, by its score on validation.

    With --trials and --minutes it ends with whichever comes first. The first trials are the model's defaults and the
    plan's values; hyperparameters that are not searched keep the plan's values. The metrics database stores every
    trial: the same command continues the search as long as the dataset is the same. Test interactions are not used.
    """
    require_budget(trials, minutes)
    store, chosen = open_store(), model_class(model)
    config, prepared = read_plan(store, run).config, prepared_artefact(store, run)
    data = load_dataset(store, run)
    options = TrainingOptions(device=device, threads=thread_count(threads, data), seed=config.seed, memory_gib=memory)
    subject = Subject(chosen, config.hyperparameters.get(model, {}), data, options)
    if not subject.space:
        raise BadInput(f"model {model} has nothing to tune, expected one with hyperparameters that can be searched")
    name = f"{config.dataset}-{model}-{prepared.manifest.content[:16]}-{subject.version()}"
    stays = ", ".join(sorted(set(subject.searchable) - set(subject.space))) or "nothing"
    searched = ", ".join(subject.space)
    log.info("study %s searches %s; %s keeps the plan's value", name, searched, stays)
    with open_studies() as studies, logs_above():
        search = Search(studies, name, subject.space, subject.starts(), config.seed)
        done = 0
        for _ in progress(count_trials(trials, minutes), label=f"tune {model}", total=trials, unit="trial"):
            log_trial(search.attempt(subject.score), search.best())
            done += 1
        with studies.hold_lock(f"{name}/artefact"):  # two that end at once write one after the other
            report = {"model": model, "study": name, "metric": DECIDES, **summarise(search, subject)}
            preset = yaml.safe_dump({"hyperparameters": {model: report["best"]["hyperparameters"]}}, sort_keys=False)
            with write_artefact(store, run_key(run, f"tune-{model}"), inputs=[prepared], seed=config.seed) as out:
                out.json("tune.json", report)
                out.file("preset.yaml").write_text(preset, encoding="utf-8")
    best, total = report["best"], len(report["trials"])
    log.info(
        "%s %.4f on validation by trial %d of %d; for a preset:\n%s",
        TITLE,
        best["value"],
        best["number"],
        total,
        preset,
    )
    return {"run": run, "model": model, "study": name, **best, "trials": total, "trials_now": done}


def require_budget(trials: int | None, minutes: float | None) -> None:
    """Raise BadInput unless trials or minutes are given and positive."""
    if trials is None and minutes is None:
        raise BadInput(
            "neither --trials nor --minutes found, expected at least one of them: the search does not end by itself"
        )
    if (trials is not None and trials < 1) or (minutes is not None and not minutes > 0):
        raise BadInput(f"trials {trials} and minutes {minutes} found, expected more than 0")


def count_trials(trials: int | None, minutes: float | None) -> Iterator[int]:
    """Counts trials until the first of both is used up, and to 1 at least."""
    begun = time.perf_counter()
    for number in count():
        late = minutes is not None and number > 0 and time.perf_counter() - begun >= 60 * minutes
        if late or number == trials:
            return
        yield number


def summarise(search: Search, subject: Subject) -> dict[str, Any]:
    """The best trial, with hyperparameters as a preset has them, and all; TaskError where none came to its end."""
    best, rows = search.best(), [describe_trial(trial) for trial in search.trials]
    if best is None:
        raise TaskError(
            f"none of {len(rows)} trials is complete, expected at least one; the last: {rows[-1]['reason']}"
        )
    hyperparameters = place_values(subject.given, best.params)
    return {"best": {"number": best.number, "value": best.value, "hyperparameters": hyperparameters}, "trials": rows}


def describe_trial(trial: FrozenTrial) -> dict[str, Any]:
    """What is kept of a trial; the value of one that was given up is its best so far."""
    seconds = None if trial.duration is None else round(trial.duration.total_seconds(), 3)
    state, reason, value = trial.state.name.lower(), trial.user_attrs.get(REASON), trial.value
    if state == "fail" and reason is None:
        reason = "its process ended during the trial"
    if state == "complete" and reason is not None:
        state, value = "pruned", max(trial.intermediate_values.values(), default=None)
    kept = {"number": trial.number, "state": state, "value": value, "params": trial.params}
    return {**kept, "seconds": seconds, "reason": reason}


def log_trial(trial: FrozenTrial, best: FrozenTrial | None) -> None:
    """One line in the log for a trial that has ended."""
    facts = describe_trial(trial)
    value = "no value" if facts["value"] is None else f"{facts['value']:.4f}"
    state = f"{facts['state']}: {facts['reason']}" if facts["reason"] else facts["state"]
    so_far = "none yet" if best is None else f"{best.value:.4f} by trial {best.number}"
    log.info("trial %d: %s (%s), best %s, with %s", trial.number, value, state, so_far, trial.params)
