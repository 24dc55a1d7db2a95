"""The subject of a search: one model on one dataset, and the hyperparameters that stay fixed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from optuna.trial import Trial

from tasks.data import Dataset
from tasks.experiments.tuner import prune_between_epochs
from tasks.metrics import DECIDES, selection_metric
from tasks.models import FIGURES
from tasks.models.base import Model
from tasks.training import GradientConfig, Space, TrainingOptions, pick_values, place_values, widen


@dataclass(frozen=True)
class Subject:
    """`given` are the plan's hyperparameters of the model; those that are not searched stay fixed."""

    model: type[Model]
    given: Mapping[str, Any]
    data: Dataset
    options: TrainingOptions

    @property
    def searchable(self) -> Space:
        """The search space of the model; for an ensemble, that of the members in the plan."""
        return self.model.space_of(self.model.configure(self.given))

    @property
    def space(self) -> Space:
        """The search space extended to the plan's values, without hyperparameters that the plan gives in another form.

        Such as a weight per modality, or a value that is not among the choices.
        """
        could = self.searchable
        values = pick_values(self.model.configure(self.given).model_dump(), could)
        ranges = {key: widen(could[key], value) for key, value in values.items()}
        return {key: within for key, within in ranges.items() if within is not None}

    def score(self, trial: Trial) -> float:
        """Return NDCG@20 on validation with a trial's hyperparameters."""
        by_epochs = issubclass(self.model.Config, GradientConfig)
        validate = partial(selection_metric, data=self.data)
        recommender = self.model(self.model.configure(place_values(self.given, trial.params)), self.data)
        watched = prune_between_epochs(trial, validate) if by_epochs else validate
        recommender.fit(replace(self.options, validate=watched))
        return validate(recommender)

    def starts(self) -> list[dict[str, object]]:
        """Return the first trials: the model's defaults (for an ensemble, its members'), and the plan's values."""
        given = self.model.configure(self.given)
        return [pick_values(config.model_dump(), self.space) for config in (self.model.defaults_of(given), given)]

    def version(self) -> str:
        """Return eight digits of a hash of all that decides a trial's score, besides dataset and drawn values."""
        fixed = self.model.configure(place_values(self.given, self.starts()[0])).model_dump(mode="json")
        options = [self.options.seed, self.options.memory_gib]  # memory decides the form of some models
        text = json.dumps([FIGURES, repr(sorted(self.space.items())), fixed, *options, DECIDES])
        return hashlib.sha256(text.encode()).hexdigest()[:8]
