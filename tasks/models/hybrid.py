"""Hybrid: ensemble of `cease`, `ials` or others, standardised scores weighted by validation.

Our own model. CEASE scores an item from the user's items one by one, with content; iALS uses the whole history at once
and smooths over the catalogue; a model like LATTICE propagates on the graph. Scales of scores are not comparable, so
each user's scores of a member are standardised to mean 0 and standard deviation 1 over the catalogue and summed:
z(first) + w z(second) + ... The weights are the best of a few on validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, cast

import numpy as np
import torch
from pydantic import Field, NonNegativeFloat, field_validator, model_validator

from tasks.data import Dataset
from tasks.errors import Corrupt
from tasks.models import build_model, model_class
from tasks.models.base import Model
from tasks.models.serving import Ensemble, Serving
from tasks.models.solvers.standardise import standardise_scores
from tasks.training import EpochRecord, ModelConfig, Scorer, Space, TrainingOptions, prefix_space

WEIGHTS = (0.0, 0.3, 0.6, 1.0, 1.5, 2.0, 3.0, 5.0)
MEMBERS: dict[str, dict[str, Any]] = {"cease": {}, "ials": {}}  # closed form and least squares: seconds


class Hybrid(Model):
    """Members are fitted one after the other, each as if alone; then the weights are chosen on validation.

    Coordinate search: each weight in turn is set to the best of WEIGHTS on validation; then one more pass over all but
    the last.
    """

    name = "hybrid"
    uses_content = True

    class Config(ModelConfig):
        """Members, their hyperparameters, and their weights."""

        members: dict[str, dict[str, Any]] = Field(
            default=MEMBERS, min_length=2, validate_default=True, description="model -> its hyperparameters"
        )
        weights: tuple[NonNegativeFloat, ...] | None = Field(
            default=None,
            description="weights of all members but the first, which has 1; none: the best on validation, or 1",
        )

        @field_validator("members")
        @classmethod
        def are_complete(cls, members: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
            if "hybrid" in members:
                raise ValueError("hybrid found as a member of hybrid, expected other models")
            return {name: model_class(name).configure(given).model_dump() for name, given in members.items()}

        @model_validator(mode="after")
        def weights_are_of_members(self) -> Self:
            if self.weights is not None and len(self.weights) != len(self.members) - 1:
                raise ValueError(f"{len(self.weights)} weights for {len(self.members)} members, expected one less")
            return self

    config: Config

    def __init__(self, config: Config, data: Dataset) -> None:
        super().__init__(config, data)
        self.members = {name: build_model(name, given, data) for name, given in config.members.items()}
        self._records: dict[str, list[EpochRecord]] = {}
        self.weights = [1.0, *(config.weights or [1.0] * (len(self.members) - 1))]

    @classmethod
    def space_of(cls, config: ModelConfig) -> Space:
        """Return the union of the members' search spaces."""
        members = cast("Hybrid.Config", config).members
        spaces = [prefix_space(f"members.{name}", model_class(name).SEARCH) for name in members]
        return {key: within for space in spaces for key, within in space.items()}

    @classmethod
    def defaults_of(cls, config: ModelConfig) -> ModelConfig:
        """Return the same members with their defaults."""
        return cls.configure({"members": {name: {} for name in cast("Hybrid.Config", config).members}})

    def _solve(self, options: TrainingOptions) -> float | None:
        """Fit all, then choose the weights by `options.validate` where there is one."""
        for name, member in self.members.items():
            kept = options.checkpoints and options.checkpoints.part(name)
            self._records[name] = member.fit(replace(options, checkpoints=kept))
        self.fitted = True
        if options.validate is None:
            return None
        return self._choose(options.validate) if self.config.weights is None else options.validate(self)

    def settle(self, records: Sequence[EpochRecord]) -> ModelConfig:
        """Members as they settle, and the weights that were chosen."""
        del records
        members = {name: one.settle(self._records[name]).model_dump() for name, one in self.members.items()}
        return self.configure({"members": members, "weights": tuple(self.weights[1:])})

    def _choose(self, validate: Callable[[Scorer], float]) -> float:
        """Set the weights; returns the metric on validation that they have."""
        best, others = 0.0, range(1, len(self.weights))
        self.weights[1:] = [0.0 for _ in others]
        for place in (*others, *others[: len(others) - 1]):  # the last needs no second look
            tried = {weight: validate(self._with(place, weight)) for weight in WEIGHTS}
            self.weights[place], best = max(tried.items(), key=lambda item: item[1])
        return best

    def _with(self, place: int, weight: float) -> Hybrid:
        self.weights[place] = weight
        return self

    def _scores(self, users: np.ndarray) -> np.ndarray:
        total = np.zeros((len(users), self.data.train.shape[1]), dtype=np.float32)
        for member, weight in zip(self.members.values(), self.weights, strict=True):
            if weight:
                total += np.float32(weight) * standardise_scores(member.scores(users))
        return total

    def item_vectors(self) -> np.ndarray | None:
        """Return those of the first member."""
        return next(iter(self.members.values())).item_vectors()

    def serving(self) -> Serving:
        """All members, blended as here."""
        return Ensemble(tuple(member.serving() for member in self.members.values()), tuple(self.weights))

    def state(self) -> dict[str, torch.Tensor]:
        """Return the state of each member, prefixed by its name and a dot, and `weights` (members,)."""
        tensors = {f"{name}.{key}": tensor for name, one in self.members.items() for key, tensor in one.state().items()}
        return tensors | {"weights": torch.tensor(self.weights, dtype=torch.float64)}

    def _set_state(self, state: Mapping[str, torch.Tensor]) -> None:
        own: dict[str, dict[str, torch.Tensor]] = {name: {} for name in self.members}
        for key, tensor in state.items():
            name, _, rest = key.partition(".")
            if rest and name not in own:
                raise Corrupt(f"state of model {self.name} holds {key}, expected only {', '.join(own)} and weights")
            if rest:
                own[name][rest] = tensor
        self._check_state({key: tensor for key, tensor in state.items() if "." not in key}, {"weights": (len(own),)})
        for name, member in self.members.items():
            try:
                member.load_state(own[name])
            except Corrupt as error:
                raise Corrupt(f"state of model {self.name} holds another {name}: {error}") from error
        self.weights = state["weights"].tolist()
