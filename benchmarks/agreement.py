"""Content and behaviour in sound joins and with each fault of a join, on Last.fm-2k and MovieLens-1M.

    python -m benchmarks.agreement DATA [--worlds NAME ...] [--draws N] [--first SEED]

DATA as in `benchmarks.arrivals`. Item ids are numbers, of which a third is not in use ("gaps") or all are ("dense").
For each feature and fault one line: z of the join as it is, CPU seconds, the best other join with both figures, and the
expectations that fail where the run before was sound. With --draws, the sound joins and each fault are measured N times
on other parts of the world, of 150 to 3,000 items, 30 to 100 % of the users and 70 to 100 % of the features; the lines
count how often each expectation fails, without a run before.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.arrivals_content import WORLDS, parser_of
from tasks.data import Interactions
from tasks.quality.agreement import AgreementLimits, agreement_tables
from tasks.quality.alternatives import rank
from tasks.quality.content import Content, measure_content

LIMITS = AgreementLimits()


@dataclass(frozen=True)
class Join:
    """A log, and the rows (m, d) of a feature with their ids (m,), numbers as text."""

    log: Interactions
    ids: np.ndarray
    rows: np.ndarray

    def rename(self, names: dict[str, str]) -> Join:
        """Give logged items other ids; thin the log to those of the features."""
        kept = np.isin(self.log.item_ids, list(names))
        log = self.log.take(kept[self.log.items])
        log = replace(log, item_ids=np.array([names[one] for one in log.item_ids.tolist()]))
        return replace(self, log=log.take(np.isin(log.item_ids, self.ids)[log.items]))

    def measure(self) -> Content | None:
        """Measure the only feature."""
        return measure_content({"x": self.rows}, {"x": self.ids}, self.log, LIMITS.clearly_better).get("x")

    def failures(self, before: dict[str, float]) -> list[str]:
        """Return the expectations that fail, and "unmeasured" where there are none."""
        content = self.measure()
        contents = {} if content is None else {"x": content}
        tables = agreement_tables(contents, {"x": self.ids}, self.log, LIMITS, before=before)
        rules = [(rule, table.frame) for table in tables for rule in table.rules]
        failed = [rule.name for rule, frame in rules if not frame[str(rule.arguments["column"])].item()]
        return failed if tables else ["unmeasured"]


Fault = Callable[[Join], Join]


def shift(by: int) -> Fault:
    """Move the ids of the log."""
    return lambda join: join.rename({one: str(int(one) + by) for one in join.log.item_ids.tolist()})


def lose_one(join: Join) -> Join:
    """Move the ids of the log by one, and take a number in the middle away from the features."""
    kept = join.ids != np.sort(join.ids.astype(int))[len(join.ids) // 2].astype(str)
    return shift(1)(replace(join, ids=join.ids[kept], rows=join.rows[kept]))


def renumber(first: int, kind: type) -> Fault:
    """Number the logged items with features in the order of their ids."""

    def spoil(join: Join) -> Join:
        both = sorted(set(join.log.item_ids.tolist()) & set(join.ids.tolist()), key=kind)
        return join.rename({one: str(first + place) for place, one in enumerate(both)})

    return spoil


def roll(share: float, by: int = 0) -> Fault:
    """Move the rows against their ids, in the order of the ids."""

    def spoil(join: Join) -> Join:
        order = np.argsort(join.ids.astype(int))
        rows = np.empty_like(join.rows)
        rows[order] = np.roll(join.rows[order], by or round(share * len(order)), axis=0)
        return replace(join, rows=rows)

    return spoil


def permute(join: Join) -> Join:
    """Shuffle the rows."""
    return replace(join, rows=np.random.default_rng(0).permutation(join.rows))


FAULTS: dict[str, tuple[str, Fault]] = {
    "sound, gaps": ("gaps", lambda join: join),
    "sound, dense": ("dense", lambda join: join),
    "log id + 1": ("dense", shift(1)),
    "log id - 1": ("dense", shift(-1)),
    "log id + 1, a number missing": ("dense", lose_one),
    "rows rolled by 1": ("gaps", roll(0, 1)),
    "rows rolled by 17": ("gaps", roll(0, 17)),
    "halves of rows swapped": ("gaps", roll(0.5)),
    "rows permuted": ("gaps", permute),
    "log renumbered from 0, filtered": ("gaps", renumber(0, int)),
    "log renumbered from 1, filtered": ("gaps", renumber(1, int)),
    "log renumbered as text, filtered": ("gaps", renumber(0, str)),
}


def make_join(log: Interactions, rows: np.ndarray, kind: str) -> Join:
    """Give the items (all of `rows`) ids from 1: dense, or a random two thirds of the numbers."""
    size = len(rows)
    numbers = np.arange(size)
    if kind == "gaps":
        numbers = np.sort(np.random.default_rng(1).choice(size * 3 // 2, size, replace=False))
    ids = (1 + numbers).astype(str)
    return Join(replace(log, item_ids=ids[log.item_ids.astype(int)]), ids, rows)


def draw_part(join: Join, rng: np.random.Generator) -> Join:
    """Draw a part of the items, users and features; in every third part, a third of the other items keep features."""
    size = min(int(np.exp(rng.uniform(np.log(150), np.log(3000)))), len(join.ids))
    items = np.zeros(len(join.log.item_ids), dtype=bool)
    items[rng.permutation(len(items))[:size]] = True
    users = rng.random(len(join.log.user_ids)) < rng.uniform(0.3, 1)
    log = join.log.take(items[join.log.items] & users[join.log.users])
    idle = rng.random(len(join.ids)) < rng.choice([0, 0, 1 / 3])
    kept = (rng.random(len(join.ids)) < rng.uniform(0.7, 1)) & (np.isin(join.ids, log.item_ids) | idle)
    ids = join.ids[kept]
    if join.ids.astype(int).max() == len(join.ids):  # dense ids stay dense
        every = np.unique(np.concatenate([log.item_ids, ids]).astype(int))
        places = dict(zip(every.astype(str).tolist(), (1 + rank(np.argsort(every))).astype(str).tolist(), strict=True))
        ids = np.array([places[one] for one in ids.tolist()])
        log = replace(log, item_ids=np.array([places[one] for one in log.item_ids.tolist()]))
    return Join(log, ids, join.rows[kept])


def print_faults(name: str, joins: dict[str, Join]) -> None:
    """Print a line for each fault of one feature."""
    sound = joins["gaps"].measure()
    assert sound is not None
    for fault, (kind, spoil) in FAULTS.items():
        spoiled, start = spoil(joins[kind]), time.process_time()
        content = spoiled.measure()
        seconds = time.process_time() - start
        if content is None:
            print(f"{name:<22} {fault:<32} not measured", flush=True)
            continue
        failed = ", ".join(spoiled.failures({"x": sound.agreement.effect})) or "nothing fails"
        better = content.better
        other = f"{better.words}: {better.theirs.z:.0f} against {better.ours.z:.0f}; " if better else ""
        figures = f"z {content.agreement.z:6.1f}  effect {content.agreement.effect:5.2f}  {seconds:4.1f} s"
        print(f"{name:<22} {fault:<32} {figures}  {other}{failed}", flush=True)


def print_draws(name: str, joins: dict[str, Join], draws: int, seed: int) -> None:
    """Print for each fault of one feature how often each expectation fails in parts of the world."""
    for fault, (kind, spoil) in FAULTS.items():
        parts = (draw_part(joins[kind], np.random.default_rng([seed, number])) for number in range(draws))
        failed = Counter(one for part in parts for one in spoil(part).failures({}))
        print(f"{name:<22} {fault:<32} of {draws}: {dict(sorted(failed.items()))}", flush=True)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    parser.add_argument("--draws", type=int, default=0)
    options = parser.parse_args()
    for chosen in options.worlds:
        world = WORLDS[chosen](options.data)
        codes = world.users.astype(np.int32), world.items.astype(np.int32)
        used = Interactions(
            *codes, np.arange(codes[0].max() + 1).astype(str), np.arange(codes[1].max() + 1).astype(str)
        )
        for feature in world.plain:
            made = {kind: make_join(used, world.content[feature], kind) for kind in ("gaps", "dense")}
            if options.draws:
                print_draws(f"{chosen} {feature}", made, options.draws, options.first)
            else:
                print_faults(f"{chosen} {feature}", made)
