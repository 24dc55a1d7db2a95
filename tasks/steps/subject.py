"""What a search tunes: one model on one dataset, with what stays as it is."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from optuna.trial import Trial

from tasks.data import Dataset
from tasks.metrics import selection_metric
from tasks.models import FIGURES
from tasks.models.base import Model
from tasks.steps.gate import METRIC
from tasks.steps.search import between_epochs
from tasks.training import GradientConfig, Scorer, Space, TrainingOptions, picked, placed

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Subject:
    """`given` are the plan's hyper-parameters of the model; those that are not searched stay as they are."""

    model: type[Model]
    given: Mapping[str, Any]
    data: Dataset
    options: TrainingOptions

    @property
    def space(self) -> Space:
        """The model's, without what the plan gives in another shape: a weight for each modality, say, stays."""
        found = picked(self.model.configure(self.given).model_dump(), self.model.SEARCH)
        return {key: self.model.SEARCH[key] for key, value in found.items() if isinstance(value, int | float | str)}

    def figure(self, trial: Trial) -> float:
        """NDCG@20 on validation with a trial's hyper-parameters."""
        by_epochs = issubclass(self.model.Config, GradientConfig)
        validate = between_epochs(trial, self._validate) if by_epochs else self._validate
        recommender = self.model(self.model.configure(placed(self.given, trial.params)), self.data)
        recommender.fit(replace(self.options, validate=validate))
        return self._validate(recommender)

    def _validate(self, scorer: Scorer) -> float:
        return selection_metric(scorer.scores, self.data)

    def starts(self) -> list[dict[str, object]]:
        """What is tried first: the model's defaults, and what the plan has where the search could come to it."""
        found, space = [], self.space
        for whose, values in (("the model's defaults", {}), ("those of the plan", self.given)):
            point = self._searched(values)
            outside = {key: value for key, value in point.items() if value not in space[key]}
            if outside:
                log.info("%s are not tried: %s is outside of what is searched", whose, outside)
            else:
                found.append(point)
        return found

    def version(self) -> str:
        """Eight digits of a hash of all that decides a trial's figure beside the dataset and what is drawn."""
        fixed = self.model.configure(placed(self.given, self._searched({}))).model_dump(mode="json")
        text = json.dumps([FIGURES, repr(sorted(self.space.items())), fixed, self.options.seed, METRIC])
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def _searched(self, values: Mapping[str, Any]) -> dict[str, object]:
        return picked(self.model.configure(values).model_dump(), self.space)
