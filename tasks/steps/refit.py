"""`refit`: the best model of a run, trained again on everything."""

from __future__ import annotations

from typing import Any

import numpy as np

from tasks.data import Dataset
from tasks.errors import BadInput, Diverged
from tasks.metrics import SELECTION, list_overlap
from tasks.models import build_model
from tasks.models.base import Model
from tasks.models.saved import load_model, save_model
from tasks.quality import RefitFacts
from tasks.quality import check_refit as suite
from tasks.releases.candidates import read_candidates
from tasks.runs.checks import conclude
from tasks.runs.fitting import fit_model
from tasks.runs.lineage import read_made
from tasks.runs.plan import read_plan, scan_artefact
from tasks.runs.prepared import load_dataset
from tasks.steps.options import Device, Memory, Run, Threads
from tasks.store import Artefact, open_store, read_artefact, write_artefact
from tasks.store.layout import run_key

ASKED = 1000  # users whose lists are compared with the twin's


def refit(*, run: Run, device: Device = "cpu", threads: Threads = 0, memory: Memory = 8.0) -> dict[str, object]:
    """Train the best model of a run again, on the interactions of training, validation and test: it is what is served.

    Hyperparameters are the same; a model that learns in epochs runs as many as the best one had behind it. The model
    that was evaluated is its twin. Exit code 10 if the two differ too much: the report is in the store.
    """
    store = open_store()
    plan = read_plan(store, run)
    winner, _ = read_candidates(store, plan)
    steps = (f"train-{winner}", f"evaluate-{winner}", "prepare")
    trained, evaluated, prepared = read_made(store, plan, *steps)
    before = trained.json("training.json")
    everything = load_dataset(store, run, all_in_train=True)
    model = build_model(winner, _settled(trained, before), everything)
    fitted = fit_model(
        store, plan, model, prepared, step="refit", device=device, threads=threads, memory=memory, validate=None
    )
    data = load_dataset(store, run)
    facts = compare(model, load_model(trained, data), data, fitted.summary["loss"], before.get("loss"))
    summary = fitted.summary | {"overlap": round(float(facts.overlap.mean()), 4)}
    with write_artefact(
        store,
        run_key(run, "refit"),
        inputs=[scan_artefact(store, run), prepared, trained, evaluated],
        parameters=model.config.model_dump(mode="json"),
        seed=plan.config.seed,
    ) as out:
        save_model(out, model)
        out.json("refit.json", {"model": winner, **fitted.describe(), **summary, "twin_loss": before.get("loss")})
    fitted.checkpoints.clear()
    conclude(store, run, suite(facts), [prepared, trained, read_artefact(store, run_key(run, "refit"))])
    return {"run": run, "model": winner, **summary}


def compare(model: Model, twin: Model, data: Dataset, loss: float | None, twin_loss: float | None) -> RefitFacts:
    """What can be said without held-out rows: of up to ASKED users, evenly spaced."""
    users = np.arange(0, data.shape[0], -(-data.shape[0] // ASKED))
    try:
        overlap = list_overlap(model.scores, twin.scores, data, users, SELECTION.k)
    except Diverged:  # the report names it
        return RefitFacts(np.zeros(len(users)), finite=False, loss=loss, twin_loss=twin_loss)
    return RefitFacts(overlap, finite=True, loss=loss, twin_loss=twin_loss)


def _settled(trained: Artefact, training: dict[str, Any]) -> dict[str, Any]:
    """Hyperparameters that need no validation."""
    if "settled" not in training:
        raise BadInput(
            f"{trained.prefix}/training.json does not say how to train again, expected it to: an earlier version of "
            "this software trained the model, so train it again"
        )
    return dict(training["settled"])
