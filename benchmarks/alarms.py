"""What validation says about sound nights, and what it costs: real logs and media, two nights each.

    python -m benchmarks.alarms DATA [--worlds NAME ...] [--models NAME ...] [--films N]

DATA as in `benchmarks.arrivals`, and ml1m_posters/images. Each world is loaded without its newest part, which makes a
first night and its release; the rest arrives before the second night. Nothing is wrong with either, so each
expectation that fails is a false alarm. `media` are posters and plots of MovieLens-1M, really encoded; `numbered` has
943 users and 1,682 films of it whose ids count from 1 without a gap on both sides, as in MovieLens-100k; `lfm2k` and
`ml1m` have ready-made matrices. Commands run one after the other as processes; figures are CPU seconds, of checks
beside those of the whole night.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks import ml1m
from benchmarks.arrivals_content import WORLDS, parser_of
from local.postgres import start_postgres

CHECKS = ("check-embeddings", "check-dataset")
LATE = 0.05  # share of the users, and of the films of `media`, that arrive before the second night


@dataclass
class Night:
    """CPU seconds by command, and what the reports say."""

    seconds: dict[str, float] = field(default_factory=dict)
    expectations: int = 0
    unmet: list[str] = field(default_factory=list)


def show(name: str, number: int, night: Night) -> None:
    """Print the line of a night, and one for each expectation that failed."""
    total, checks = sum(night.seconds.values()), [night.seconds[check] for check in CHECKS]
    parts = " + ".join(f"{seconds:.1f}" for seconds in checks)
    share = f"{parts} of {total:.0f} CPU s, {sum(checks) / total:.1%}"
    failed = f"{len(night.unmet)} of {night.expectations} expectations unmet"
    print(f"{name:<9} night {number}: {failed}; checks {share}", flush=True)
    for line in night.unmet:
        print(f"{'':<9}   {line}", flush=True)


@dataclass(frozen=True)
class Shop:
    """A dataset in a folder store."""

    dataset: str
    store: Path
    models: tuple[str, ...]

    def run(self, *words: str, night: Night | None = None) -> None:
        """Run a command; SystemExit with what it said if it fails, unless that is what is counted."""
        environment = os.environ | {"RECSYS_STORE": self.store.as_uri(), "RECSYS_LOG_LEVEL": "WARNING"}
        with tempfile.TemporaryFile() as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "tasks", *words], env=environment, stdout=said, stderr=said
            )
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            said.seek(0)
            if process.returncode not in ({0, 10} if words[0] in CHECKS else {0}):
                raise SystemExit(f"{' '.join(words)}: {said.read().decode()[-2000:]}")
        if night is not None:
            night.seconds[words[0]] = night.seconds.get(words[0], 0.0) + used.ru_utime + used.ru_stime

    def night(self, number: int, features: list[str]) -> None:
        """Run a whole night up to its release, and show it."""
        night, run = Night(), f"{self.dataset}-{number}-{int(time.time())}"

        def step(name: str, *words: str) -> None:
            self.run(name, "--run", run, *words, night=night)

        names = ("--dataset", self.dataset, "--models", ",".join(self.models), "--modalities", ",".join(features))
        step("scan", *names)
        for feature in features:
            step("extract", "--feature", feature)
        for name in ("align", CHECKS[0], "prepare", CHECKS[1]):
            step(name)
        for model in self.models:
            step("train", "--model", model)
            step("evaluate", "--model", model)
        for name in ("refit", "publish"):
            step(name)
        for check in CHECKS:
            report = json.loads((self.store / "runs" / run / check / "report.json").read_text("utf-8"))
            night.expectations += len(report["results"])
            night.unmet += [
                f"{one['severity']} {one['expectation']} of {one['column']}: {one['observed']}"
                for one in report["results"]
                if not one["success"]
            ]
        show(self.dataset, number, night)


def load_log(shop: Shop, folder: Path, rows: list[tuple[str, str]]) -> None:
    """Load (user, item) pairs as the dataset's log."""
    path = folder / "log.csv"
    path.write_text("user_id,item_id\n" + "".join(f"{user},{item}\n" for user, item in rows), encoding="utf-8")
    shop.run("load-interactions", str(path), "--dataset", shop.dataset)


