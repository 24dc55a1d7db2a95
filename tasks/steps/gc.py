"""Removes what nothing refers to any more."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Annotated

import typer

from tasks.errors import BadInput
from tasks.releases.garbage import Limits
from tasks.releases.sweep import Collector
from tasks.store import format_size, open_history, open_store

log = logging.getLogger(__name__)
COUNTED = ("kept", "marked", "waiting", "deleted", "unmarked")


def gc(
    *,
    dataset: Annotated[str | None, typer.Option(help="Name of one dataset; default: all, and what is of none.")] = None,
    keep: Annotated[
        int, typer.Option(help="How many releases that were served are kept.", envvar="RECSYS_KEEP_RELEASES")
    ] = 14,
    days: Annotated[
        int, typer.Option(help="Days for which finished runs and refused files are kept.", envvar="RECSYS_KEEP_DAYS")
    ] = 30,
    grace: Annotated[int, typer.Option(help="Hours between marking and removal.", envvar="RECSYS_GC_GRACE")] = 48,
    delete: Annotated[
        bool, typer.Option("--delete", help="Mark and remove; without it only say what would be.")
    ] = False,
) -> dict[str, object]:
    """Remove releases, runs and remains of killed commands that nothing refers to; without --delete only list them.

    What is garbage is marked first, and removed by a later call, when it has been garbage for the hours of --grace and
    still is. Kept is what is served, what a rollback goes back to, what waits for an answer, what the pointer named in
    the last thirty days, the last releases, runs that go on or are recent, and the runs that kept releases were made
    by. Each line says why.
    """
    for name, value, least in (("--keep", keep, 1), ("--days", days, 1), ("--grace", grace, 0)):
        if value < least:
            raise BadInput(f"{name} {value} found, expected at least {least}")
    with open_history() as history:
        collector = Collector(open_store(), history, Limits(keep, days), timedelta(hours=grace), delete)
        tally = collector.collect(dataset)
    numbers = {name: tally.numbers[name] for name in COUNTED}
    if not delete:
        log.info("this was a dry run: nothing was changed; --delete marks, and removes what was marked before")
    log.info("%d %s, %s", numbers["deleted"], "deleted" if delete else "to be deleted", format_size(tally.size))
    return {**numbers, "bytes": tally.size, "dry_run": not delete}
