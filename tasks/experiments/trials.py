"""One training and evaluation for a comparison, stored so that it is never repeated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Literal

import numpy as np
import pandas as pd
import torch

from tasks.data import Dataset, hold_out_items
from tasks.experiments.arms import Arm
from tasks.experiments.cost import measure_cost
from tasks.metrics import EVAL_SPLITS, beyond_accuracy, evaluate, evaluate_cold, selection_metric, user_table
from tasks.models import FIGURES, model_class
from tasks.runs.plan import Plan
from tasks.runs.prepared import prepared_artefact
from tasks.store import Artefact, Store, has_artefact, read_artefact, write_artefact
from tasks.store.layout import run_key
from tasks.training import ModelConfig, TrainingOptions, summarise_epochs

World = Literal["plain", "permuted", "cold"]
_Facts = tuple[dict[str, object], pd.DataFrame | None]
COLD_SHARE = 0.1  # of the items are held out entirely
MEASURES = 2  # raised when more is measured of a trial: those that lack it are made anew


@dataclass(frozen=True)
class ComparisonTrial:
    """An arm and a seed in a world: the dataset as it is, with features of other items, or with items held out."""

    arm: Arm
    seed: int
    world: World = "plain"

    @property
    def step(self) -> str:
        """The step under which its artefact is stored in the run."""
        return f"compare-trials/{self.world}/{self.arm.name}-{self.seed}"


def list_trials(arms: Sequence[Arm], seeds: Sequence[int], *, permute: bool, cold: bool) -> list[ComparisonTrial]:
    """All that is to be trained; permuted content only for models that look at it."""
    asked: dict[World, bool] = {"plain": True, "permuted": permute, "cold": cold}
    return [
        ComparisonTrial(arm, seed, world)
        for world in asked
        for arm in arms
        for seed in seeds
        if asked[world] and (world != "permuted" or arm.uses_content)
    ]


def trial_artefact(
    store: Store, plan: Plan, data: Dataset, trial: ComparisonTrial, options: TrainingOptions
) -> Artefact:
    """The trial's artefact: what stands there when it was made of the same bytes with the same, otherwise a new one.

    The memory that a model may take counts, for it decides what form some take; the device does not, so one comparison
    may have trials of several. `trial.json` holds its metrics and says where they were made, in the cold world
    also what holding items out cost; `users.parquet`, but for the cold world, holds those of every user.
    """
    prefix, prepared = run_key(plan.run, trial.step), prepared_artefact(store, plan.run)
    parameters = trial_parameters(plan, trial, options, prepared.manifest.content)
    if has_artefact(store, prefix):
        kept = read_artefact(store, prefix)
        if (kept.manifest.parameters, kept.manifest.seed) == (parameters, trial.seed):
            return kept
    facts, users = _fit_and_measure(trial.arm.configure(plan), data, trial, options)
    with write_artefact(store, prefix, inputs=[prepared], parameters=parameters, seed=trial.seed) as out:
        out.json("trial.json", {"model": trial.arm.name, "seed": trial.seed, "world": trial.world, **facts})
        if users is not None:
            out.frame("users.parquet", users)
    return read_artefact(store, prefix)


def trial_parameters(plan: Plan, trial: ComparisonTrial, options: TrainingOptions, dataset: str) -> dict[str, object]:
    """All that decides a trial's metrics beside its seed; `dataset` is the hash of what prepare made."""
    return {
        "figures": FIGURES,
        "measures": MEASURES,
        "world": trial.world,
        "memory_gib": options.memory_gib,
        "dataset": dataset,
        "config": trial.arm.configure(plan).model_dump_json(),  # a text, for the order of a hybrid's members counts
        **({} if trial.arm.features is None else {"features": list(trial.arm.features)}),
    }


def choose_features(data: Dataset, names: Sequence[str]) -> Dataset:
    """The dataset with these features alone."""
    return replace(data, features={name: data.features[name] for name in names})


def permute_features(data: Dataset, seed: int) -> Dataset:
    """The dataset in which an item has the features of another, of the same one in all modalities."""
    order = np.random.default_rng(seed).permutation(data.shape[1])
    return replace(data, features={name: matrix[order] for name, matrix in data.features.items()})


def _fit_and_measure(config: ModelConfig, data: Dataset, trial: ComparisonTrial, options: TrainingOptions) -> _Facts:
    """Fit in the trial's world and measure."""
    seen = data if trial.arm.features is None else choose_features(data, trial.arm.features)
    cold = hold_out_items(seen, share=COLD_SHARE, seed=trial.seed) if trial.world == "cold" else None
    world = cold.data if cold else permute_features(seen, trial.seed) if trial.world == "permuted" else seen

    with measure_cost() as cost:
        recommender = model_class(trial.arm.model)(config, world)
        records = recommender.fit(replace(options, seed=trial.seed, validate=partial(selection_metric, data=world)))
    facts = {**summarise_epochs(records), **asdict(cost), "device": options.device, "torch": str(torch.__version__)}
    if cold:
        by_catalogue = evaluate_cold(recommender.scores, cold)
        facts |= {"warm_test": cold.warm_test, "untrained": cold.untrained, "users_untrained": cold.users_untrained}
        return facts | {"figures": {part: evaluation.means() for part, evaluation in by_catalogue.items()}}, None
    evaluations = {split: evaluate(recommender.scores, world, split) for split in EVAL_SPLITS}
    # of all features, whichever the model saw, so that lists of different models can be compared
    metrics = {split: one.means() | beyond_accuracy(one, data) for split, one in evaluations.items()}
    return facts | {"figures": metrics}, user_table(evaluations, world)