def split_users(users: np.ndarray) -> np.ndarray:
    """Whether each row (n,) is of a user who comes before the second night."""
    return users % round(1 / LATE) == 0


def with_matrices(data: Path, folder: Path, shop: Shop, *, name: str, dense: bool) -> None:
    """Ready-made matrices, and a log that grows by some users."""
    world = WORLDS[name](data)
    modalities = dict(zip(("text", "audio" if name == "lfm2k" else "image"), list(world.content)[:2], strict=True))
    users, items, kept = world.users, world.items, np.arange(int(world.items.max()) + 1)
    if dense:
        kept = np.sort(np.argsort(-np.bincount(items), kind="stable")[:1682])
        chosen = np.isin(items, kept) & (users < 943)
        users, items = users[chosen], np.searchsorted(kept, items[chosen])
    ids = [str(1 + number) for number in range(len(kept))] if dense else [f"i{number}" for number in kept.tolist()]
    (folder / "items.txt").write_text("\n".join(ids) + "\n", encoding="utf-8")
    for modality, feature in modalities.items():
        np.save(folder / "vectors.npy", world.content[feature][kept])
        files = ("--vectors", str(folder / "vectors.npy"), "--items", str(folder / "items.txt"))
        shop.run("load-embeddings", "--dataset", shop.dataset, "--modality", modality, *files)
    rows = [(str(1 + user), ids[item]) for user, item in zip(users.tolist(), items.tolist(), strict=True)]
    late = split_users(users)
    load_log(shop, folder, [row for row, new in zip(rows, late.tolist(), strict=True) if not new])
    shop.night(1, list(modalities))
    load_log(shop, folder, rows)
    shop.night(2, list(modalities))


def with_media(data: Path, folder: Path, shop: Shop, *, films: int | None) -> None:
    """Posters and plots, some of which arrive later, and all of the log."""
    shown = folder / "films"
    ml1m.lay_out(data, shown, items=films)
    posters = sorted((shown / "image").iterdir())
    later = [path for place, path in enumerate(posters) if place % round(1 / LATE) == 0]
    (folder / "late").mkdir()
    for path in later:
        path.rename(folder / "late" / path.name)
    shop.run("load-media", str(shown), "--dataset", shop.dataset)
    shop.run("load-interactions", str(shown / "interactions.tsv"), "--dataset", shop.dataset)
    shop.night(1, ["image", "text"])
    for path in later:
        (folder / "late" / path.name).rename(path)
    shop.run("load-media", str(shown), "--dataset", shop.dataset)
    shop.night(2, ["image", "text"])


def two_nights(name: str, data: Path, folder: Path, shop: Shop, *, films: int | None) -> None:
    """Both nights of a world by its name."""
    if name == "media":
        with_media(data, folder, shop, films=films)
        return
    dense = name == "numbered"
    with_matrices(data, folder, shop, name="ml1m" if dense else name, dense=dense)


if __name__ == "__main__":
    parser = parser_of(__doc__)
    named = {"media", "numbered", *WORLDS}
    for action in parser._actions:
        if action.dest == "worlds":
            action.choices, action.default = sorted(named), sorted(named)
    parser.add_argument("--models", nargs="+", default=["popularity", "ease"])
    parser.add_argument("--films", type=int, help="of `media`; default: all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as servers, start_postgres(Path(servers)) as dsn:
        os.environ["RECSYS_METRICS_DSN"] = dsn
        for name in options.worlds:
            with tempfile.TemporaryDirectory() as place:
                shop = Shop(name, Path(place, "store"), tuple(options.models))
                shop.run("migrate")
                two_nights(name, options.data, Path(place), shop, films=options.films)
