"""What a night on MovieLens-1M costs, step by step: the first, an unchanged one, and one that is forced.

    python -m benchmarks.night DATA [--encoder NAME ...] [--models NAMES] [--films N] [--threads N]

DATA as in `benchmarks.ml1m`, with posters, plots and stand-in sounds. Commands run one after the other, with a
folder as store and a real PostgreSQL; each line has CPU seconds (user and system) and MiB at the peak of each night,
and what the command counted. An unchanged night ends with `scan`, exit code 99. Each encoder, such as
`audioclip-demo.bfloat16`, has a store of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import ml1m
from local.postgres import start_postgres
from tasks.errors import NothingToDo

MODELS = "popularity,ease,hybrid,bpr,vbpr,lightgcn"
FEATURES = ("image", "audio", "text")


@dataclass
class Cost:
    """Of one command."""

    seconds: float
    peak: int  # MiB
    code: int
    said: dict[str, object]


@dataclass
class Nights:
    """Runs commands against one store; `nights` has the costs of each night by step."""

    store: Path
    threads: int
    nights: list[dict[str, Cost]] = field(default_factory=list)

    def run(self, *words: str, codes: tuple[int, ...] = (0,)) -> Cost:
        """Run a command; SystemExit with what it said for another exit code."""
        environment = os.environ | {
            "RECSYS_STORE": self.store.as_uri(),
            "RECSYS_LOG_LEVEL": "WARNING",
            "RECSYS_THREADS": str(self.threads),
            "OMP_NUM_THREADS": str(self.threads),
        }
        with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            process = subprocess.Popen([sys.executable, "-m", "tasks", *words], env=environment, stdout=out, stderr=err)
            _, status, used = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            if process.returncode not in codes:
                raise SystemExit(f"{' '.join(words)}: {err.read().decode()[-2000:]}")
            lines = out.read().decode().splitlines()
        said = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
        return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss // 1024, process.returncode, said)

    def night(self, encoder: str, models: list[str], *, force: bool) -> None:
        """All steps of a run, or `scan` alone where nothing has changed."""
        run, steps = f"night-{len(self.nights) + 1}", {}
        self.nights.append(steps)
        chosen = ("--modalities", ",".join(FEATURES), "--encoder", encoder, "--models", ",".join(models))
        words = (
            "scan",
            "--run",
            run,
            "--dataset",
            "ml1m",
            "--config",
            "ml1m",
            *chosen,
            *(["--force"] if force else []),
        )
        steps["scan"] = self.run(*words, codes=(0, NothingToDo.exit_code))
        if steps["scan"].code:
            return
        for feature in FEATURES:
            steps[f"extract {feature}"] = self.run("extract", "--run", run, "--feature", feature)
        for name in ("align", "check-embeddings", "prepare", "check-dataset"):
            steps[name] = self.run(name, "--run", run)
        for model in models:
            for name in ("train", "evaluate"):
                steps[f"{name} {model}"] = self.run(name, "--run", run, "--model", model)
        for name in ("refit", "publish"):
            steps[name] = self.run(name, "--run", run)

    def show(self, encoder: str) -> None:
        """Print a table of the nights, and what the first one counted."""
        print(f"\n{encoder}\n{'':<22}" + "".join(f"{f'night {n + 1}':>18}" for n in range(len(self.nights))))
        for step in self.nights[0]:
            costs = [night.get(step) for night in self.nights]
            cells = [f"{one.seconds:9.1f} s {one.peak:5d}M" if one else "" for one in costs]
            print(f"{step:<22}" + "".join(f"{cell:>18}" for cell in cells), flush=True)
        totals = [sum(cost.seconds for cost in night.values()) for night in self.nights]
        print(f"{'in all':<22}" + "".join(f"{total:9.1f} s{'':>7}" for total in totals))
        for step, cost in self.nights[0].items():
            print(f"{step}: {json.dumps(cost.said)[:600]}", flush=True)


def main(options: argparse.Namespace) -> None:
    """Lay out the catalogue once, then three nights of each encoder."""
    with tempfile.TemporaryDirectory() as place, start_postgres(Path(place, "postgres")) as dsn:
        os.environ["RECSYS_METRICS_DSN"] = dsn
        films = Path(place, "films")
        print(ml1m.lay_out(options.data, films, items=options.films, audio=True), flush=True)
        for number, encoder in enumerate(options.encoder):
            nights = Nights(Path(place, f"store-{number}"), options.threads)
            nights.run("migrate")
            nights.run("load-media", str(films), "--dataset", "ml1m")
            nights.run("load-interactions", str(films / "interactions.tsv"), "--dataset", "ml1m")
            for force in (False, False, True):
                nights.night(encoder, options.models.split(","), force=force)
            nights.show(encoder)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--encoder", nargs="+", default=["audioclip-demo", "audioclip-demo.bfloat16"])
    parser.add_argument("--models", default=MODELS)
    parser.add_argument("--films", type=int, help="default: all")
    parser.add_argument("--threads", type=int, default=1)
    main(parser.parse_args())
