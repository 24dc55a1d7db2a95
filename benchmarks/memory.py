"""Peak memory of building a model and training it for some steps, by number of interactions.

    python -m benchmarks.memory [--models NAME ...] [--millions N ...] [--log LOG]

Each case runs in its own process. The interactions are random; 25 million have as many users and items as
MovieLens-25M (162,541 and 59,047), fewer in proportion to the square root; items have two 1024-d feature matrices.
`data` is the memory before the model: interactions, features and libraries; `a million` is the memory added by the
model and its training, per million interactions. With a LOG (as in `benchmarks.models`) MMGCN is also measured on it,
compared with the plain implementation as published.
"""

from __future__ import annotations

import argparse
import itertools
import json
import re
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from benchmarks.models import Ours, build
from benchmarks.plain.mmgcn import WideMMGCN
from benchmarks.worlds import dataset, draw, read
from tasks.data import Dataset
from tasks.training import Triplets
from tasks.training.allocation import keep_memory

USERS, ITEMS, STEPS, BATCH, PUBLISHED = 162_541, 59_047, 3, 8192, "published-mmgcn"


def peak() -> float:
    """Return the peak memory of this process in MiB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert match
    return int(match[1]) / 1024


def save(millions: float, path: Path) -> None:
    """Write random training interactions to a file, so that drawing them is not measured."""
    share = (millions / 25) ** 0.5
    train = draw(int(1.25e6 * millions), int(USERS * share), int(ITEMS * share), content=False).train
    sparse.save_npz(path, train, compressed=False)


def load(source: str) -> Dataset:
    """Load saved random interactions, or a log."""
    if not source.endswith(".npz"):
        return read(Path(source))
    train = sparse.load_npz(source)
    none = sparse.csr_matrix(train.shape, dtype=np.float32)
    return dataset(train, none, none)


def case(name: str, source: str) -> dict[str, float]:
    """Return the peak before and after, and the seconds of the fastest step."""
    data = load(source)
    before = peak()
    model = build("mmgcn" if name == PUBLISHED else name, data)
    model.initialise(torch.Generator().manual_seed(0))
    ours = Ours(model)
    side: Ours | WideMMGCN = ours
    if name == PUBLISHED:
        side = WideMMGCN(model)
        side.build()
    ours.start_epoch()
    batches = Triplets(data.train, BATCH).draw(np.random.default_rng(0), torch.device("cpu"))
    times = []
    with nullcontext() if name == PUBLISHED else keep_memory():  # as in the training loop
        for batch in itertools.islice(batches, 1 if name == PUBLISHED else STEPS):
            begun = time.perf_counter()
            side.step(batch)
            times.append(time.perf_counter() - begun)
    return {"interactions": data.train.nnz / 1e6, "data": before, "peak": peak(), "seconds": min(times)}


def measured(name: str, source: str) -> dict[str, float]:
    """Run `case` in a new process."""
    command = [sys.executable, "-m", "benchmarks.memory", "--case", name, source]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def main(models: list[str], millions: list[float], log: str | None) -> None:
    """Print one line per case."""
    print(f"{'model':<18}{'million':>9}{'data MiB':>10}{'peak MiB':>10}{'added':>8}{'a million':>11}{'s a step':>10}")

    def line(name: str, source: str) -> None:
        measures = measured(name, source)
        added = measures["peak"] - measures["data"]
        print(
            f"{name:<18}{measures['interactions']:>9.2f}{measures['data']:>10.0f}{measures['peak']:>10.0f}{added:>8.0f}"
            f"{added / measures['interactions']:>11.0f}{measures['seconds']:>10.2f}",
            flush=True,
        )

    for name in ("mmgcn", PUBLISHED) if log else ():
        line(name, str(log))
    with tempfile.TemporaryDirectory() as folder:
        for count in millions:
            path = str(Path(folder) / f"{count}.npz")
            subprocess.run([sys.executable, "-m", "benchmarks.memory", "--save", str(count), path], check=True)
            for name in models:
                line(name, path)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", default=["bpr", "lightgcn", "freedom", "mmgcn"], metavar="NAME")
    parser.add_argument("--millions", nargs="*", type=float, default=[1, 5, 25], metavar="N")
    parser.add_argument("--log")
    parser.add_argument("--case", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--save", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(case(*options.case)))
    elif options.save:
        save(float(options.save[0]), Path(options.save[1]))
    else:
        main(options.models, options.millions, options.log)
