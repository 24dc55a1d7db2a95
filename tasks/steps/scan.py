"""The first step: takes the inventory, finds new media, and writes the plan of the run."""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Mapping
from typing import Annotated

import pandas as pd
import typer
from pydantic import TypeAdapter

from tasks.data import Cuts, Interactions, require_columns
from tasks.encoders.identity import identify
from tasks.errors import BadInput, NotFound, NothingToDo
from tasks.models import MODELS, model_class
from tasks.runs.config import MODALITIES, NUMBERS, RunConfig, load_config, read_yaml
from tasks.runs.inventory import (
    Objects,
    candidates_of,
    check_same_writing,
    fingerprint_media,
    items_by_feature,
    known_datasets,
    list_media,
    matrix_items,
    say_counts,
    take_inventory,
)
from tasks.runs.plan import Plan
from tasks.runs.row_encoders import check_row_encoders
from tasks.runs.written import inventory_of
from tasks.steps.options import Run, split_words
from tasks.store import (
    Champion,
    Decision,
    History,
    NoRecords,
    Store,
    has_artefact,
    open_records,
    open_store,
    read_artefact,
    release_prefix,
    write_artefact,
)
from tasks.store.item_records import current_records, read_records
from tasks.store.layout import check_dataset_name, interactions_folder, matrix_folder, media_folder, run_key, run_name
from tasks.store.matrices import find_matrix
from tasks.store.pointers import current

log = logging.getLogger(__name__)


def scan(
    *,
    run: Run,
    dataset: Annotated[
        str | None, typer.Option(help="Name of the dataset, as in media/<dataset>/; default: the preset's.")
    ] = None,
    config: Annotated[str, typer.Option(help="Preset of tasks/configs/ by name, or a YAML file by path.")] = "nightly",
    modalities: Annotated[
        str | None, typer.Option(help=f"Some of {','.join(MODALITIES)}; default: the preset's.")
    ] = None,
    encoder: Annotated[
        str | None, typer.Option(help="offline, audioclip-demo or another name that `encoders` lists.")
    ] = None,
    features: Annotated[
        str | None,
        typer.Option(
            help='Features in place of both, as JSON: {"poster_clip": {"modality": "image", "encoder": "clip"}, '
            '"spotify": {"modality": "numbers"}, ...}.'
        ),
    ] = None,
    models: Annotated[str | None, typer.Option(help="Models that compete, with commas; default: the preset's.")] = None,
    missing: Annotated[
        str | None, typer.Option(help="drop, zero, mean, linear or em, for an item that lacks a feature.")
    ] = None,
    k: Annotated[int | None, typer.Option(help="k of the k-core.")] = None,
    split: Annotated[str | None, typer.Option(help="random, time, leave-one-out or given.")] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same metrics.")] = None,
    approval: Annotated[
        str | None, typer.Option(help="none, or required: a human is asked before a release is served.")
    ] = None,
    force: Annotated[bool, typer.Option(help="Run even if nothing is new.")] = False,
) -> dict[str, object]:
    """Take the inventory of a dataset, report what is new since the last release, and write the plan of the run.

    Exit code 99 if media, interactions, encoder and settings equal those of the last run with a decision.
    """
    run_name(run)  # before anything is kept under it
    overrides: dict[str, object] = {"dataset": dataset, "k_core": k, "split": split, "seed": seed}
    overrides |= {"modalities": split_words(modalities), "models": split_words(models), "missing": missing}
    # the DAG has one command line for both forms: what is empty is not given
    overrides |= {"approval": approval or None, "encoder": encoder or None}
    overrides |= {"features": read_yaml(features, "--features") if features else None}
    chosen = load_config(config, overrides)
    unknown = sorted(set(chosen.models) - set(MODELS))
    if unknown:
        raise BadInput(f"models {', '.join(unknown)} found, expected some of {', '.join(MODELS)}")
    store = open_store()
    with open_records() as history:
        decided = history.last_decision(check_dataset_name(chosen.dataset))
    if chosen.hyperparameters != hyperparameters_of_run(store, decided.run if decided else None):
        check_hyperparameters(chosen)  # before the inventory, which may take long
    objects = list_media(store, chosen.dataset)
    inventory, counts, plan = make_plan(store, run, chosen, objects)
    if decided is None or decided.run == run or decided.inputs_hash != plan.inputs_hash or force:
        same = None
        check_hyperparameters(chosen)
    else:
        same = decided
    with open_records() as history:
        history.start_run(run, chosen.dataset, chosen.describe(), os.environ.get("RECSYS_RUN_URL"))
        state = {"media": fingerprint_media(store, chosen.dataset, objects), "interactions": plan.interactions}
        cuts = cuts_of(store, history.champion(chosen.dataset), chosen.split)
        plan = plan.model_copy(update={"cuts": cuts, "inputs": history.number_inputs(chosen.dataset, state)})
        known = known_hashes(store, decided.run if decided else None)
        counts["new_media"] = int((~inventory["sha256"].isin(known)).sum())
        log.info("%d media are new since the last run with a decision", counts["new_media"])
        if same is not None:
            _skip(history, run, same)
    with write_artefact(store, run_key(run, "scan"), parameters={"config": config}, seed=chosen.seed) as out:
        out.json("plan.json", plan.model_dump(mode="json"))
        out.frame("inventory.parquet", inventory)
        out.counts.update(counts)
    with open_records() as history:
        history.record_counts(run, "scan", counts)
    return {"run": run, "dataset": chosen.dataset, **counts}


