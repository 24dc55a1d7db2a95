"""Compares the models of a run with reference models on the same split, by a paired bootstrap over users.

    python -m benchmarks.references RUN MODEL [MODEL ...] [--seeds N] [--threads N]

RUN is a run of the dataset lfm2k or ml1m in which `compare` has trained MODEL. The references are trained here with the
same number of seeds: on lfm2k with the hyperparameters of the published results; on ml1m, where these are unknown, with
the best of twelve on validation. The weights of an ensemble are the best on validation, as for any `hybrid`.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from functools import partial

from tasks.data import Dataset
from tasks.errors import BadInput
from tasks.experiments.report import SHOWN, average_values
from tasks.metrics import Evaluation, UserValues, evaluate, paired_bootstrap, selection_metric, user_table, user_values
from tasks.models import build_model
from tasks.runs.plan import read_plan
from tasks.runs.prepared import load_dataset
from tasks.store import Store, open_store, read_artefact
from tasks.store.layout import run_key
from tasks.training import TrainingOptions

# lambda 60 and 150, content weights 30 and 10 of the Gram matrix: scaled like our hyperparameters
LFM2K_IALS = {"factors": 128, "alpha": 20, "relative_l2": 0.1257}
CONTENT_EASE = {"relative_l2": 4.82, "dropout": 0, "history_exponent": 0, "content": {"text": 0.965, "audio": 0.322}}
ML1M_IALS = {"factors": 128, "alpha": 10, "relative_l2": 0.08}
REFERENCES: dict[str, dict[str, tuple[str, dict[str, object]]]] = {
    "lfm2k": {
        "iALS": ("ials", LFM2K_IALS),
        "EASE with content + iALS": ("hybrid", {"members": {"cease": CONTENT_EASE, "ials": LFM2K_IALS}}),
    },
    "ml1m": {"EASE + iALS": ("hybrid", {"members": {"ease": {"relative_l2": 2.0}, "ials": ML1M_IALS}})},
}


def reference(name: str, given: dict[str, object], data: Dataset, seeds: list[int], threads: int) -> UserValues:
    """Train a reference; returns every user's metrics on test, means over seeds."""

    tables = []
    for seed in seeds:
        model = build_model(name, given, data)
        model.fit(TrainingOptions(threads=threads, seed=seed, validate=partial(selection_metric, data=data)))
        table: dict[str, Evaluation] = {"test": evaluate(model.scores, data, "test")}
        tables.append(user_values(user_table(table, data), "test"))
    return average_values(tables)


def kept(store: Store, run: str, model: str, seeds: list[int]) -> UserValues:
    """Return the same metrics of the trials stored by `compare`."""
    prefixes = [run_key(run, f"compare-trials/plain/{model}-{seed}") for seed in seeds]
    return average_values(
        [user_values(read_artefact(store, prefix).frame("users.parquet"), "test") for prefix in prefixes]
    )


def lines(run: str, models: list[str], count: int, threads: int) -> Iterator[str]:
    """Yield each reference with its metrics, and the difference of each model."""
    store = open_store()
    config, data = read_plan(store, run).config, load_dataset(store, run)
    if config.dataset not in REFERENCES:
        raise BadInput(f"run {run} has the dataset {config.dataset}, expected one of {', '.join(REFERENCES)}")
    seeds = [config.seed + place for place in range(count)]
    for title, (name, given) in REFERENCES[config.dataset].items():
        other = reference(name, given, data, seeds, threads)
        place = other.cutoffs.index(20)
        means = {f"{metric}@20": values[:, place].mean() for metric, values in other.values.items()}
        yield f"{title}: " + ", ".join(f"{metric} {means[metric]:.4f}" for metric in SHOWN)
        for model in models:
            differences = paired_bootstrap(kept(store, run, model, seeds), other)
            for metric in SHOWN:
                gain = differences[metric]
                yield f"  {model} {metric} {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}], p = {gain.p:.4f}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("models", metavar="MODEL", nargs="+")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    for line in lines(arguments.run, arguments.models, arguments.seeds, arguments.threads):
        print(line, flush=True)
