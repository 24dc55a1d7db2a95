"""Compares models on a run's dataset, with the significance of differences."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Annotated

import typer

from tasks.errors import BadInput, TaskError
from tasks.experiments.plot import draw_plot
from tasks.experiments.recording import Recorder, run_trials
from tasks.experiments.report import (
    Comparison,
    choose_best,
    collect_metrics,
    compare_trials,
    mean_score,
    write_table,
)
from tasks.experiments.trials import list_trials, trial_artefact, trial_config
from tasks.metrics import DECIDES, Difference
from tasks.models import MODELS, model_class
from tasks.progress import progress
from tasks.runs.plan import Plan, read_plan
from tasks.runs.prepared import load_dataset, prepared_artefact
from tasks.steps.options import Device, Memory, Run, Threads
from tasks.store import Artefact, ArtefactWriter, open_records, open_store, write_artefact
from tasks.store.layout import run_key
from tasks.training import TrainingOptions
from tasks.training.device import thread_count

log = logging.getLogger(__name__)
table_log = log.getChild("table")  # apart, for who prints the table


def compare(
    *,
    run: Run,
    models: Annotated[
        str | None, typer.Option(help="Some models, separated by commas; default: those of the run.")
    ] = None,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds per model, from the seed of the run on.")] = 5,
    features: Annotated[
        str | None,
        typer.Option(help="Each model with content sees one of these by itself, as in image,text,image+text."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(help="Reference model (vbpr:text with --features); default: champion, or best without content."),
    ] = None,
    permute: Annotated[
        bool, typer.Option("--permute", help="Also train with permuted features: does content help?")
    ] = False,
    cold: Annotated[
        bool, typer.Option("--cold", help="Also hold items out of training, and evaluate these cold items.")
    ] = False,
    device: Device = "cpu",
    threads: Threads = 0,
    memory: Memory = 8.0,
) -> dict[str, object]:
    """Train models with several seeds on the prepared dataset of a run, and compare them in a table and a plot.

    Means and standard deviations are over seeds; differences have a paired bootstrap over users, and p values that are
    corrected for the number of models. Every trial is stored in the run: the same command again, also after an
    interruption, trains only what is missing. A model that diverges or refuses is left out of the table and named in
    the error at the end. Table and plot are of the last call: if several processes share the work, run the command
    once more with all models.
    """
    store = open_store()
    plan = read_plan(store, run)
    chosen, seen = choose_models(models, plan), choose_features(features, plan.config.feature_names)
    all_seeds = [plan.config.seed + place for place in range(seeds)]
    wanted = list_trials(chosen, all_seeds, permute=permute, cold=cold, features=seen)
    compared = {trial.name: trial.model for trial in wanted}
    if against is not None and against not in compared:
        raise BadInput(f"--against {against} found, expected one of the compared models: {', '.join(compared)}")
    for trial in wanted:  # report mistakes before hours of training
        trial_config(plan, trial)
    served = None if against else _read_served_model(plan)
    data, prepared = load_dataset(store, run), prepared_artefact(store, run)
    count = thread_count(threads, data)
    options = TrainingOptions(device=device, threads=count, seed=plan.config.seed, memory_gib=memory)
    recorder = Recorder(plan, options, prepared.manifest.content)
    trials, failed = run_trials(
        progress(wanted, label="compare", unit="trial"),
        lambda trial: trial_artefact(store, plan, data, trial, options),
        recorder,
    )
    names = [name for name in compared if name not in failed]
    if against in failed or not names:
        raise failed.get(against or "") or next(iter(failed.values()))
    without = [name for name in names if not model_class(compared[name]).uses_content]
    reference = against or _choose_reference(served, names, without, trials)
    comparison = compare_trials(trials, reference)
    with write_artefact(store, run_key(run, "compare"), inputs=[prepared, *trials]) as out:
        write_report(out, comparison, without)
    recorder.finish(reference)
    if failed:
        reasons = "; ".join(f"{name}: {error}" for name, error in failed.items())
        kind = BadInput if all(isinstance(error, BadInput) for error in failed.values()) else TaskError
        raise kind(f"{len(failed)} of {len(names) + len(failed)} models failed and are not in the table: {reasons}")
    best = choose_best(comparison.metrics, names)
    score = mean_score(comparison.metrics, best, "test")
    return {"run": run, "trials": len(trials), "against": reference, "best": best, f"test_{DECIDES}": score}


def write_report(out: ArtefactWriter, comparison: Comparison, without: list[str]) -> None:
    """Table, metrics, differences and plot; the table also into the log."""
    text = "\n".join(write_table(comparison, without))
    out.file("table.md").write_text(text + "\n", encoding="utf-8")
    out.frame("figures.csv", comparison.metrics)
    out.json("differences.json", _differences(comparison))
    draw_plot(comparison.metrics, comparison.against, out.file("plot.png"))
    table_log.info("\n%s\n", text)


def choose_models(models: str | None, plan: Plan) -> list[str]:
    """The models named, or those of the run; BadInput for one that there is not, or that is named twice."""
    names = plan.config.models if models is None else [word.strip() for word in models.split(",") if word.strip()]
    unknown = sorted(set(names) - set(MODELS))
    if unknown or not names or len(set(names)) < len(names):
        raise BadInput(f"models {models!r} found, expected some of {', '.join(MODELS)}, each once")
    return names


def choose_features(features: str | None, known: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The choices of features, each once; BadInput for one that the run does not have, or that is named twice."""
    if features is None:
        return None
    words = [word.strip() for word in features.split(",") if word.strip()]
    choices = [tuple(part.strip() for part in word.split("+")) for word in words]
    sets = [frozenset(choice) for choice in choices]
    wrong = any(not one <= set(known) or len(one) < len(choice) for one, choice in zip(sets, choices, strict=True))
    if wrong or not choices or len(set(sets)) < len(sets):
        raise BadInput(
            f"features {features!r} found, expected some of {', '.join(known)}, with + where a model sees several, "
            "each choice once"
        )
    return choices


def _read_served_model(plan: Plan) -> str | None:
    """The model that is served of this dataset, if one is."""
    with open_records() as history:
        champion = history.champion(plan.config.dataset)
    return champion.model if champion else None


def _choose_reference(served: str | None, names: list[str], without: list[str], trials: list[Artefact]) -> str:
    """What is served, or where that is not among `names` the best of those `without` content, which the log says."""
    if served in names:
        return served
    best, why = choose_best(collect_metrics(trials), without or names), f"{served} is served, but not compared"
    which = "the best without content" if without else "the best"
    log.info("differences are to %s, %s on validation: %s", best, which, why if served else "nothing is served")
    return best


def _differences(comparison: Comparison) -> dict[str, object]:
    def write(by_model: Mapping[str, Mapping[str, Difference]]) -> dict[str, object]:
        return {model: {name: asdict(one) for name, one in by_name.items()} for model, by_name in by_model.items()}

    return {
        "against": comparison.against,
        "models": write(comparison.differences),
        "content": write(comparison.content),
    }
