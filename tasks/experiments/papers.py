"""A paper as a file: what is run, the figures that it printed, and the page with ours beside theirs.

`papers/NAME.yaml` has the settings of the run (`scan --config papers/NAME`), the arms that are compared, the printed
tables with their source, and why figures differ.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PositiveInt, ValidationError, model_validator

from tasks.errors import BadInput, describe_invalid
from tasks.experiments.arms import Arm
from tasks.experiments.comparing import Asked
from tasks.metrics import Metric
from tasks.models import MODELS
from tasks.runs.config import PAPERS, RunConfig, Strict, load_config, read_paper
from tasks.store.layout import NAME

ARM = r"[a-z0-9][a-z0-9:+_.-]{0,79}"
Finite = Annotated[float, Field(allow_inf_nan=False)]


class ArmChoice(Strict):
    """A model with hyperparameters on top of the run's, and the features that it sees (none given: all)."""

    model: Annotated[str, Field(pattern=f"^{NAME}$")]
    features: list[str] | None = Field(default=None, min_length=1)
    hyperparameters: dict[str, Any] = Field(default_factory=dict)


class PrintedTable(Strict):
    """A table of ours, beside the figures that the paper printed for some of its arms (arm -> one per metric)."""

    title: str
    metrics: list[str] = Field(min_length=1)
    arms: list[str] = Field(min_length=1)
    world: Literal["plain", "permuted", "cold"] = "plain"
    part: Literal["valid", "test", "held-out items", "all items"] = "test"
    source: str = Field(default="", description="table and page of the printed figures")
    printed: dict[str, list[Finite | None]] = Field(default_factory=dict)
    note: str = ""

    @model_validator(mode="after")
    def figures_have_a_metric_and_an_arm(self) -> Self:
        for metric in self.metrics:
            Metric.parse(metric)
        if (self.world == "cold") != self.part.endswith("items"):
            raise ValueError(
                f"part {self.part!r} of world {self.world} found, expected held-out items or all items of cold"
            )
        strangers = sorted(set(self.printed) - set(self.arms))
        if strangers:
            raise ValueError(f"printed has figures of {', '.join(strangers)}, expected arms of the table")
        for arm, figures in self.printed.items():
            if len(figures) != len(self.metrics):
                raise ValueError(f"printed has {len(figures)} figures of {arm}, expected {len(self.metrics)}")
        if self.printed and not self.source:
            raise ValueError("printed figures without a source found, expected where they stand")
        return self


class Paper(Strict):
    """One file of `papers/`."""

    title: str
    source: str = Field(description="authors, title, where and when")
    data: str = Field(description="what the data are, where they differ from the paper's, and how they are loaded")
    run: dict[str, Any] = Field(description="settings of the run, as in a preset")
    seeds: PositiveInt = 5
    permute: bool = False
    cold: bool = False
    against: str | None = None
    arms: dict[Annotated[str, Field(pattern=f"^{ARM}$")], ArmChoice] = Field(min_length=1)
    tables: list[PrintedTable] = Field(min_length=1)
    differences: str = Field(description="why ours differ from theirs")

    @model_validator(mode="after")
    def names_exist(self) -> Self:
        unknown = sorted({arm.model for arm in self.arms.values()} - set(MODELS))
        if unknown:
            raise ValueError(f"models {', '.join(unknown)} found, expected some of {', '.join(MODELS)}")
        asked = {"plain": True, "permuted": self.permute, "cold": self.cold}
        absent = sorted({table.world for table in self.tables if not asked[table.world]})
        if absent:
            raise ValueError(
                f"tables of the worlds {', '.join(absent)} found, expected permute or cold to ask for them"
            )
        named = {arm for table in self.tables for arm in table.arms} | ({self.against} if self.against else set())
        strangers = sorted(named - set(self.arms))
        if strangers:
            raise ValueError(f"arms {', '.join(strangers)} found, expected some of {', '.join(self.arms)}")
        return self

    def list_arms(self) -> list[Arm]:
        """What is compared."""
        return [
            Arm(name, one.model, tuple(one.features) if one.features else None, one.hyperparameters)
            for name, one in self.arms.items()
        ]

    def asked(self, seeds: int | None) -> Asked:
        """How often, and in which worlds."""
        return Asked(seeds or self.seeds, self.permute, self.cold, self.against)


def load_paper(name: str) -> Paper:
    """The paper `papers/NAME.yaml`; BadInput naming the known ones, or what is wrong with it."""
    try:
        paper = Paper.model_validate(read_paper(name))
    except ValidationError as error:
        raise BadInput(f"papers/{name}.yaml: {describe_invalid(error, Paper.model_fields)}") from error
    config = load_config(f"papers/{name}", {})
    for arm, one in paper.arms.items():
        strangers = sorted(set(one.features or []) - set(config.feature_names))
        if strangers:
            raise BadInput(
                f"papers/{name}.yaml: arm {arm} has features {', '.join(strangers)}, expected some of the run's: "
                f"{', '.join(config.feature_names)}"
            )
    return paper


def require_settings(name: str, planned: RunConfig) -> None:
    """BadInput if a run was planned with other settings than the paper's."""
    wanted, found = load_config(f"papers/{name}", {}).describe(), planned.describe()
    other = sorted(key for key in {*wanted, *found} if wanted.get(key) != found.get(key))
    if other:
        raise BadInput(
            f"the run has other {', '.join(other)} than papers/{name}.yaml, expected the paper's own: "
            f"`scan --config papers/{name}`"
        )


def list_papers() -> list[str]:
    """Names of the papers that there are."""
    return sorted(path.stem for path in PAPERS.glob("*.yaml"))


def result_path(name: str) -> Path:
    """Where the result lies that the docs show."""
    return PAPERS / "results" / f"{name}.json"
