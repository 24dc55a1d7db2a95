"""The configuration of a run: a preset, overridden by the options of `scan`."""

from __future__ import annotations

import os
import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from tasks.arrivals.policy import DEFAULT, Kind, Policy
from tasks.data.missing import Missing
from tasks.data.templates import parse_template
from tasks.errors import BadInput, describe_invalid, one_line
from tasks.models import MODELS
from tasks.quality import DRIFT_LIMITS
from tasks.store.layout import FEATURE, NAME

PRESETS = Path(__file__).parent.parent / "configs"
PAPERS = Path(__file__).parent.parent.parent / "papers"  # each with the settings of its run
MODALITIES = ("image", "audio", "text")  # of media
NUMBERS = "numbers"  # what a feature is of that has a loaded table in place of media
READY_MADE = "ready-made"  # in place of the encoder of a table that is a feature as it was loaded
USUAL_NUMBER: dict[Kind, float] = {"off": 0.0, "share": 0.05, DEFAULT.kind: DEFAULT.number}
SHORT = {"modalities", "encoder"}  # the short form of features
LATER = {  # as they were before they existed
    "approval": "none",
    "missing": "drop",
    "when_incomparable": "refuse",
    "min_agreement": 4.0,
    "clearly_better": 2.0,
    "max_agreement_fall": 0.5,
    "drift": {},
}
Name = Annotated[str, Field(pattern=f"^{NAME}$")]
Modality = Literal["image", "audio", "text"]  # MODALITIES
Kinds = Literal["image", "audio", "text", "numbers"]  # and NUMBERS
WhenIncomparable = Literal["refuse", "promote"]
Approval = Literal["none", "required"]
SplitRule = Literal["random", "time", "leave-one-out", "given"]


