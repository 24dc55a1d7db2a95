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
from tasks.experiments.tuner import prune_between_epochs
from tasks.metrics import DECIDES, selection_metric
from tasks.models import FIGURES
from tasks.models.base import Model
from tasks.training import GradientConfig, Space, TrainingOptions, picked, placed, widened


@dataclass(frozen=True)
class Subject:
    """`given` are the plan's hyper-parameters of the model; those that are not searched stay as they are."""

    model: type[Model]
    given: Mapping[str, Any]
    data: Dataset
    options: TrainingOptions

    @property
    def searchable(self) -> Space:
        """The model's, and of a hybrid those of the members that the plan gives it."""
        return self.model.space_of(self.model.configure(self.given))

    @property
    def space(self) -> Space:
        """The same up to what the plan gives; without what is given in another shape, such as a weight for each
        modality, or as none of a choice."""
        could = self.searchable
        values = picked(self.model.configure(self.given).model_dump(), could)
        ranges = {key: widened(could[key], value) for key, value in values.items()}
        return {key: within for key, within in ranges.items() if within is not None}

    def figure(self, trial: Trial) -> float:
        """NDCG@20 on validation with a trial's hyper-parameters."""
        by_epochs = issubclass(self.model.Config, GradientConfig)
        validate = partial(selection_metric, data=self.data)
        recommender = self.model(self.model.configure(placed(self.given, trial.params)), self.data)
        watched = prune_between_epochs(trial, validate) if by_epochs else validate
        recommender.fit(replace(self.options, validate=watched))
        return validate(recommender)

    def starts(self) -> list[dict[str, object]]:
        """What is tried first: the model's defaults, of a hybrid those of its members, and what the plan has."""
        given = self.model.configure(self.given)
        return [picked(config.model_dump(), self.space) for config in (self.model.defaults_of(given), given)]

    def version(self) -> str:
        """Eight digits of a hash of all that decides a trial's figure beside the dataset and what is drawn."""
        fixed = self.model.configure(placed(self.given, self.starts()[0])).model_dump(mode="json")
        options = [self.options.seed, self.options.memory_gib]  # memory: what form some models take, or whether any
        text = json.dumps([FIGURES, repr(sorted(self.space.items())), fixed, *options, DECIDES])
        return hashlib.sha256(text.encode()).hexdigest()[:8]
