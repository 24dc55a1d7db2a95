"""Serve an earlier release again."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from tasks.errors import NotFound
from tasks.steps.options import Dataset
from tasks.store import has_artefact, open_history, open_store

log = logging.getLogger(__name__)


def rollback(
    *,
    dataset: Dataset,
    release: Annotated[str | None, typer.Option(help="Which release; default: the one served before the present.")] = None,
) -> dict[str, object]:
    """Move the champion of a dataset back to an earlier release; nothing is copied or deleted."""
    store = open_store()
    with open_history() as history:
        if release is not None and not has_artefact(store, f"releases/{dataset}/{release}"):
            raise NotFound(f"releases/{dataset}/{release} is not in {store.url}, expected a release that still exists")
        champion = history.rollback(dataset, release)
    log.info("%s serves release %s (%s of run %s) again", dataset, champion.release, champion.model, champion.run)
    return {"dataset": dataset, "release": champion.release, "model": champion.model, "run": champion.run}