def check_hyperparameters(config: RunConfig) -> None:
    """BadInput for values that a model does not know. Imports the models that have some, hence torch."""
    for name, values in config.hyperparameters.items():
        model_class(name).configure(values)


def hyperparameters_of_run(store: Store, run: str | None) -> Mapping[str, object]:
    """Those of `run`, which were checked then; none without a run, or if its artefacts have been deleted."""
    if run is None or not has_artefact(store, run_key(run, "scan")):
        return {}
    plan = read_artefact(store, run_key(run, "scan")).json(
        "plan.json"
    )  # as it is: an earlier version may have written it
    found: Mapping[str, object] = plan["config"].get("hyperparameters", {})
    return found


def make_plan(store: Store, run: str, config: RunConfig, listed: Objects) -> tuple[pd.DataFrame, dict[str, int], Plan]:
    """Return the inventory of the modalities of the run, its counts, and the plan. `listed`: all media."""
    features = config.list_features()
    filed = [feature for feature in features if not feature.template]
    folders = {feature.name: matrix_folder(config.dataset, feature.source) for feature in filed}
    matrices = {name: prefix for name, folder in folders.items() if (prefix := current(store, folder))}
    objects = {m: infos for m, infos in listed.items() if m in {feature.modality for feature in filed}}
    interactions = current(store, interactions_folder(config.dataset))
    _check_sources(store, config, set(matrices), set(objects), interactions)
    whole = Interactions.load(read_artefact(store, str(interactions)).path("interactions.parquet"))
    require_columns(whole, config.split)
    log_ids = whole.item_ids
    del whole  # by far the largest object in memory
    encoders = identities(store, config, set(matrices))
    check_row_encoders(store, features, matrices)
    encoded = {feature.modality for feature in filed if feature.name not in matrices}
    pinned = current_records(store, config.dataset)
    records = read_records(store, pinned)
    written = inventory_of(records, pinned, features)  # before media are read, which may take long
    inventory = take_inventory(store, config.dataset, {m: infos for m, infos in objects.items() if m in encoded})
    inventory = pd.concat([inventory, written], ignore_index=True) if len(written) else inventory
    items = items_by_feature(inventory, matrix_items(store, matrices), features)
    counts = say_counts(items)
    candidates = candidates_of(items, config.missing)
    if not candidates:
        raise BadInput(
            f"no item of {config.dataset!r} has all of {', '.join(items)}, "
            "expected files with the same names in each of their folders (--missing linear fills what items lack)"
        )
    check_same_writing(items | {"the item records": set(records.ids.tolist())}, log_ids.tolist())
    if pinned is not None:
        counts["with_record"] = sum(item in candidates for item in records.ids.tolist())
        log.info("%d of %d items have a record", counts["with_record"], len(candidates))
    plan = Plan(
        run=run,
        config=config,
        interactions=str(interactions),
        records=pinned,
        matrices=matrices,
        encoders=encoders,
        inputs_hash=inputs_hash(
            inventory[inventory["item"].isin(candidates)], str(interactions), matrices, encoders, config, pinned
        ),
    )
    return inventory, counts, plan


