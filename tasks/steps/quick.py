"""`quick`: a whole comparison of models on one log, in a folder that is removed afterwards."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import quote

import numpy as np
import typer
import yaml

from tasks.data import Interactions
from tasks.errors import BadInput, TaskError
from tasks.experiments.comparing import table_log
from tasks.models import MODELS, model_class
from tasks.runs.config import MODALITIES, SplitRule
from tasks.steps.align import align
from tasks.steps.compare import compare
from tasks.steps.extract import extract
from tasks.steps.load_embeddings import load_embeddings
from tasks.steps.load_interactions import load_interactions
from tasks.steps.options import Device, Memory, Threads
from tasks.steps.prepare import prepare
from tasks.steps.scan import scan
from tasks.steps.tune import tune
from tasks.store import DSN, has_artefact, open_store, read_artefact
from tasks.store.layout import run_key

log = logging.getLogger(__name__)
RUN = DATASET = "quick"
STAND_IN = "no_content"  # one constant column: every run has a feature, and models without content ignore it
SYNTAX = "NAME=VECTORS.npy:ITEMS, such as text=vectors.npy:items.txt"


def quick(
    *,
    file: Annotated[str, typer.Argument(help="The log, as for load-interactions.")],
    models: Annotated[str, typer.Option(help="Models to compare, with commas.")],
    query: Annotated[str | None, typer.Option(help="As for load-interactions.")] = None,
    features: Annotated[
        list[str] | None, typer.Option(help=f"Vectors of the items, as for load-embeddings: {SYNTAX}; may be repeated.")
    ] = None,
    split: Annotated[SplitRule, typer.Option(help="How interactions become train, validation and test.")] = "random",
    k: Annotated[int, typer.Option(min=1, max=100, help="k of the k-core.")] = 5,
    seeds: Annotated[int, typer.Option(min=1, help="Number of seeds per model.")] = 1,
    trials: Annotated[
        int | None,
        typer.Option("--tune", min=1, help="Trials of tuning for each model before; default: none."),
    ] = None,
    user_column: Annotated[str | None, typer.Option(help="As for load-interactions.")] = None,
    item_column: Annotated[str | None, typer.Option(help="As for load-interactions.")] = None,
    rating_column: Annotated[str | None, typer.Option(help="As for load-interactions.")] = None,
    timestamp_column: Annotated[
        str | None, typer.Option("--timestamp-column", "--time-column", help="As for load-interactions.")
    ] = None,
    no_timestamp: Annotated[bool, typer.Option("--no-timestamp", help="As for load-interactions.")] = False,
    delimiter: Annotated[str | None, typer.Option(help="As for load-interactions.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Keep rows rated at least this.")] = None,
    implicit: Annotated[bool, typer.Option("--implicit", help="Keep every row, whatever its rating.")] = False,
    keep: Annotated[
        Path | None, typer.Option(help="New or empty folder for the store, which is kept; default: a temporary one.")
    ] = None,
    device: Device = "cpu",
    threads: Threads = 0,
    memory: Memory = 8.0,
) -> dict[str, object]:
    """Measure models on a log in one line, without PostgreSQL or S3: prints the table of `compare`.

    It is load-interactions, load-embeddings, scan, extract, align, prepare, tune and compare, one after the other, on a
    store in a temporary folder. Without --features only models without content can run. Nothing is validated:
    check-embeddings and check-dataset do that, on a store that --keep has kept.
    """
    names, given = choose_models(models, has_features=bool(features)), parse_features(features or [])
    machine: dict[str, Any] = {"device": device, "threads": threads, "memory": memory}
    with contextlib.redirect_stdout(sys.stderr), open_folder(keep) as scratch:  # progress, too, is not the table
        loaded = load_interactions(
            file=file,
            dataset=DATASET,
            query=query,
            delimiter=delimiter,
            user_column=user_column,
            item_column=item_column,
            rating_column=rating_column,
            timestamp_column=timestamp_column,
            no_timestamp=no_timestamp,
            threshold=threshold,
            implicit=implicit,
        )
        given = given or make_stand_in(str(loaded["log"]), scratch)
        for name, (vectors, items) in given.items():
            load_embeddings(dataset=DATASET, modality=modality_of(name), vectors=vectors, items=items, feature=name)
        plan = {"dataset": DATASET, "models": names, "k_core": k, "split": split, "seed": 7}
        plan["features"] = {name: {"modality": modality_of(name), "encoder": "ready-made"} for name in given}
        plan_run(plan, scratch)
        for name in given:
            extract(run=RUN, feature=name)
        align(run=RUN)
        prepare(run=RUN)
        if trials is not None:
            plan_run({**plan, "hyperparameters": tune_all(names, trials, machine)}, scratch)
        table, failed = compare_all(seeds, machine)
    typer.echo(table)
    if failed:
        raise failed
    return {"run": RUN, "models": names}


def choose_models(models: str, *, has_features: bool) -> list[str]:
    """The models named; BadInput for one that there is not, or that needs content where there are no features."""
    names = [word.strip() for word in models.split(",") if word.strip()]
    unknown = sorted(set(names) - set(MODELS))
    if unknown or not names or len(set(names)) < len(names):
        raise BadInput(f"models {models!r} found, expected some of {', '.join(MODELS)}, each once")
    needing = [name for name in names if model_class(name).uses_content]
    if needing and not has_features:
        without = ", ".join(name for name in MODELS if not model_class(name).uses_content)
        raise BadInput(
            f"{', '.join(needing)} found without --features, expected {SYNTAX}; without features only models without "
            f"content can run: {without}"
        )
    return names


def parse_features(features: Sequence[str]) -> dict[str, tuple[Path, Path]]:
    """Feature -> its vectors and the list of its items."""
    parsed: dict[str, tuple[Path, Path]] = {}
    for text in features:
        name, _, paths = text.partition("=")
        vectors, _, items = paths.rpartition(":")
        if not (name and vectors and items) or name in parsed:
            raise BadInput(f"--features {text!r} found, expected {SYNTAX}, each name once")
        parsed[name] = Path(vectors), Path(items)
    return parsed


def modality_of(feature: str) -> str:
    """The modality of ready-made vectors, which matters to encoders alone: that of the name, or text."""
    return feature if feature in MODALITIES else "text"


@contextlib.contextmanager
def open_folder(keep: Path | None) -> Iterator[Path]:
    """Point the steps at a store in a folder, and at no database; yields a scratch folder, which is removed."""
    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise BadInput(f"--keep {keep} is not an empty folder, expected one, or a name that is not in use")
    before = {name: os.environ.get(name) for name in ("RECSYS_STORE", DSN)}
    with tempfile.TemporaryDirectory(prefix="recsys-quick-") as scratch:
        folder = Path(scratch) / "store" if keep is None else keep.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        os.environ |= {"RECSYS_STORE": f"file://{quote(str(folder))}", DSN: "none"}
        try:
            yield Path(scratch)
        finally:
            if keep is not None:
                log.info("kept in %s: RECSYS_STORE=%s %s=none", keep, os.environ["RECSYS_STORE"], DSN)
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})


def make_stand_in(interactions: str, scratch: Path) -> dict[str, tuple[Path, Path]]:
    """Write a feature of every item of the log that says nothing."""
    ids = Interactions.load(read_artefact(open_store(), interactions).path("interactions.parquet")).item_ids
    log.info("no --features: models without content are compared, on all %d items of the log", len(ids))
    vectors, items = scratch / "ones.npy", scratch / "items.txt"
    np.save(vectors, np.ones((len(ids), 1), dtype=np.float32))
    items.write_text("".join(f"{one}\n" for one in ids.tolist()), encoding="utf-8")
    return {STAND_IN: (vectors, items)}


def plan_run(plan: Mapping[str, object], scratch: Path) -> None:
    """Write the plan of the run, again when tuning has changed it."""
    path = scratch / "quick.yaml"
    path.write_text(yaml.safe_dump(dict(plan)), encoding="utf-8")
    scan(run=RUN, config=str(path))


def tune_all(names: Sequence[str], trials: int, machine: Mapping[str, Any]) -> dict[str, object]:
    """Model -> the best hyperparameters found; a model with nothing to tune keeps its defaults."""
    best: dict[str, object] = {}
    for name in names:
        chosen = model_class(name)
        if not chosen.space_of(chosen.configure({})):
            log.info("%s has nothing to tune", name)
            continue
        tune(run=RUN, model=name, trials=trials, **machine)
        report = read_artefact(open_store(), run_key(RUN, f"tune-{name}")).json("tune.json")
        best[name] = report["best"]["hyperparameters"]
    return best


def compare_all(seeds: int, machine: Mapping[str, Any]) -> tuple[str, TaskError | None]:
    """Train and measure; returns the table, and the error about models that are missing in it."""
    table_log.setLevel(logging.WARNING)
    try:
        compare(run=RUN, seeds=seeds, **machine)
    except TaskError as error:
        if not has_artefact(open_store(), run_key(RUN, "compare")):
            raise
        failed: TaskError | None = error
    else:
        failed = None
    finally:
        table_log.setLevel(logging.NOTSET)
    table = read_artefact(open_store(), run_key(RUN, "compare")).path("table.md")
    return table.read_text(encoding="utf-8").rstrip(), failed
