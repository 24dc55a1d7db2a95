"""Scores of arrivals that a model makes itself from content, beside the map from content of the product.

    python -m benchmarks.arrivals_native DATA [--worlds NAME ...] [--models NAME ...] [--seeds N] [--first SEED]
        [--threads N]

DATA and the draws are those of `benchmarks.arrivals`. A model that knows content can score items without a single
interaction: it is trained with the arrivals among its items, which have no row in train. The map is the reference in
the same run: the same model is trained on known items alone, and `tasks.arrivals` predicts its scores. Figures are
Recall@20 of arrivals among themselves, means over the seeds.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

import numpy as np
import yaml
from scipy import sparse

from benchmarks.arrivals import CONFIGS, Drawn, K, draw, mean_of
from benchmarks.arrivals_content import WORLDS, parser_of
from tasks.arrivals.fitting import fit_arrivals
from tasks.data import Dataset
from tasks.data.dataset import PARTS
from tasks.metrics import top_items
from tasks.models import build_model
from tasks.models.base import Model
from tasks.training import TrainingOptions

MODELS = ("cease", "cmf", "vbpr", "freedom")


def with_arrivals(drawn: Drawn) -> Dataset:
    """Return the dataset whose items are the known ones and then the arrivals, which nobody took."""
    users, arriving = drawn.truth.shape
    none = sparse.csr_matrix((users, arriving), dtype=np.float32)
    parts = {part: sparse.hstack([getattr(drawn.data, part), none], format="csr") for part in PARTS}
    features = {name: np.concatenate([rows, drawn.features[name]]) for name, rows in drawn.data.features.items()}
    ids = np.concatenate([drawn.data.item_ids, [f"new {number}" for number in range(arriving)]])
    return replace(drawn.data, **parts, item_ids=ids, features=features)


def fitted(name: str, data: Dataset, threads: int) -> Model:
    """Return the model with the preset's hyperparameters; its largest weight of a feature is that of all."""
    preset = yaml.safe_load((CONFIGS / f"{data.name}.yaml").read_text(encoding="utf-8"))["hyperparameters"]
    chosen = preset.get(name, {})
    if isinstance(chosen.get("content"), dict):
        chosen |= {"content": max(chosen["content"].values())}
    model = build_model(name, chosen, data)
    model.fit(TrainingOptions(threads=threads, seed=0))
    return model


def measure(name: str, drawn: Drawn, threads: int) -> tuple[float, float]:
    """Return the recall of the model's own scores, and of the map's."""
    users, known = drawn.data.shape
    every = np.arange(users)
    own = fitted(name, with_arrivals(drawn), threads).scores(every)[:, known:]
    scores = fitted(name, drawn.data, threads).scores(every)
    mapped = fit_arrivals(lambda some: scores[some], drawn.data, drawn.features, seed=0).scores(scores)
    found = [mean_of("recall", top_items(np.ascontiguousarray(one), K), drawn.truth) for one in (own, mapped)]
    return found[0], found[1]


def main() -> None:
    """Run each world with each seed."""
    parser = parser_of(__doc__)
    parser.add_argument("--models", nargs="+", default=list(MODELS))
    options = parser.parse_args()
    for name in options.worlds:
        world = WORLDS[name](options.data)
        world = replace(world, content={feature: world.content[feature] for feature in world.plain})
        found = defaultdict[str, list[tuple[float, float]]](list)
        for seed in range(options.first, options.first + options.seeds):
            drawn = draw(world, seed, options.threads)
            for model in options.models:
                found[model].append(measure(model, drawn, options.threads))
                own, mapped = np.mean(found[model], axis=0)
                ratio = own / mapped
                print(f"{name}, seeds to {seed}, {model:<8} own {own:.4f}  map {mapped:.4f}  {ratio:.2f}", flush=True)


if __name__ == "__main__":
    main()