def cuts_of(store: Store, champion: Champion | None, method: str) -> Cuts | None:
    """Return the cuts of the served release, if both it and the run are split by `time`; None if it is gone."""
    if champion is None or method != "time":
        return None
    prefix = release_prefix(champion.dataset, champion.release)
    if not has_artefact(store, prefix):
        log.warning("%s is not in the store, so the cuts of the time split are drawn anew", prefix)
        return None
    cuts = read_artefact(store, prefix).manifest.parameters.get("cuts")
    return None if cuts is None else TypeAdapter(Cuts).validate_python(cuts)


def identities(store: Store, config: RunConfig, ready: set[str]) -> dict[str, str]:
    """Feature -> identity of its encoder, for those that have no ready-made matrix, or have the rows of one encoded."""
    wanted = [feature for feature in config.list_features() if feature.name not in ready or feature.encodes_rows]
    known = {name: identify(store, name) for name in dict.fromkeys(feature.encoder for feature in wanted)}
    for name, modalities in known.items():
        asked = dict.fromkeys(feature.modality for feature in wanted if feature.encoder == name)
        missing = [modality for modality in asked if modality not in modalities]
        if missing:
            raise BadInput(
                f"encoder {name!r} knows {', '.join(modalities)} and not {', '.join(missing)}, "
                "expected it to know each modality of the run"
            )
    return {feature.name: known[feature.encoder][feature.modality] for feature in wanted}


def inputs_hash(  # noqa: PLR0917  of so much is a result made
    media: pd.DataFrame,
    interactions: str,
    matrices: Mapping[str, str],
    encoders: Mapping[str, str],
    config: RunConfig,
    records: str | None = None,
) -> str:
    """Return the sha256 of everything that determines the result of a run: media, log, matrices, encoders, settings.

    And item records, which its release holds; without any the hash is that of the time before they existed.

    `media`: rows of the inventory of the candidates. Others cannot change the result, so they wait
    without causing a run.
    """
    content = sorted(zip(media["modality"], media["item"], media["sha256"], strict=True))
    settings = {key: value for key, value in config.describe().items() if key != "approval"}  # decides no result
    everything = [content, interactions, dict(matrices), dict(encoders), settings, *([records] if records else [])]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()


def known_hashes(store: Store, run: str | None) -> set[str]:
    """Return content hashes of the media of `run`; empty without a run, or if its artefacts have been deleted."""
    if run is None or not has_artefact(store, run_key(run, "scan")):
        return set()
    return set(read_artefact(store, run_key(run, "scan")).frame("inventory.parquet")["sha256"])


def _check_sources(
    store: Store, config: RunConfig, matrices: set[str], media: set[str], interactions: str | None
) -> None:
    dataset = config.dataset
    if not matrices | media and interactions is None and dataset not in (known := known_datasets(store)):
        raise NotFound(f"dataset {dataset!r} is not in {store.url}, expected one of {', '.join(known) or '(none yet)'}")
    features = config.list_features()
    both = sorted(matrices & media)  # a matrix of a feature with a name of its own is what it is
    if both:
        raise BadInput(
            f"{', '.join(both)} of {dataset!r} exists both as media and as precomputed embeddings, expected one: "
            f"remove {media_folder(dataset)}{both[0]}/ or {matrix_folder(dataset, both[0])}/"
        )
    for feature in features:
        if feature.modality == NUMBERS and feature.name not in matrices:
            find_matrix(store, dataset, feature.source)
    filed = [feature for feature in features if not feature.template]
    missing = list(dict.fromkeys(f.modality for f in filed if f.name not in matrices and f.modality not in media))
    if missing:
        there = ", ".join(sorted(matrices | media)) or "nothing"
        raise NotFound(
            f"dataset {dataset!r} has no {', '.join(missing)} (found: {there}), "
            f"expected media under {media_folder(dataset)}{missing[0]}/ or a matrix by `load-embeddings`; "
            f"or leave it out of the {'modalities' if config.features is None else 'features'}"
        )
    if interactions is None:
        raise NotFound(f"dataset {dataset!r} has no interactions, expected `load-interactions` to have loaded some")


def _skip(history: History | NoRecords, run: str, decided: Decision) -> None:
    history.finish_run(run, "skipped")
    what = "published a release" if decided.outcome == "promoted" else "was rejected"
    raise NothingToDo(
        f"nothing is new since run {decided.run}, which {what}: "
        "same complete items, interactions, encoder and settings (--force runs anyway)"
    )
