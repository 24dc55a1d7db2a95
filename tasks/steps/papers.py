"""Reruns the tables of a paper on a run's dataset."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tasks.experiments.comparing import compare_arms
from tasks.experiments.paper_page import summarise, write_page, write_result
from tasks.experiments.papers import load_paper, require_settings
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset
from tasks.steps.options import Device, Memory, Run, Threads
from tasks.store import open_store, write_artefact
from tasks.store.artefacts import code_version
from tasks.store.layout import run_key


def papers(
    *,
    paper: Annotated[str, typer.Option(help="Name of a file in papers/, without .yaml.")],
    run: Run,
    seeds: Annotated[int, typer.Option(min=0, help="Number of seeds of each arm; 0: as many as the paper says.")] = 0,
    save: Annotated[
        Path | None, typer.Option(help="Also write the result to this file, such as papers/results/NAME.json.")
    ] = None,
    device: Device = "cpu",
    threads: Threads = 0,
    memory: Memory = 8.0,
) -> dict[str, object]:
    """Train what a paper compares on the prepared dataset of a run, and write its tables with ours beside the printed.

    The run has the paper's own settings, by `scan --config papers/NAME`. Trainings are stored as those of `compare`, so
    that a killed call goes on. The page, figures and plot are in runs/<run>/paper-<name>/.
    """
    chosen, store = load_paper(paper), open_store()
    plan = read_plan(store, run)
    require_settings(paper, plan.config)
    asked = chosen.asked(seeds or None)
    compared = compare_arms(store, plan, chosen.list_arms(), asked, device=device, threads=threads, memory=memory)
    data = load_dataset(store, run)
    users, items = data.shape
    counts = {"users": users, "items": items, "interactions": data.train.nnz + data.valid.nnz + data.test.nnz}
    result = summarise(paper, compared, counts, code_version())
    with write_artefact(store, run_key(run, f"paper-{paper}"), inputs=compared.inputs) as out:
        compared.write(out)
        out.file("page.md").write_text(write_page(paper, chosen, result), encoding="utf-8")
        out.json("result.json", result.model_dump(mode="json"))
    if save is not None:
        write_result(save, result)
    compared.raise_failures()
    return {"run": run, "paper": paper, "trials": len(compared.inputs) - 1, "against": result.against}
