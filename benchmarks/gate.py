"""Simulates nights of the gate: today's paired comparison beside the rule of before, on the same planted changes.

    python -m benchmarks.gate [--nights 1000] [--users 2000] [--tolerance 0.01] [--unit 0.01]
        [--spread 0.1] [--seed 0]

Simulated is what the gate sees of a model: its NDCG@20 for each user with validation rows. Everything else is the
product's: the bootstrap, the decision, and the choice of the reference from the recorded reports.

* A user's value under a model is the user's own level (mean .25, standard deviation .24 between users), plus the
  model's truth, plus what the two make together (standard deviation SPREAD / sqrt 2, so that the difference of two
  models has SPREAD). Values are not cut at 0 and 1, so that the truth is known exactly: only differences count.
* The log grows: every night some users come and the rows of some change. With stable splits all other values stay.
* Each night brings a candidate whose truth is that of the champion plus a planted change: a loss or a gain of 1 to 5
  units, or nothing but noise. `--unit 0.01` are points of NDCG, `--unit 0.0025` are percents of .25.
* The rule of before compares the mean of tonight, on a split drawn anew for all rows, with the number that was stored
  when the champion was promoted.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

from tasks.metrics import DECIDES, SELECTION, UserValues
from tasks.releases.comparison import Comparison, measure
from tasks.releases.gate import Candidate, Gate, Rules, judge
from tasks.releases.reference import WINDOW, best_release
from tasks.releases.twins import Pair
from tasks.store import Champion, Promotion

START = datetime(2026, 1, 1, 2, tzinfo=UTC)
LEVEL = (0.6, 1.8)  # of the beta distribution of users' levels: mean .25, standard deviation .24
SPREAD = 0.1  # of the difference of two models between users; measured for iALS and LightGCN on Last.fm-2k: .097
CHANGES = (-5, -4, -3, -2, -1, 0, 0, 0, 0, 1, 2, 3, 4, 5)  # in units, each as likely
COMING, CHANGING = 0.001, 0.01  # shares of users who are new, and whose rows change, every night
RESAMPLES = 1000


@dataclass
class World:
    """Users, and the releases of the last thirty days with their values by user."""

    rng: np.random.Generator
    levels: np.ndarray
    truths: dict[str, float] = field(default_factory=dict)
    noise: dict[str, np.ndarray] = field(default_factory=dict)

    def grow(self) -> None:
        """Another night: users come, and the rows of some change under every model."""
        users, new = len(self.levels), max(1, round(COMING * len(self.levels)))
        changed = self.rng.random(users) < CHANGING
        for name, values in self.noise.items():
            values[changed] = self.draw(int(changed.sum()))
            self.noise[name] = np.append(values, self.draw(new))
        self.levels[changed] = self.rng.beta(*LEVEL, int(changed.sum()))
        self.levels = np.append(self.levels, self.rng.beta(*LEVEL, new))

    def draw(self, users: int) -> np.ndarray:
        """What a model and users make together, (users,)."""
        return self.rng.normal(0, SPREAD / np.sqrt(2), users)

    def add(self, name: str, truth: float) -> None:
        """Train a model."""
        self.truths[name], self.noise[name] = truth, self.draw(len(self.levels))

    def compare(self, one: str, other: str) -> Comparison:
        """Compare two models on tonight's rows, as `publish` does."""
        users = np.arange(len(self.levels))
        values = [
            UserValues(users, (SELECTION.k,), {SELECTION.name: (self.levels + self.truths[m] + self.noise[m])[:, None]})
            for m in (one, other)
        ]
        figures = measure(Pair(*values, rows=len(users), items=1), RESAMPLES)
        return Comparison(release=other, known=figures, catalogue=figures)

    def another_split(self, name: str) -> float:
        """Return the mean of a model on rows that are drawn anew for every user."""
        users = len(self.levels)
        return self.truths[name] + float((self.rng.beta(*LEVEL, users) + self.draw(users)).mean())


class Paired:
    """The gate of the product."""

    def __init__(self, world: World, tolerance: float) -> None:
        self.world, self.rules = world, Rules(tolerance)
        self.champion: Champion | None = None
        self.promotions: list[Promotion] = []

    def decide(self, name: str, night: int) -> bool:
        """Judge a candidate, and record what was promoted."""
        now = START + timedelta(days=night)
        replaced = [one.created_at for one in self.promotions[1:]]
        gone = sum(when < now - WINDOW for when in replaced)
        recent = self.promotions[gone:]  # those that were served in the window
        reference = best_release(self.champion, recent) if self.champion else None
        candidate = Candidate(model="m", scores={"m": 0.0}, dataset="d", planned_at=now, release=name, split="random")
        gate: Gate = judge(
            candidate, self.champion, self.rules, lambda other: self.world.compare(name, other), reference
        )
        if gate.passed:
            facts = gate.model_dump(mode="json")
            self.champion = Champion("d", name, "m", name, now, night, facts)
            self.promotions = [*recent, Promotion(name, now, facts)]
        return gate.passed


