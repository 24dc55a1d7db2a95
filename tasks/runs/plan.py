"""The plan of a run: written once by `scan`, and read by every later step."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field

from tasks.data import Cuts
from tasks.errors import BadInput
from tasks.runs.config import Feature, RunConfig, Strict
from tasks.store import Artefact, Store, read_artefact
from tasks.store.layout import run_key


class Plan(Strict):
    """The plan of one run: everything that determines its result."""

    run: str
    config: RunConfig
    interactions: str = Field(description="prefix of the pinned interactions artefact")
    records: str | None = Field(
        default=None, description="prefix of the pinned item records; None for a dataset without"
    )
    matrices: dict[str, str] = Field(default_factory=dict, description="feature -> prefix of its ready-made matrix")
    encoders: dict[str, str] = Field(default_factory=dict, description="feature -> identity of its encoder")
    cuts: Cuts | None = Field(
        default=None,
        description="of the served release, for the split `time`; not in inputs_hash",
    )
    inputs: int | None = Field(
        default=None,
        description="number of the state of the dataset's media, log and matrices, in the order in which scans found "
        "them; None without a database",
    )
    inputs_hash: str = Field(description="sha256 over media, interactions, records, matrices, encoders and config")


def read_plan(store: Store, run: str) -> Plan:
    """Read the plan that `scan` wrote for `run`; raises NotFound if there is none."""
    return Plan.model_validate(scan_artefact(store, run).json("plan.json"))


def scan_artefact(store: Store, run: str) -> Artefact:
    """Return the artefact that `scan` wrote for `run`."""
    return read_artefact(store, run_key(run, "scan"))


def find_feature(plan: Plan, name: str) -> Feature:
    """The feature of that name; BadInput when the run has none."""
    for feature in plan.config.list_features():
        if feature.name == name:
            return feature
    raise BadInput(f"feature {name!r} found, expected one of the run's: {', '.join(plan.config.feature_names)}")


def hyperparameters_of(plan: Plan, model: str) -> Mapping[str, object]:
    """Return the plan's hyperparameters of `model`; raises BadInput if the run does not have that model."""
    if model not in plan.config.models:
        raise BadInput(
            f"model {model!r} is not in run {plan.run}, expected one of its models: {', '.join(plan.config.models)}"
        )
    return plan.config.hyperparameters.get(model, {})
