"""Compares tonight's candidate with an earlier release: twins on the same rows, with a paired bootstrap over users."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from pydantic import ConfigDict, FiniteFloat
from scipy import sparse
from scipy.special import ndtri

from tasks.errors import BadInput, Corrupt, NotFound
from tasks.metrics import DECIDES, paired_bootstrap
from tasks.releases.twins import Pair, Twin, find_rows, load_twin, score_rows
from tasks.runs.config import Strict
from tasks.store import Artefact, Store, has_artefact, read_artefact, release_prefix
from tasks.store.layout import run_key

TAIL = 0.05  # each bound of an interval holds with 95 % confidence
RESAMPLES = 10_000
NIGHTS = 30  # of comparisons with the best release, one of which may be lucky
POWER = 0.8  # chance that a model as good as the other is seen to be, with as many users as `users_needed` says
SMALLEST = 1e-6  # tolerance that is one
LEAST_USERS = 30  # the bootstrap's percentiles are too narrow for fewer


class Recorded(Strict):
    """A part of the gate report, whose keys in the store and the database do not change with the names here."""

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


class Figures(Recorded):
    """The deciding metric of both, and the candidate's minus the other's with its one-sided 95 % bounds."""

    candidate: FiniteFloat
    other: FiniteFloat
    difference: FiniteFloat
    low: FiniteFloat
    high: FiniteFloat
    users: int
    rows: int
    items: int  # that compete

    def __str__(self) -> str:
        interval = f"{show(self.low, sign='+')} to {show(self.high, sign='+')}"
        return f"{DECIDES} {show(self.candidate)} ({show(self.difference, sign='+')}, {interval})"

    def over(self, nights: int) -> Figures:
        """Return the figures with bounds that hold with 95 % confidence for so many nightly comparisons together.

        By Bonferroni's inequality each leaves out 5 % / nights; the bootstrap's bounds are moved out as those of a
        normal distribution are, since its own percentiles are coarse so far out.
        """
        if nights == 1:
            return self
        wider = ndtri(1 - TAIL / nights) / ndtri(1 - TAIL)
        low, high = (self.difference + wider * (bound - self.difference) for bound in (self.low, self.high))
        return self.model_copy(update={"low": low, "high": high})

    def users_needed(self, tolerance: float, nights: int = 1) -> int:
        """About how many users would show a model as good as the other to be within `tolerance`; 0 without one.

        With n users, standard error s and quantiles z of the normal distribution: n ((z_95 + z_80) s / tolerance)^2;
        for many nights z as in `over`.
        """
        error = (self.high - self.low) / (2 * ndtri(1 - TAIL))
        if tolerance < SMALLEST:  # then a gain is asked for, which no number of users shows of a model as good
            return 0
        return ceil(self.users * ((ndtri(1 - TAIL / nights) + ndtri(POWER)) * error / tolerance) ** 2)


class Comparison(Recorded):
    """The candidate beside the twin of `release`, with items that both know, which decides, and with all.

    In the `catalogue` a twin never recommends an item that it does not know.
    """

    release: str
    known: Figures
    catalogue: Figures


@dataclass(frozen=True)
class Incomparable:
    """Why the candidate cannot be compared with a release."""

    reason: str


Compare = Callable[[str], Comparison | Incomparable]  # by the name of a release


@dataclass(frozen=True)
class Tonight:
    """The candidate's twin, its validation rows (users, items) CSR, and the rule by which they were split."""

    store: Store
    dataset: str
    twin: Twin
    valid: sparse.csr_matrix
    split: str

    def compare(self, release: str) -> Comparison | Incomparable:
        """Compare with the twin of a release of the dataset."""
        prefix = release_prefix(self.dataset, release)
        if not has_artefact(self.store, prefix):
            return Incomparable(f"release {release} is not in the store")
        try:
            artefact = read_artefact(self.store, prefix)
            other, split = load_twin(artefact), split_of(artefact)
        except (NotFound, BadInput, Corrupt) as error:
            return Incomparable(f"release {release} cannot be read: {error}")
        if split != self.split:
            return Incomparable(
                f"release {release} was evaluated on {f'the split {split!r}' if split else 'an unknown split'}, "
                f"this run on {self.split!r}"
            )
        return compare_twins(release, self.twin, other, self.valid)


def compare_twins(release: str, candidate: Twin, other: Twin, valid: sparse.csr_matrix) -> Comparison | Incomparable:
    """Compare twins on validation rows of the candidate that `other`, of `release`, has not learned from."""
    found = find_rows(candidate, other, valid)
    users = int((found.known.getnnz(axis=1) > 0).sum())
    if users < LEAST_USERS:
        return Incomparable(
            f"{users} of {len(candidate.user_ids)} users have a validation row that release {release} knows and has "
            f"not learned from, expected at least {LEAST_USERS}"
        )
    known, catalogue = score_rows(candidate, other, found)
    return Comparison(release=release, known=measure(known), catalogue=measure(catalogue))


def measure(pair: Pair, resamples: int = RESAMPLES) -> Figures:
    """Return the means of both, and their difference with bounds of a paired bootstrap over users."""
    difference = paired_bootstrap(pair.candidate, pair.other, resamples=resamples, tail=TAIL)[DECIDES]
    return Figures(
        candidate=pair.candidate.means()[DECIDES],
        other=pair.other.means()[DECIDES],
        difference=difference.mean,
        low=difference.low,
        high=difference.high,
        users=len(pair.candidate.users),
        rows=pair.rows,
        items=pair.items,
    )


def split_of(release: Artefact) -> str | None:
    """Return the rule by which a release's rows were split: as it says, or else as its run's `prepare` says."""
    facts = release.manifest.parameters
    prepared = run_key(str(facts["run"]), "prepare") if "run" in facts else ""
    if "split" not in facts and prepared in release.manifest.inputs and has_artefact(release.store, prepared):
        facts = read_artefact(release.store, prepared).manifest.parameters
    return str(facts["split"]) if "split" in facts else None


def show(value: float, sign: str = "-") -> str:
    """Four places without the zero before the point, as in tables: .2497, and +.0021 with the sign `+`, as for zero."""
    return f"{value:{sign}z.4f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:{sign}z.4f}"