class Stored:
    """The rule of before: tonight's figure against the one stored with the champion."""

    def __init__(self, world: World, tolerance: float) -> None:
        self.world, self.tolerance = world, tolerance
        self.stored: float | None = None

    def decide(self, name: str, night: int) -> bool:
        """Judge a candidate."""
        del night
        score = self.world.another_split(name)
        passed = self.stored is None or score >= self.stored - self.tolerance
        if passed:
            self.stored = score
        return passed


@dataclass
class Outcome:
    """What a gate did: planned change -> decisions, and every night's loss against the best of thirty days."""

    decisions: dict[float, list[bool]]
    losses: list[float]
    truth: float

    def share(self, wanted: Callable[[float], bool]) -> float:
        """Return the share of candidates promoted among those with a wanted change; NaN without any."""
        chosen = [passed for change, all_ in self.decisions.items() if wanted(change) for passed in all_]
        return float(np.mean(chosen)) if chosen else float("nan")


def simulate(gate: type[Paired | Stored], changes: np.ndarray, users: int, tolerance: float, seed: int) -> Outcome:
    """Go through a night for each of `changes` (nights,), in NDCG."""
    rng = np.random.default_rng(seed)
    world = World(rng, rng.beta(*LEVEL, users))
    world.add("0", 0.0)
    rule, served = gate(world, tolerance), ["0"]  # who is served in each night
    rule.decide("0", 0)
    decisions: dict[float, list[bool]] = defaultdict(list)
    losses = []
    for night, change in enumerate(changes.tolist(), start=1):
        world.grow()
        champion, name = served[-1], str(night)
        world.add(name, world.truths[champion] + change)
        passed = rule.decide(name, night)
        decisions[change].append(passed)
        served.append(name if passed else champion)
        recent = set(served[-WINDOW.days - 1 :])
        losses.append(max(world.truths[one] for one in recent) - world.truths[served[-1]])
        for gone in set(world.noise) - recent:
            del world.noise[gone]
    return Outcome(decisions, losses, world.truths[served[-1]])


def report(nights: int, users: int, tolerance: float, unit: float, seed: int) -> None:
    """Print the share of candidates that both gates promote, by their planted change, and what was lost."""
    rng = np.random.default_rng(seed)
    planted = unit * rng.choice(CHANGES, nights).astype(np.float64)
    eroding = np.full(min(nights, 300), -0.3 * tolerance)
    gates: tuple[tuple[str, type[Paired | Stored]], ...] = (("before", Stored), ("now", Paired))
    done = {name: simulate(gate, planted, users, tolerance, seed) for name, gate in gates}
    eroded = {name: simulate(gate, eroding, users, tolerance, seed) for name, gate in gates}
    print(f"{nights} nights from {users:,} users on, tolerance {tolerance:g}, differences with deviation {SPREAD:g}")
    print(f"{'promoted of candidates with':<48}{'before':>10}{'now':>10}")
    for change in sorted(set(planted.tolist())):
        shares = [done[name].share(lambda one, change=change: one == change) for name, _ in gates]
        print(f"  {f'{change:+.4f} {DECIDES}' if change else 'noise alone':<46}{shares[0]:>10.1%}{shares[1]:>10.1%}")
    rows: list[tuple[str, Callable[[Outcome], float]]] = [
        ("worse by at least the tolerance", lambda one: one.share(lambda change: change <= -tolerance)),
        ("worse by less", lambda one: one.share(lambda change: -tolerance < change < 0)),
        ("better", lambda one: one.share(lambda change: change > 0)),
    ]
    for title, find in rows:
        if not np.isnan(find(done["now"])):
            print(f"  {title:<46}{find(done['before']):>10.1%}{find(done['now']):>10.1%}")
    print("loss against the best release of thirty days")
    for quantile, title in ((0.95, "95 % of nights at most"), (1.0, "worst night")):
        shown = [float(np.quantile(done[name].losses, quantile)) for name, _ in gates]
        print(f"  {title:<46}{shown[0]:>10.4f}{shown[1]:>10.4f}")
    print(f"{len(eroding)} nights of candidates worse by {-eroding[0]:g} each")
    print(f"  {'promoted':<46}{eroded['before'].share(bool):>10.1%}{eroded['now'].share(bool):>10.1%}")
    worst = [max(eroded[name].losses) for name, _ in gates]
    print(f"  {'worst loss against the best of thirty days':<46}{worst[0]:>10.4f}{worst[1]:>10.4f}")
    beyond = [float((np.array(eroded[name].losses) > tolerance).mean()) for name, _ in gates]
    print(f"  {'nights with a larger loss than the tolerance':<46}{beyond[0]:>10.1%}{beyond[1]:>10.1%}")
    print(f"  {'lost in the end':<46}{-eroded['before'].truth:>10.4f}{-eroded['now'].truth:>10.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nights", type=int, default=1000)
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--tolerance", type=float, default=0.01)
    parser.add_argument("--unit", type=float, default=0.01)
    parser.add_argument("--spread", type=float, default=SPREAD)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    SPREAD = given.spread
    report(given.nights, given.users, given.tolerance, given.unit, given.seed)
