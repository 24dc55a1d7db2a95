"""What a search tunes: one model on one dataset, with what stays as it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from optuna.trial import Trial

from tasks.data import Dataset
from tasks.metrics import selection_metric
from tasks.models import FIGURES
from tasks.models.base import Model
from tasks.steps.gate import METRIC
from tasks.steps.search import between_epochs
from tasks.training import GradientConfig, Space, TrainingOptions, picked, placed, widened


@dataclass(frozen=True)
class Subject:
    """`given` are the plan's hyper-parameters of the model; those that are not searched stay as they are."""

    model: type[Model]
    given: Mapping[str, Any]
    data: Dataset
    options: TrainingOptions

    @property
    def space(self) -> Space:
        """The model's, up to what the plan gives; without what is given in another shape, such as a weight for each
        modality, or as none of a choice."""
        found = picked(self.model.configure(self.given).model_dump(), self.model.SEARCH)
        ranges = {key: widened(self.model.SEARCH[key], value) for key, value in found.items()}
        return {key: within for key, within in ranges.items() if within is not None}

    def figure(self, trial: Trial) -> float:
        """NDCG@20 on validation with a trial's hyper-parameters."""
        by_epochs = issubclass(self.model.Config, GradientConfig)
        validate = partial(selection_metric, data=self.data)
        recommender = self.model(self.model.configure(placed(self.given, trial.params)), self.data)
        recommender.fit(replace(self.options, validate=between_epochs(trial, validate) if by_epochs else validate))
        return validate(recommender)

    def starts(self) -> list[dict[str, object]]:
        """What is tried first: the model's defaults, and what the plan has."""
        return [self._searched({}), self._searched(self.given)]

    def version(self) -> str:
        """Eight digits of a hash of all that decides a trial's figure beside the dataset and what is drawn."""
        fixed = self.model.configure(placed(self.given, self._searched({}))).model_dump(mode="json")
        options = [self.options.seed, self.options.memory_gib]  # memory: what form some models take, or whether any
        text = json.dumps([FIGURES, repr(sorted(self.space.items())), fixed, *options, METRIC])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def _searched(self, values: Mapping[str, Any]) -> dict[str, object]:
        return picked(self.model.configure(values).model_dump(), self.space)
