"""The choices of a run: read from a preset, with the options of `scan` on top."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.errors import BadInput, describe_invalid, one_line
from tasks.models import MODELS
from tasks.store.layout import NAME

PRESETS = Path(__file__).parent.parent / "configs"
MODALITIES = ("image", "audio", "text")
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
SplitRule = Literal["random", "time", "leave-one-out", "given"]


class Strict(BaseModel):
    """Frozen, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class RunConfig(Strict):
    """The choices of one run. Presets in `tasks/configs/` give values, options of `scan` override them."""

    dataset: Name = Field(description="folder under media/ and name of the releases")
    modalities: list[Annotated[str, Field(pattern="^(image|audio|text)$")]] = Field(
        min_length=1, description="any subset"
    )
    encoder: Name = Field(description="audioclip-demo, or a name given to `weights` or `train-encoder`")
    models: list[Name] = Field(min_length=1, description="names of tasks.models.MODELS; the best one is published")
    k_core: int = Field(default=5, ge=1, le=100, description="least interactions of every user and item")
    split: SplitRule = "random"
    seed: int = Field(default=7, ge=0, lt=2**31)
    max_bad_share: float = Field(default=0.05, ge=0, le=1, description="share of unreadable media that ends the run")
    min_coverage: float = Field(
        default=0.9, ge=0, le=1, description="least share of interactions whose item has features"
    )
    min_item_coverage: float = Field(
        default=0.5, ge=0, le=1, description="least share of the log's items that have features"
    )
    allow_contiguous_ids: bool = Field(
        default=False, description="the log's ids really are 0..n-1: skip the id-space check"
    )
    tolerance: float = Field(
        default=0.01, ge=0, le=1, description="validation NDCG@20 a release may lose to the champion"
    )
    hyperparameters: dict[Name, dict[str, object]] = Field(default_factory=dict, description="model -> its options")

    @model_validator(mode="after")
    def names_are_distinct(self) -> Self:
        for field in ("modalities", "models"):
            values = getattr(self, field)
            if len(set(values)) != len(values):
                raise ValueError(f"{field} {values} name one thing twice, expected each once")
        strangers = sorted(set(self.hyperparameters) - set(MODELS))
        if strangers:
            raise ValueError(f"hyperparameters are given for {strangers}, expected some of {', '.join(MODELS)}")
        return self


def load_config(preset: str, overrides: Mapping[str, object]) -> RunConfig:
    """A preset of `tasks/configs/` (by name) or a YAML file (by path), with `overrides` that are not None on top.

    It may speak of models that the run does not train: `tune` and `compare` look at any.
    """
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else PRESETS / f"{preset}.yaml"
    if not path.is_file():
        known = sorted(p.stem for p in PRESETS.glob("*.yaml"))
        raise BadInput(f"config {preset!r} found nowhere, expected a YAML file or one of {known}")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise BadInput(f"config {preset!r} is not YAML: {one_line(error)}") from error
    if not isinstance(values, dict):
        raise BadInput(f"config {preset!r} holds {type(values).__name__}, expected keys and values")
    values |= {key: value for key, value in overrides.items() if value is not None}
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise BadInput(f"config {preset!r}: {describe_invalid(error, RunConfig.model_fields)}") from error
