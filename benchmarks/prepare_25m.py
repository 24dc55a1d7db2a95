"""Runs `load-interactions` and `prepare` on 25 million interactions: peak memory and seconds per stage.

    PYTHONPATH=. python benchmarks/prepare_25m.py [--interactions 25000000] [--compare 2000000]

Generates a log of the size of MovieLens-25M (162,541 users, 59,047 items, uneven activity and popularity), then runs,
each in its own process: the commands; their stages one by one; and, on the smaller size, the same stages compared with
a plain pandas implementation. Needs about 3 GB of disk in the temporary folder. Compare only values of one run.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv as pcsv

from tasks.data import in_order, k_core, read_interactions, split
from tasks.runs.config import RunConfig
from tasks.runs.plan import Plan
from tasks.runs.prepared import load_dataset
from tasks.steps import align, extract, load_interactions, prepare
from tasks.store import open_store, write_artefact
from tasks.store.pointers import current

T = TypeVar("T")
RUN, DATASET, USERS, ITEMS, WIDTH, K, THRESHOLD = "benchmark", "synthetic", 162_541, 59_047, 64, 5, 1.0
MATRIX = f"matrices/{DATASET}/image/one"


class Stages:
    """Seconds of each stage, in order."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def run(self, name: str, work: Callable[[], T]) -> T:
        """Do `work` and record the time."""
        begun = time.perf_counter()
        result = work()
        self.seconds[name] = time.perf_counter() - begun
        return result


def generate(folder: Path, count: int) -> dict[str, float]:
    """Write ratings.csv of `count` distinct pairs, in random order, users and items in proportion to `count`."""
    share = min(1.0, (count / 25e6) ** 0.5)  # fewer users and items for fewer rows, with the same density
    users, items = int(USERS * share), int(ITEMS * share)
    rng = np.random.default_rng(7)
    activity, popularity = rng.lognormal(sigma=1.1, size=users), rng.lognormal(sigma=2.0, size=items)
    keys = np.zeros(0, dtype=np.int64)
    while len(keys) < count:
        some = count // 2
        u = np.searchsorted(np.cumsum(activity) / activity.sum(), rng.random(some))
        i = np.searchsorted(np.cumsum(popularity) / popularity.sum(), rng.random(some))
        keys = np.unique(np.concatenate([keys, np.minimum(u, users - 1) * items + np.minimum(i, items - 1)]))
    keys = rng.permutation(keys)[:count]
    table = {
        "userId": keys // items + 1,
        "movieId": 7 * (keys % items) + 1,
        "rating": rng.integers(1, 11, count) / 2,
        "timestamp": rng.integers(800_000_000, 1_600_000_000, count),
    }
    pcsv.write_csv(pa.table(table), folder / "ratings.csv")
    return {}


def ready(folder: Path) -> dict[str, float]:
    """Write the results of `scan` and `align`: a plan, and features of nine items in ten."""
    del folder
    store = open_store()
    config = RunConfig(dataset=DATASET, modalities=["image"], encoder="none", models=["popularity"], k_core=K)
    log = current(store, f"interactions/{DATASET}")
    ids = with_features()
    with write_artefact(store, MATRIX) as out:
        out.array("vectors.npy", np.random.default_rng(1).normal(size=(len(ids), WIDTH)).astype(np.float32))
        out.frame("items.csv", pd.DataFrame({"item_id": ids}))
    plan = Plan(run=RUN, config=config, interactions=str(log), matrices={"image": MATRIX}, inputs_hash="0" * 64)
    with write_artefact(store, f"runs/{RUN}/scan") as out:
        out.json("plan.json", plan.model_dump(mode="json"))
        out.counts["with_all"] = len(ids)
    extract.extract(run=RUN, feature="image")
    align.align(run=RUN)
    return {}


def with_features() -> list[str]:
    """Return the ids of the items with features."""
    return [str(7 * item + 1) for item in range(ITEMS) if item % 10]


def load(folder: Path) -> dict[str, float]:
    """Run the command load-interactions."""
    load_interactions.load_interactions(file=str(folder / "ratings.csv"), dataset=DATASET, threshold=THRESHOLD)
    return {}


def prepare_run(folder: Path) -> dict[str, float]:
    """Run the command prepare."""
    del folder
    prepare.prepare(run=RUN)
    return {}


def read_back(folder: Path) -> dict[str, float]:
    """Read the prepared dataset, as every training does."""
    del folder
    load_dataset(open_store(), RUN)
    return {}


def ours(folder: Path) -> dict[str, float]:
    """Run the stages one by one."""
    stages, kept = Stages(), np.array(with_features())
    read = stages.run("read", lambda: read_interactions(folder / "ratings.csv", threshold=THRESHOLD).interactions)
    with_items = stages.run("filter", lambda: read.take(np.isin(read.item_ids, kept)[read.items]))
    core = stages.run("k-core", lambda: k_core(with_items, K))
    numbered = stages.run("number", lambda: in_order(core))
    done = stages.run("split", lambda: split(numbered, "random", seed=7, k=K).interactions)
    columns = {"userID": done.users, "itemID": done.items, "x_label": done.labels, "timestamp": done.timestamps}
    options = pcsv.WriteOptions(delimiter="\t", quoting_header="none")
    stages.run("write", lambda: pcsv.write_csv(pa.table(columns), folder / "ours.inter", options))
    return stages.seconds | {"interactions": len(done)}


