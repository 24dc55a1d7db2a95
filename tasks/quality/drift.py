"""Rules about what has changed since the last accepted run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from tasks.media.remarks import LIMITED
from tasks.quality.profile import Profile
from tasks.quality.profiles import ODD, discrepancy, kept_neighbours
from tasks.quality.report import Severity
from tasks.quality.suite import Evidence, Rule, Table, all_true, at_most


@dataclass(frozen=True)
class Since:
    """What a log is compared with.

    last: its profile in the run of what is served, None before a first release. known: `users` and `items` of that
    release (ids). now: seconds since 1970. limits: those of the preset by name. problem: why the release cannot be
    read, "" if it can or if there is none.
    """

    last: Profile | None
    known: Mapping[str, np.ndarray]
    now: int
    limits: Mapping[str, float]
    problem: str = ""


@dataclass(frozen=True)
class Limit:
    """A limit: what is measured, the most that is accepted, whether more stops the run, and why so much."""

    words: str
    most: float
    severity: Severity
    reason: str


LIMITS: dict[str, Limit] = {
    "rows_lost": Limit("share of the rows gone", 0.2, "critical", "items leave a catalogue one by one"),
    "users_lost": Limit("share of the known users gone", 0.2, "critical", "a log that was cut, or renumbered"),
    "items_lost": Limit("share of the known items gone", 0.2, "critical", "a log that was cut, or renumbered"),
    "users_new": Limit("share of the users unknown so far", 0.5, "warning", "half of them in one night are an import"),
    "items_new": Limit("share of the items unknown so far", 0.5, "warning", "half of them in one night are an import"),
    "per_day_fallen": Limit("fall of interactions a day", 0.7, "warning", "weekdays differ by less"),
    "times_odd": Limit("share of times of 0, below it or in the future", 0.0, "warning", "no click has such a time"),
    "norms_moved": Limit("change of the median norm", 0.5, "warning", "one encoder gives one scale"),
    "cosine_moved": Limit("change of the mean cosine", 0.1, "warning", "so much is another kind of media"),
    "near_more": Limit("more vectors that are one but for noise", 0.02, "warning", "a batch of broken or empty media"),
    "same_media": Limit("share of items that share a medium", 0.05, "warning", "one file under many names"),
    "odd_media": Limit("share of media that have hardly anything in them", 0.01, "warning", "a few of them are meant"),
    "mixed_bandwidth": Limit(
        "share of sounds of another bandwidth than most", 0.05, "warning", "it speaks louder than the content"
    ),
    "discrepancy": Limit("maximum mean discrepancy, squared", 0.05, "warning", "half of the rows exchanged give more"),
    "neighbours_lost": Limit("share of nearest neighbours lost", 0.7, "critical", "vectors of one encoder stay"),
}


class _Fact(NamedTuple):
    name: str  # of LIMITS
    value: float
    observed: str


def drift_table(now: Profile, before: Profile | None, limits: Mapping[str, float]) -> Table:
    """Rules about a subject, and about it beside its last accepted profile `before`.

    limits: those of the preset by name, in place of LIMITS.
    """
    facts = list(_facts(now, before))
    rules = [_rule(now.subject, fact, limits) for fact in facts]
    frame = pd.DataFrame({"compared": before is not None, **{fact.name: fact.value for fact in facts}}, index=[0])
    return Table(f"{now.subject} since the last release", frame, rules)


def since_tables(profile: Profile, since: Since) -> list[Table]:
    """Rules about a log beside what is served, and that this could be read."""
    tables = [drift_table(profile, since.last, since.limits)]
    if since.problem:
        name, expected = "served_release_is_read", "the release that is served, to compare users and items with"
        evidence = Evidence(since.problem)
        rule = all_true(name, profile.subject, expected, "read", evidence=evidence, severity="warning")
        tables.append(Table("served release", pd.DataFrame({"read": [False]}), [rule]))
    return tables


def _rule(subject: str, fact: _Fact, limits: Mapping[str, float]) -> Rule:
    limit = LIMITS[fact.name]
    most = limits.get(fact.name, limit.most)
    expected = f"at most {most:g}: {limit.words}"
    evidence = Evidence(fact.observed)
    return at_most(f"drift_{fact.name}", subject, expected, fact.name, most, evidence=evidence, severity=limit.severity)


def _facts(now: Profile, before: Profile | None) -> Iterator[_Fact]:
    mine = now.measures
    for name in ("users_lost", "items_lost", "users_new", "items_new"):
        if name in mine:
            yield _Fact(name, mine[name], f"{mine[name]:.1%}")
    if "times_future" in mine:
        odd = {name.removeprefix("times_"): mine[name] for name in ("times_zero", "times_negative", "times_future")}
        words = ", ".join(f"{share:.2%} {name}" for name, share in odd.items())
        yield _Fact("times_odd", sum(odd.values()), words)
    if "same_media_share" in mine:
        yield _Fact("same_media", mine["same_media_share"], f"{mine['same_media_share']:.1%}")
        said = {what.removeprefix(ODD): share for what, share in mine.items() if what.startswith(ODD)}
        odd = {what: share for what, share in said.items() if not what.startswith(LIMITED)}
        yield _Fact("odd_media", sum(odd.values()), _list_shares(odd) or "none")
        limited = {what: share for what, share in said.items() if what.startswith(LIMITED)}
        if limited:
            shares = {"with all": 1 - sum(limited.values()), **limited}
            yield _Fact("mixed_bandwidth", 1 - max(shares.values()), _list_shares(shares))
    if before is None:
        return
    yield from _changes(now, before)
    if "rows" in mine and now.origin == before.origin:
        yield from _vector_changes(now, before)


def _list_shares(shares: Mapping[str, float]) -> str:
    return ", ".join(f"{share:.1%} {what}" for what, share in shares.items())


def _changes(now: Profile, before: Profile) -> Iterator[_Fact]:
    """What can be compared whatever made the vectors."""
    mine, theirs = now.measures, before.measures
    falls = {"rows": "rows_lost", "interactions": "rows_lost", "per_day_of_last_week": "per_day_fallen"}
    for name, what in falls.items():
        if mine.get(name) is not None and theirs.get(name):
            fall = max(1 - mine[name] / theirs[name], 0.0)
            yield _Fact(what, fall, f"{mine[name]:,.0f} after {theirs[name]:,.0f}")


def _vector_changes(now: Profile, before: Profile) -> Iterator[_Fact]:
    """What vectors of one encoder have in common from night to night."""
    mine, theirs = now.measures, before.measures
    if "norm_median" in mine and theirs.get("norm_median"):
        moved = abs(mine["norm_median"] / theirs["norm_median"] - 1)
        yield _Fact("norms_moved", moved, f"{mine['norm_median']:.4g} after {theirs['norm_median']:.4g}")
    if "cosine" in theirs:
        yield _Fact(
            "cosine_moved", abs(mine["cosine"] - theirs["cosine"]), f"{mine['cosine']:.3f} after {theirs['cosine']:.3f}"
        )
    if "near_share" in mine and "near_share" in theirs:
        more = max(mine["near_share"] - theirs["near_share"], 0.0)
        yield _Fact("near_more", more, f"{mine['near_share']:.1%} after {theirs['near_share']:.1%}")
    apart, kept = discrepancy(now, before), kept_neighbours(now, before)
    if apart is not None:
        yield _Fact("discrepancy", apart, f"{apart:.4f}")
    if kept is not None:
        yield _Fact("neighbours_lost", 1 - kept, f"{1 - kept:.1%} of {len(before.sketch.neighbours)} items")
