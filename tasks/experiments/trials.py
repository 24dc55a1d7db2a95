"""One training and evaluation for a comparison, stored so that it is never repeated."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from tasks.data import Dataset, hold_out_items
from tasks.experiments.cost import measure_cost
from tasks.metrics import EVAL_SPLITS, beyond_accuracy, evaluate, evaluate_cold, selection_metric, user_table
from tasks.models import FIGURES, model_class
from tasks.models.base import Model
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
    """A model and a seed in a world: the dataset as it is, with features of other items, or with items held out.

    `features`: those that the model sees; None: all of the run.
    """

    model: str
    seed: int
    world: World = "plain"
    features: tuple[str, ...] | None = None

    @property
    def name(self) -> str:
        """What is compared, as tables have it: `vbpr`, or `vbpr:plot+poster` where features are chosen."""
        return self.model if self.features is None else f"{self.model}:{'+'.join(self.features)}"

    @property
    def step(self) -> str:
        """The step under which its artefact is stored in the run."""
        return f"compare-trials/{self.world}/{self.name}-{self.seed}"


def list_trials(
    models: Sequence[str],
    seeds: Sequence[int],
    *,
    permute: bool,
    cold: bool,
    features: Sequence[tuple[str, ...]] | None = None,
) -> list[ComparisonTrial]:
    """All that is to be trained; permuted content, and each choice of `features`, only for models that look at it."""
    asked: dict[World, bool] = {"plain": True, "permuted": permute, "cold": cold}
    return [
        ComparisonTrial(name, seed, world, chosen)
        for world in asked
        for name in models
        for chosen in (features if features and model_class(name).uses_content else [None])
        for seed in seeds
        if asked[world] and (world != "permuted" or model_class(name).uses_content)
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
    facts, users = _fit_and_measure(model_class(trial.model), trial_config(plan, trial), data, trial, options)
    with write_artefact(store, prefix, inputs=[prepared], parameters=parameters, seed=trial.seed) as out:
        out.json("trial.json", {"model": trial.name, "seed": trial.seed, "world": trial.world, **facts})
        if users is not None:
            out.frame("users.parquet", users)
    return read_artefact(store, prefix)


def trial_config(plan: Plan, trial: ComparisonTrial) -> ModelConfig:
    """The model's hyperparameters in the run; BadInput for one that it does not have.

    Where features are chosen, weights by feature are shared equally among these: they were chosen for others.
    """
    given = plan.config.hyperparameters.get(trial.model, {})
    if trial.features is not None:
        given = _share_weights(given, plan.config.feature_names, trial.features)
    return model_class(trial.model).configure(given)


def _share_weights(given: Mapping[str, Any], known: Sequence[str], chosen: Sequence[str]) -> dict[str, Any]:
    """Hyperparameters whose mappings of `known` features to weights have the `chosen` ones, with the same sum."""
    shared: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping) and value and set(value) <= set(known):
            shared[key] = dict.fromkeys(chosen, sum(value.values()) / len(chosen))
        else:
            shared[key] = _share_weights(value, known, chosen) if isinstance(value, Mapping) else value
    return shared


def trial_parameters(plan: Plan, trial: ComparisonTrial, options: TrainingOptions, dataset: str) -> dict[str, object]:
    """All that decides a trial's metrics beside its seed; `dataset` is the hash of what prepare made."""
    return {
        "figures": FIGURES,
        "measures": MEASURES,
        "world": trial.world,
        "memory_gib": options.memory_gib,
        "dataset": dataset,
        "config": trial_config(plan, trial).model_dump_json(),  # a text, for the order of a hybrid's members counts
        **({} if trial.features is None else {"features": list(trial.features)}),
    }


def choose_features(data: Dataset, names: Sequence[str]) -> Dataset:
    """The dataset with these features alone."""
    return replace(data, features={name: data.features[name] for name in names})


def permute_features(data: Dataset, seed: int) -> Dataset:
    """The dataset in which an item has the features of another, of the same one in all modalities."""
    order = np.random.default_rng(seed).permutation(data.shape[1])
    return replace(data, features={name: matrix[order] for name, matrix in data.features.items()})


def _fit_and_measure(
    model: type[Model], config: ModelConfig, data: Dataset, trial: ComparisonTrial, options: TrainingOptions
) -> _Facts:
    """Fit in the trial's world and measure."""
    seen = data if trial.features is None else choose_features(data, trial.features)
    cold = hold_out_items(seen, share=COLD_SHARE, seed=trial.seed) if trial.world == "cold" else None
    world = cold.data if cold else permute_features(seen, trial.seed) if trial.world == "permuted" else seen

    with measure_cost() as cost:
        recommender = model(config, world)
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