class Strict(BaseModel):
    """Frozen model; unknown keys are errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FeatureChoice(Strict):
    """The modality and the encoder of a feature.

    One of texts may be written from the item records by a `template` (tasks.data.templates) in place of files. One of
    `numbers` is a table that `load-features` loaded under the feature's name, or under that of `table`. It needs
    no encoder, and may have one that takes its rows.
    """

    modality: Kinds
    encoder: Name | None = None
    table: str = Field(
        default="", pattern=f"^({FEATURE})?$", description="of numbers: the loaded table that is encoded"
    )
    template: str = Field(
        default="", max_length=2000, description="of text: what is written of an item's record in place of a file"
    )
    view: str = Field(default="", description="which output of the encoder; only the default exists")


class Feature(FeatureChoice):
    """One feature matrix of a run: its name is used in all files, tables and counts."""

    name: str
    encoder: Name = READY_MADE

    @property
    def listed_as(self) -> str:
        """What its media are called in the inventory: its modality, or its own name where a template writes them."""
        return f"written:{self.name}" if self.template else self.modality

    @property
    def source(self) -> str:
        """The name under which its ready-made matrix or table is in the store, where it has one."""
        return self.table or self.name

    @property
    def encodes_rows(self) -> bool:
        """Whether its encoder takes the rows of a loaded table."""
        return self.modality == NUMBERS and self.encoder != READY_MADE


class RunConfig(Strict):
    """The choices of one run. Presets in `tasks/configs/` give values, options of `scan` override them.

    Features are given in one of two forms: `modalities` with one `encoder`, which means one feature per modality with
    the modality's name, or `features`, each with its own name, modality and encoder.
    """

    dataset: Name = Field(description="folder under media/ and name of the releases")
    modalities: list[Modality] | None = Field(default=None, min_length=1, description="any subset")
    encoder: Name | None = Field(
        default=None, description="offline, audioclip-demo or another name that `encoders` lists"
    )
    features: dict[str, FeatureChoice] | None = Field(
        default=None, min_length=1, description="name -> modality and encoder, in place of `modalities` and `encoder`"
    )
    models: list[Name] = Field(min_length=1, description="names of tasks.models.MODELS; the best one is published")
    missing: Missing = Field(
        default="linear",
        description="what becomes of an item that lacks a feature: drop leaves it out, zero, mean, linear and em fill "
        "the gap",
    )
    k_core: int = Field(default=5, ge=1, le=100, description="minimum number of interactions of every user and item")
    split: SplitRule = "random"
    seed: int = Field(default=7, ge=0, lt=2**31)
    max_bad_share: float = Field(default=0.05, ge=0, le=1, description="maximum share of unreadable media")
    min_coverage: float = Field(
        default=0.9, ge=0, le=1, description="minimum share of interactions whose item has features"
    )
    min_item_coverage: float = Field(
        default=0.5, ge=0, le=1, description="minimum share of the log's items that have features"
    )
    allow_contiguous_ids: bool = Field(
        default=False, description="the log's ids really are 0..n-1: skip the id-space check"
    )
    min_agreement: float = Field(
        default=4.0, ge=0, description="minimum z of content and behaviour; below it check-embeddings warns"
    )
    clearly_better: float = Field(
        default=2.0, ge=1, description="how many times the z of the join another join of the same ids must have to stop"
    )
    max_agreement_fall: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="largest share of the agreement of content and behaviour that may be lost since the last release",
    )
    drift: dict[str, Annotated[float, Field(ge=0)]] = Field(
        default_factory=dict, description="limit of a change since the last release, by its name"
    )
    tolerance: float = Field(
        default=0.01,
        ge=0,
        le=1,
        description="how much lower than the champion's the NDCG@20 of a release may be on the same rows",
    )
    when_incomparable: WhenIncomparable = Field(
        default="refuse",
        description="promote: a candidate also replaces a champion that it cannot be compared with",
    )
    approval: Approval = Field(
        default="none", description="required: a human is asked before a release that the gate accepts is served"
    )
    arrivals: Kind = Field(
        default=DEFAULT.kind, description="how items that nobody has taken yet get places: off, share or calibrated"
    )
    arrivals_number: float | None = Field(
        default=None,
        ge=0,
        description="of `calibrated`, the accepted loss of NDCG on known items in percent (1 if not given); of "
        "`share`, the share of places (0.05)",
    )
    hyperparameters: dict[Name, dict[str, object]] = Field(default_factory=dict, description="model -> its options")

    @model_validator(mode="after")
    def names_are_distinct(self) -> Self:
        for field in ("modalities", "models"):
            values = getattr(self, field) or []
            if len(set(values)) != len(values):
                raise ValueError(f"{field} {values} name one thing twice, expected each once")
        strangers = sorted(set(self.hyperparameters) - set(MODELS))
        if strangers:
            raise ValueError(f"hyperparameters are given for {strangers}, expected some of {', '.join(MODELS)}")
        return self

    @model_validator(mode="after")
    def limits_of_drift_exist(self) -> Self:
        strangers = sorted(set(self.drift) - set(DRIFT_LIMITS))
        if strangers:
            raise ValueError(f"drift has limits for {strangers}, expected some of {', '.join(DRIFT_LIMITS)}")
        return self

    @model_validator(mode="after")
    def arrivals_have_a_policy(self) -> Self:
        if self.arrivals == "share" and (self.arrivals_number or 0) > 1:
            raise ValueError(f"arrivals share with number {self.arrivals_number:g} found, expected one from 0 to 1")
        return self

    @model_validator(mode="after")
    def features_have_one_form(self) -> Self:
        short = [name for name in ("modalities", "encoder") if getattr(self, name) is not None]
        if self.features is not None and short:
            raise ValueError(f"features and {' and '.join(short)} found, expected one form alone: remove the other")
        if self.features is None and len(short) < len(SHORT):
            raise ValueError(
                f"{short[0] if short else 'neither modalities nor encoder'} found, expected modalities and encoder, "
                "or features in their place"
            )
        for name, choice in (self.features or {}).items():
            check_feature_name(name, choice.modality)
            check_choice(name, choice)
            if choice.view:
                raise ValueError(
                    f"feature {name!r} has view {choice.view!r}, expected none: no encoder has several views"
                )
        return self

    def list_features(self) -> list[Feature]:
        """The features of the run in order, whichever form was used."""
        if self.features is not None:
            return [
                Feature(name=name, **choice.model_dump(exclude_none=True)) for name, choice in self.features.items()
            ]
        short = [
            {"name": modality, "modality": modality, "encoder": self.encoder} for modality in self.modalities or []
        ]
        return [Feature.model_validate(one) for one in short]

    @property
    def feature_names(self) -> list[str]:
        """Names of the features, in order."""
        return [feature.name for feature in self.list_features()]

    @property
    def encoder_names(self) -> str:
        """The distinct encoder names of the run, sorted and joined by commas."""
        return ",".join(sorted({feature.encoder for feature in self.list_features()}))

    @property
    def arrivals_policy(self) -> Policy:
        """How arrivals get places in lists."""
        given = self.arrivals_number
        return Policy(self.arrivals, USUAL_NUMBER[self.arrivals] if given is None else given)

    def describe_features(self) -> dict[str, dict[str, str]]:
        """Feature name -> modality and encoder; the same for both forms."""
        return {f.name: f.model_dump(exclude={"name"}, exclude_defaults=True) for f in self.list_features()}

    def describe(self) -> dict[str, Any]:
        """The configuration as JSON values, without the form of features that is not used.

        Nor with LATER as they were before they existed: hashes of inputs are those of then.
        """
        unused = {name for name in (*SHORT, "features") if getattr(self, name) is None}
        unused |= {name for name, before in LATER.items() if getattr(self, name) == before}
        described = self.model_dump(mode="json", exclude=unused)
        if self.features is not None:
            later = {"encoder": None, "table": ""}
            described["features"] = {
                name: {key: value for key, value in choice.items() if key not in later or value != later[key]}
                for name, choice in described["features"].items()
            }
        return described


def check_feature_name(name: str, modality: str) -> None:
    """ValueError unless `name` is valid for a feature of that modality."""
    if not re.fullmatch(FEATURE, name):
        raise ValueError(
            f"feature name {name!r} found, expected a small letter and then at most 62 small letters, digits and _"
        )
    if name in (*MODALITIES, NUMBERS) and name != modality:
        raise ValueError(
            f"feature {name!r} of modality {modality} found, expected another name: {name} is a modality itself"
        )


def check_choice(name: str, choice: FeatureChoice) -> None:
    """ValueError for a feature of media without an encoder, with a table, or with a template that cannot be."""
    if choice.modality != NUMBERS and choice.encoder is None:
        raise ValueError(f"feature {name!r} of {choice.modality} without an encoder found, expected one")
    if choice.table and (choice.modality != NUMBERS or choice.encoder is None):
        raise ValueError(
            f"feature {name!r} of {choice.modality} has the table {choice.table!r}"
            f"{'' if choice.encoder else ' and no encoder'}, expected modality {NUMBERS} and an encoder of its rows"
        )
    if choice.template and choice.modality != "text":
        raise ValueError(f"feature {name!r} of {choice.modality} has a template, expected one of modality text")
    if choice.template:
        try:
            parse_template(choice.template)
        except BadInput as error:
            raise ValueError(f"feature {name!r}: {error}") from error


def load_config(preset: str, overrides: Mapping[str, object]) -> RunConfig:
    """Load a preset of `tasks/configs/` (by name) or a YAML file (by path); `overrides` that are not None win.

    It may speak of models that the run does not train: `tune` and `compare` look at any. An override in one
    form of features replaces the other form in the preset.
    """
    values = _read_preset(preset)
    given = {key: value for key, value in overrides.items() if value is not None}
    replaced = ({"features"} if given.keys() & SHORT else set()) | (SHORT if "features" in given else set())
    values = {key: value for key, value in values.items() if key not in replaced} | given
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        below = {"features": FeatureChoice.model_fields}
        raise BadInput(f"config {preset!r}: {describe_invalid(error, RunConfig.model_fields, below=below)}") from error


def _read_preset(preset: str) -> dict[str, Any]:
    if preset.startswith("papers/") and not preset.endswith((".yaml", ".yml")):
        run = read_paper(preset.removeprefix("papers/")).get("run")
        if not isinstance(run, dict):
            raise BadInput(f"{preset}.yaml has no settings under run, expected those of a preset")
        return run
    known = {path.stem: path for path in PRESETS.glob("*.yaml")}
    path = Path(preset) if preset.endswith((".yaml", ".yml")) else known.get(preset)
    if path is None or not os.path.isfile(path):  # noqa: PTH113  is_file() raises for a name that is too long
        names = [*sorted(known), *(f"papers/{path.stem}" for path in sorted(PAPERS.glob("*.yaml")))]
        raise BadInput(f"config {preset[:200]!r} found nowhere, expected a YAML file or one of {names}")
    return read_yaml(path.read_text(encoding="utf-8"), f"config {preset!r}")


def read_paper(name: str) -> dict[str, Any]:
    """What `papers/NAME.yaml` says; BadInput naming the known ones."""
    known = {path.stem: path for path in PAPERS.glob("*.yaml")}
    if name not in known:
        raise BadInput(f"paper {name[:200]!r} found, expected one of {', '.join(sorted(known)) or 'none'}")
    return read_yaml(known[name].read_text(encoding="utf-8"), f"papers/{name}.yaml")


def read_yaml(text: str, what: str) -> dict[str, Any]:
    """Parse a YAML or JSON mapping; a duplicate key is an error. `what` names the text in error messages."""
    try:
        values = yaml.load(text, Loader=_Loader)  # noqa: S506  a safe one
    except yaml.YAMLError as error:
        raise BadInput(f"{what} is not YAML: {one_line(error)}") from error
    except ValueError as error:
        raise BadInput(f"{what}: {error}") from error
    if not isinstance(values, dict):
        raise BadInput(f"{what} holds {type(values).__name__}, expected keys and values")
    return values


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys, of which YAML would silently keep the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
        twice = sorted({key for key in keys if keys.count(key) > 1})
        if twice:
            raise ValueError(f"{', '.join(twice)} found twice in one place, expected each name once: rename one")
        return super().construct_mapping(node, deep=deep)