def plain_pandas(folder: Path) -> dict[str, float]:
    """Run the same stages in plain pandas: groupby, map, a loop over users."""

    def core(log: pd.DataFrame) -> pd.DataFrame:
        while True:
            size = len(log)
            log = log[log.groupby("userId")["userId"].transform("size") >= K]
            log = log[log.groupby("movieId")["movieId"].transform("size") >= K]
            if len(log) == size:
                return log

    def number(log: pd.DataFrame) -> pd.DataFrame:
        users = {one: place for place, one in enumerate(sorted(log["userId"].unique()))}
        items = {one: place for place, one in enumerate(sorted(log["movieId"].unique()))}
        return log.assign(userID=log["userId"].map(users), itemID=log["movieId"].map(items))

    def label(log: pd.DataFrame) -> pd.DataFrame:
        parts = []
        for _, group in log.sample(frac=1, random_state=7).groupby("userID"):
            held = 2 if len(group) < 10 else int(0.2 * len(group))
            labels = np.zeros(len(group), dtype=int)
            labels[len(group) - held :] = 2
            labels[len(group) - held : len(group) - held + held // 2] = 1
            parts.append(group.assign(x_label=labels))
        return pd.concat(parts)

    def read() -> pd.DataFrame:
        log = pd.read_csv(folder / "ratings.csv")
        log = log[log["rating"] >= THRESHOLD].sort_values("timestamp")
        return log.drop_duplicates(["userId", "movieId"])

    stages, kept = Stages(), {int(one) for one in with_features()}
    log = stages.run("read", read)
    log = stages.run("filter", lambda: log[log["movieId"].isin(kept)])
    log = stages.run("k-core", lambda: core(log))
    log = stages.run("number", lambda: number(log))
    log = stages.run("split", lambda: label(log))
    names = ["userID", "itemID", "x_label", "timestamp"]
    stages.run("write", lambda: log[names].to_csv(folder / "pandas.inter", sep="\t", index=False))
    return stages.seconds | {"interactions": len(log)}


PARTS = {f.__name__: f for f in (ready, load, prepare_run, read_back, ours, plain_pandas)}


def measured(part: str, folder: Path, count: int) -> tuple[dict[str, float], float, float]:
    """Run a part in its own process; returns its output, its seconds and its peak memory in GiB."""
    command = [sys.executable, __file__, "--part", part, "--folder", str(folder), "--interactions", str(count)]
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.communicate()[0]
    if process.returncode:
        raise SystemExit(f"{part} ended with {process.returncode}, expected 0: see its message above")
    result = json.loads(said.splitlines()[-1])
    return result["stages"], time.perf_counter() - begun, result["peak"] / 2**20


def child(part: str, folder: Path, count: int) -> None:
    """Run one part in this process."""
    os.environ["RECSYS_STORE"] = f"file://{folder / 'store'}"
    stages = generate(folder, count) if part == "generate" else PARTS[part](folder)
    print(json.dumps({"stages": stages, "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


def report(folder: Path, count: int, compare: int) -> None:
    """Print the three tables."""
    measured("generate", folder, count)
    size = (folder / "ratings.csv").stat().st_size / 2**20
    print(f"{count:,} interactions, {size:,.0f} MiB of CSV\n\ncommand             seconds  peak GiB", flush=True)
    for part in ("load", "ready", "prepare_run", "read_back"):
        _, seconds, peak = measured(part, folder, count)
        if part != "ready":
            print(f"{part:<18} {seconds:>8.1f} {peak:>9.2f}", flush=True)
    stages, _, peak = measured("ours", folder, count)
    print(f"\nstage of {stages.pop('interactions'):,} kept   seconds   (peak {peak:.2f} GiB)")
    for name, seconds in stages.items():
        print(f"{name:<18} {seconds:>8.1f}")
    measured("generate", folder, compare)
    left, _, left_peak = measured("ours", folder, compare)
    right, _, right_peak = measured("plain_pandas", folder, compare)
    assert left.pop("interactions") == right.pop("interactions"), "both keep the same interactions"
    print(f"\n{compare:,} interactions    ours    pandas   ratio", flush=True)
    left["all"], right["all"] = sum(left.values()), sum(right.values())
    for name, seconds in left.items():
        print(f"{name:<18} {seconds:>8.2f}  {right[name]:>8.2f}  {right[name] / seconds:>6.1f}")
    print(f"{'peak GiB':<18} {left_peak:>8.2f}  {right_peak:>8.2f}  {right_peak / left_peak:>6.1f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--interactions", type=int, default=25_000_000)
    parser.add_argument("--compare", type=int, default=2_000_000)
    parser.add_argument("--part", choices=["generate", *PARTS], help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        child(options.part, options.folder, options.interactions)
    else:
        with tempfile.TemporaryDirectory() as scratch:
            report(Path(scratch), options.interactions, options.compare)
