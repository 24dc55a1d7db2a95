"""Nights whose commands are killed at random moments: `python -m tests.faults.kills --points 200`.

Each command of a night is killed once: by the clock (uniformly over the time that it takes) or at an operation (drawn
uniformly; these hit the narrow moments between two writes better), in its first run or, for some, when it is run
again over its own result. Then everything that is kept is read: nothing that is visible may be half-written, nothing
may name what is not whole, and what is served is the release before or the new one. Then the command runs to its end,
and at the end of the night everything is as in a night that nobody disturbed. Nights are made in turn with a folder and
with an S3 server, both with PostgreSQL, on top of an earlier night whose release is served.
"""

from __future__ import annotations

import argparse
import random
import shutil
import signal
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import psycopg2

from local.postgres import start_postgres
from local.s3 import start_s3
from tasks.store import History, open_store
from tests.faults.catalogue import FILMS, USERS, Evening, write_evening
from tests.faults.child import Ended, call, fork, type_command
from tests.faults.look import Seen, look

BY_OPERATION, AGAIN = 0.7, 0.25  # shares of the points
HIT, MOST = 4, 80  # tries to kill a command in one way before the other, and of both: it may end before


@dataclass(frozen=True)
class Place:
    """A store and a database, and the settings with which commands use them."""

    settings: Mapping[str, str]
    log: Path

    def type(self, words: list[str], *, at: int = 0, seconds: float | None = None) -> Ended:
        """Run a command; it dies at operation `at` or after `seconds`."""
        return fork(
            self.log, self.settings, type_command, words, at, **({} if seconds is None else {"seconds": seconds})
        )

    def look(self) -> Seen:
        """Read everything that is kept."""
        seen = fork(self.log, self.settings, call, look, ()).result
        assert isinstance(seen, Seen), f"nothing could be looked at: see {self.log}"
        return seen


class Ground:
    """Servers, the evenings' files, and what each new place begins with: an earlier night whose release is served."""

    def __init__(self, folder: Path, stack: ExitStack, *, s3: bool = True) -> None:
        self.folder = folder
        self.server = stack.enter_context(start_postgres(folder / "postgres"))
        self.stores = {"folder": {}} | ({"s3": stack.enter_context(start_s3(folder / "s3"))} if s3 else {})
        first = write_evening(folder / "first", "first", FILMS, USERS)
        self.tonight: Evening = write_evening(folder / "tonight", "tonight", FILMS + 6, USERS + 9)
        self._execute("CREATE DATABASE before")
        with History(self._dsn("before")) as history:
            history.migrate()
        self._before = self._place("folder", folder / "before", "before")
        for words in first.commands():
            done = self._before.type(words)
            assert done.code == 0, f"{' '.join(words)} ended with {done.code}: see {self._before.log}"

    def new_place(self, kind: str) -> Place:
        """A copy of the store and the database after the first night."""
        name = f"night_{uuid.uuid4().hex[:12]}"
        self._execute(f"CREATE DATABASE {name} TEMPLATE before")
        place = self._place(kind, self.folder / name, name)
        copied = fork(place.log, place.settings, call, copy_all, (self._before.settings["RECSYS_STORE"],))
        assert copied.code == 0, f"the store could not be copied: see {place.log}"
        return place

    def _place(self, kind: str, folder: Path, database: str) -> Place:
        url = f"file://{folder}" if kind == "folder" else f"s3://{database.replace('_', '-')}"
        settings = {"RECSYS_STORE": url, "RECSYS_METRICS_DSN": self._dsn(database), **self.stores[kind]}
        settings |= {"RECSYS_CODE_VERSION": "kills", "TMPDIR": str(self.folder)}
        return Place(settings, self.folder / f"{database}.log")

    def _dsn(self, database: str) -> str:
        return urlsplit(self.server)._replace(path=f"/{database}").geturl()

    def _execute(self, statement: str) -> None:
        with closing(psycopg2.connect(self.server)) as connection:
            connection.autocommit = True
            connection.cursor().execute(statement)


def copy_all(source: str) -> None:
    """Copy every object of a store to that of the environment."""
    store, before = open_store(), open_store(source)
    for info in before.list(""):
        store.put(info.key, before.get(info.key))


@dataclass
class Tally:
    """What was seen at the points of one command, or of all."""

    points: int = 0
    by: Counter[str] = field(default_factory=Counter)
    half_written: list[str] = field(default_factory=list)
    wrong_pointers: list[str] = field(default_factory=list)
    failed_again: list[str] = field(default_factory=list)
    recovered: list[float] = field(default_factory=list)  # seconds of the run after

    def line(self, name: str) -> str:
        """As a row of the table."""
        worst = max(self.recovered, default=0.0)
        counts = [self.points, len(self.half_written), len(self.wrong_pointers), len(self.failed_again)]
        return f"{name:<18}" + "".join(f"{count:>8}" for count in counts) + f"{worst:>9.1f}"


@dataclass(frozen=True)
class Undisturbed:
    """A night that nobody disturbed: what it came to, and what each of its commands took."""

    seen: Seen
    ended: list[Ended]


