"""Garbage collection in two phases: what is garbage is marked, and removed if it still is after some time."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from tasks.encoders.parts import list_replaced
from tasks.errors import NotFound
from tasks.releases.garbage import Facts, Limits, Verdict, judge, judge_dataset
from tasks.releases.holdings import Holding, list_left_over, list_releases_of, list_runs, remove
from tasks.releases.listing import datasets_of
from tasks.releases.reference import WINDOW
from tasks.store import History, Store, format_size

log = logging.getLogger(__name__)
NO_DATASET = ""  # of what killed commands left, and of parts of the cache


@dataclass
class Tally:
    """What was done, or with a dry run would be: numbers of prefixes, and bytes that were or would be removed."""

    numbers: Counter[str] = field(default_factory=Counter)
    size: int = 0


@dataclass(frozen=True)
class Collector:
    """Collects the garbage of a store; without `delete` it only says what it would do."""

    store: Store
    history: History
    limits: Limits
    grace: timedelta
    delete: bool

    def collect(self, dataset: str | None = None) -> Tally:
        """Judge everything, or one dataset; mark what is garbage, remove what has been so for the grace."""
        tally, runs = Tally(), list_runs(self.store)
        known = sorted({*datasets_of(self.store), *self.history.datasets()})
        if dataset is not None and dataset not in known:
            raise NotFound(
                f"dataset {dataset!r} has neither a release nor a run, expected one of {', '.join(known) or 'none'}"
            )
        for name in known if dataset is None else [dataset]:
            references = self.history.references(name, WINDOW)
            releases = list_releases_of(self.store, name)
            self._apply(name, judge_dataset(self.store, releases, runs, references, self.limits), tally)
            for run in references.runs:
                runs.pop(run, None)
        if dataset is None:
            facts = Facts(self.history.references(NO_DATASET, WINDOW), self.limits)
            remains = [
                *list_left_over(self.store),
                *(Holding("replaced", info.key, "", (info,)) for info in list_replaced(self.store)),
            ]
            self._apply(NO_DATASET, [judge(holding, facts) for holding in remains], tally)
            strangers = [judge(holding, facts) for holdings in runs.values() for holding in holdings]
            for verdict in strangers:
                tally.numbers["kept"] += 1
                log.info("kept %s: %s", verdict.holding.prefix, verdict.reason)
        return tally

    def _apply(self, dataset: str, verdicts: Iterable[Verdict], tally: Tally) -> None:
        marks, garbage = self.history.marks(dataset), dict[str, Verdict]()
        for verdict in verdicts:
            if verdict.keep:
                tally.numbers["kept"] += 1
                log.info("kept %s: %s", verdict.holding.prefix, verdict.reason)
            else:
                garbage[verdict.holding.prefix] = verdict
        fresh = {prefix: verdict.reason for prefix, verdict in garbage.items() if prefix not in marks}
        rescued = [prefix for prefix in marks if prefix not in garbage]
        if self.delete:
            with self.history.hold(dataset):
                self.history.unmark(rescued)
                self.history.mark(dataset, fresh)
        for prefix, verdict in garbage.items():
            size = format_size(verdict.holding.size)
            if prefix in fresh:
                tally.numbers["marked"] += 1
                log.info("%s %s (%s): %s", self._say("marked", "would mark"), prefix, size, verdict.reason)
            elif marks[prefix].age < self.grace:
                tally.numbers["waiting"] += 1
                log.info("waits since %s: %s (%s)", f"{marks[prefix].marked_at:%Y-%m-%d %H:%M}", prefix, size)
            else:
                self._sweep(dataset, verdict, tally)
        for prefix in rescued:
            tally.numbers["unmarked"] += 1
            log.info("%s %s: it is kept, or gone", self._say("unmarked", "would unmark"), prefix)

    def _sweep(self, dataset: str, verdict: Verdict, tally: Tally) -> None:
        """Remove one prefix, unless somebody began to refer to it since it was judged."""
        holding, size = verdict.holding, verdict.holding.size
        if self.delete:
            with self.history.hold(dataset):
                if not self.history.is_marked(holding.prefix):
                    log.info("kept %s: it is referred to again", holding.prefix)
                    tally.numbers["kept"] += 1
                    return
                self.history.sweep(holding.prefix)  # before: from here on nobody comes to refer to it
                size = remove(self.store, holding)
        tally.numbers["deleted"] += 1
        tally.size += size
        done = self._say("deleted", "would delete")
        log.info("%s %s (%s): %s", done, holding.prefix, format_size(size), verdict.reason)

    def _say(self, done: str, planned: str) -> str:
        return done if self.delete else planned
