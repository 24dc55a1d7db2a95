"""The best release of the last thirty days: what small losses, each within the tolerance, are added up against.

Every gate report of a promoted release has the differences of its twin to the champion and the reference of its time.
From today's champion back, they give the level of each release that it descends from, as high as it can be by their
bounds: of releases that cannot be told apart the oldest is taken, which was before small losses, and not the one that
was measured too high. A release that was forced, or promoted without a comparison, begins a new chain: what was before
it is not held against its successors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from typing import Any

from pydantic import ValidationError

from tasks.releases.comparison import Comparison
from tasks.releases.gate import Gate
from tasks.store import Champion, Promotion

WINDOW = timedelta(days=30)


def best_release(champion: Champion, promotions: Iterable[Promotion]) -> str:
    """Return the release with the highest possible level among the champion and its ancestors of the last thirty days.

    `promotions` are the releases of the dataset that were served in this time. Of equal levels the later release. A
    report that cannot be read ends a chain.
    """
    recent = {one.release: one.gate for one in promotions}
    levels, name, facts = {champion.release: 0.0}, champion.release, champion.gate
    while gate := _read(facts):
        for comparison in comparisons_of(gate):
            if comparison.release in recent:
                levels.setdefault(comparison.release, levels[name] - comparison.known.low)
        before = gate.champion.release if gate.champion else name
        if before not in levels or before not in recent:
            break
        name, facts = before, recent.pop(before)  # each once: after a rollback, a chain may come back
    return max(levels, key=lambda release: levels[release])


def _read(facts: Mapping[str, Any]) -> Gate | None:
    try:
        return Gate.model_validate(facts)
    except ValidationError:
        return None


def comparisons_of(gate: Gate) -> Iterator[Comparison]:
    """Yield what ties a promoted release to earlier ones; nothing if it was forced."""
    if gate.forced is None:
        reference = gate.reference.comparison if gate.reference else None
        yield from (one for one in (gate.comparison, reference) if one is not None)