class Kills:
    """Draws the points, and counts what was seen."""

    def __init__(self, ground: Ground, seed: int) -> None:
        self.ground = ground
        self.rng = random.Random(seed)
        self.tallies: dict[str, Tally] = {}
        self.other_nights: list[str] = []  # how nights ended that did not end as the undisturbed one
        self.left_over: list[str] = []
        self._undisturbed = {kind: self._rest(kind) for kind in ground.stores}

    def run(self, points: int) -> Iterator[str]:
        """Kill until there are so many points; yields a line for each."""
        night = 0
        while points > 0:
            kind = list(self.ground.stores)[night % len(self.ground.stores)]
            night += 1
            commands = list(enumerate(self.ground.tonight.commands()))
            chosen = set(self.rng.sample(range(len(commands)), min(points, len(commands))))
            place, before = self.ground.new_place(kind), self._undisturbed[kind]
            for number, words in commands:
                if number in chosen:
                    yield f"night {night}, {kind}: " + self._point(place, words, before.ended[number])
                elif place.type(words).code:
                    self.other_nights.append(f"{' '.join(words)} failed: see {place.log}")
            points -= len(chosen)
            yield f"night {night}, {kind}: " + self._compare(place, before.seen)

    def _rest(self, kind: str) -> Undisturbed:
        place = self.ground.new_place(kind)
        ended = [place.type(words) for words in self.ground.tonight.commands()]
        seen = place.look()
        assert all(one.code == 0 for one in ended), f"the undisturbed night failed: see {place.log}"
        assert seen.champion is not None
        assert seen.champion[1] == self.ground.tonight.run, f"it was not promoted: see {place.log}"
        return Undisturbed(seen, ended)

    def _point(self, place: Place, words: list[str], usual: Ended) -> str:
        """Kill one command, look, and run it again."""
        name = " ".join(words[:1] + words[3:5] * (words[0] in {"extract", "train", "evaluate"}))
        tally = self.tallies.setdefault(words[0], Tally())
        before = place.look().champion
        again = self.rng.random() < AGAIN
        if again and place.type(words).code:
            tally.failed_again.append(f"{name}: over its own result")
        how = self._kill(place, words, usual, (1 + again) * usual.operations)
        seen = place.look()
        tally.points += 1
        tally.by[how.partition(" ")[0]] += 1
        tally.half_written += [f"{name}, {how}: {what}" for what in seen.half_written]
        tally.wrong_pointers += [f"{name}, {how}: {what}" for what in seen.wrong_pointers]
        if seen.champion != before and (words[0] != "publish" or (seen.champion or ("", ""))[1] != "tonight"):
            tally.wrong_pointers.append(f"{name}, {how}: {seen.champion} is served, expected {before} or tonight's")
        done = place.type(words)
        tally.recovered.append(done.seconds)
        if done.code:
            tally.failed_again.append(f"{name}, {how}: exit code {done.code}, see {place.log}")
        said = f"{len(seen.half_written)} half-written, {len(seen.wrong_pointers)} wrong pointers, then {done.code}"
        return f"{name}{' again' if again else ''}, killed {how}: {said}"

    def _kill(self, place: Place, words: list[str], usual: Ended, operations: int) -> str:
        """How it was killed: by the clock or at one of at most so many operations; the other way if it ends before.

        What is written over an artefact is put beside it first, so that there are up to twice as many operations; what
        finds its work done has none.
        """
        by_clock = self.rng.random() >= BY_OPERATION
        for attempt in range(MOST):
            if by_clock == (attempt // HIT % 2 == 0):
                seconds = self.rng.uniform(0, usual.seconds / (1 + attempt // HIT))
                ended, how = place.type(words, seconds=seconds), f"after {seconds:.3f} s"
            else:
                at = self.rng.randint(1, operations)
                ended, how = place.type(words, at=at), f"at operation {at}"
            if ended.code == -signal.SIGKILL:
                return how
        raise AssertionError(f"{' '.join(words)} ended {MOST} times before it was killed: see {place.log}")

    def _compare(self, place: Place, expected: Seen) -> str:
        """Whether the whole night came to the same."""
        seen = place.look()
        self.left_over += seen.left_over
        other = [
            what
            for what in ("champion", "release", "rows", "artefacts")
            if getattr(seen, what) != getattr(expected, what)
        ]
        self.other_nights += [f"{what} {getattr(seen, what)}, expected {getattr(expected, what)}" for what in other]
        return f"it came to {'another ' + ', '.join(other) if other else 'the same as an undisturbed one'}"

    def report(self) -> str:
        """The table, and every defect."""
        whole = Tally()
        for tally in self.tallies.values():
            whole.points += tally.points
            for what in ("by", "half_written", "wrong_pointers", "failed_again", "recovered"):
                setattr(whole, what, getattr(whole, what) + getattr(tally, what))
        head = f"{'command':<18}{'points':>8}{'half':>8}{'wrong':>8}{'failed':>8}{'longest':>9}"
        lines = [head, *(tally.line(name) for name, tally in self.tallies.items()), whole.line("all")]
        lines += [*whole.half_written, *whole.wrong_pointers, *whole.failed_again, *self.other_nights]
        ways = ", ".join(f"{number} {way}" for way, number in whole.by.items())
        lines.append(f"killed: {ways}; nights that came to something else: {len(self.other_nights)}")
        return "\n".join([*lines, f"objects that killed commands left behind: {len(self.left_over)}"])

    @property
    def defects(self) -> int:
        """How much was not as it should be."""
        found = [t.half_written + t.wrong_pointers + t.failed_again for t in self.tallies.values()]
        return sum(map(len, found)) + len(self.other_nights)


def main() -> int:
    """Kill, and print what was seen; 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kills-"))
    folder.chmod(0o711)  # PostgreSQL may run as another user, who must be able to enter
    with ExitStack() as stack:
        kills = Kills(Ground(folder, stack), options.seed)
        for line in kills.run(options.points):
            print(line, flush=True)  # noqa: T201  a script
        print(kills.report())  # noqa: T201
    if kills.defects:
        print(f"stores and logs are kept in {folder}")  # noqa: T201
    else:
        shutil.rmtree(folder)
    return bool(kills.defects)


if __name__ == "__main__":
    raise SystemExit(main())
