"""What is compared: models, each with the hyperparameters that it has and the features that it sees."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tasks.models import model_class
from tasks.runs.plan import Plan
from tasks.training import ModelConfig


@dataclass(frozen=True)
class Arm:
    """A model of a comparison; `name` is how tables call it.

    `features`: those that it sees; None: all of the run. `hyperparameters` are on top of the run's.
    """

    name: str
    model: str
    features: tuple[str, ...] | None = None
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def uses_content(self) -> bool:
        """Whether the model looks at features."""
        return model_class(self.model).uses_content

    def configure(self, plan: Plan) -> ModelConfig:
        """The hyperparameters in a run; BadInput for one that the model does not have.

        Where features are chosen, weights by feature in the run's are shared equally among these: they were chosen for
        others.
        """
        given: Mapping[str, Any] = plan.config.hyperparameters.get(self.model, {})
        if self.features is not None:
            given = _share_weights(given, plan.config.feature_names, self.features)
        return model_class(self.model).configure({**given, **self.hyperparameters})


def list_arms(models: Sequence[str], features: Sequence[tuple[str, ...]] | None = None) -> list[Arm]:
    """Each model, with each choice of `features` if it looks at any: `vbpr:plot+poster`."""
    return [
        Arm(name if chosen is None else f"{name}:{'+'.join(chosen)}", name, chosen)
        for name in models
        for chosen in (features if features and model_class(name).uses_content else [None])
    ]


def _share_weights(given: Mapping[str, Any], known: Sequence[str], chosen: Sequence[str]) -> dict[str, Any]:
    """Hyperparameters whose mappings of `known` features to weights have the `chosen` ones, with the same sum."""
    shared: dict[str, Any] = {}
    for key, value in given.items():
        if isinstance(value, Mapping) and value and set(value) <= set(known):
            shared[key] = dict.fromkeys(chosen, sum(value.values()) / len(chosen))
        else:
            shared[key] = _share_weights(value, known, chosen) if isinstance(value, Mapping) else value
    return shared
