"""Makes an earlier release the champion again."""

from __future__ import annotations

import logging
from typing import Annotated

import typer

from tasks.errors import NotFound
from tasks.releases.verify import verify_release
from tasks.steps.options import Dataset
from tasks.store import open_history, open_store, release_prefix

log = logging.getLogger(__name__)


def rollback(
    *,
    dataset: Dataset,
    release: Annotated[
        str | None, typer.Option(help="Name of the release; default: the previously served one.")
    ] = None,
) -> dict[str, object]:
    """Make an earlier release of a dataset the champion again, once every file of it was read; nothing is copied.

    The next run is compared with this release, and a run on the same inputs is skipped.
    """
    store = open_store()
    with open_history() as history:
        now = history.champion(dataset)
        if now is None:
            raise NotFound(f"dataset {dataset!r} has no release, expected one to go back from")
        wanted = release or history.release_before(now)
        history.require_release(dataset, wanted)
        history.rescue(dataset, release_prefix(dataset, wanted))
        verify_release(store, dataset, wanted)
        champion = history.rollback(dataset, wanted)
    log.info("%s is served from release %s again, model %s of run %s", dataset, wanted, champion.model, champion.run)
    return {"dataset": dataset, "release": wanted, "before": now.release, "model": champion.model, "run": champion.run}
