"""Compares models on a run's dataset, with the significance of differences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from tasks.errors import BadInput
from tasks.experiments.arms import list_arms
from tasks.experiments.comparing import Asked, compare_arms
from tasks.experiments.report import choose_best, mean_score
from tasks.metrics import DECIDES
from tasks.models import MODELS
from tasks.runs.plan import Plan, read_plan
from tasks.steps.options import Device, Memory, Run, Threads, split_words
from tasks.store import open_store, write_artefact
from tasks.store.layout import run_key


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
    arms = list_arms(choose_models(models, plan), choose_features(features, plan.config.feature_names))
    asked = Asked(seeds, permute, cold, against)
    compared = compare_arms(store, plan, arms, asked, device=device, threads=threads, memory=memory)
    with write_artefact(store, run_key(run, "compare"), inputs=compared.inputs) as out:
        compared.write(out)
    compared.raise_failures()
    metrics = compared.comparison.metrics
    best = choose_best(metrics, compared.names)
    return {
        "run": run,
        "trials": len(compared.inputs) - 1,
        "against": compared.comparison.against,
        "best": best,
        f"test_{DECIDES}": mean_score(metrics, best, "test"),
    }


def choose_models(models: str | None, plan: Plan) -> list[str]:
    """The models named, or those of the run; BadInput for one that there is not, or that is named twice."""
    names = plan.config.models if models is None else split_words(models) or []
    unknown = sorted(set(names) - set(MODELS))
    if unknown or not names or len(set(names)) < len(names):
        raise BadInput(f"models {models!r} found, expected some of {', '.join(MODELS)}, each once")
    return names


def choose_features(features: str | None, known: Sequence[str]) -> list[tuple[str, ...]] | None:
    """The choices of features, each once; BadInput for one that the run does not have, or that is named twice."""
    if features is None:
        return None
    choices = [tuple(part.strip() for part in word.split("+")) for word in split_words(features) or []]
    sets = [frozenset(choice) for choice in choices]
    wrong = any(not one <= set(known) or len(one) < len(choice) for one, choice in zip(sets, choices, strict=True))
    if wrong or not choices or len(set(sets)) < len(sets):
        raise BadInput(
            f"features {features!r} found, expected some of {', '.join(known)}, with + where a model sees several, "
            "each choice once"
        )
    return choices
