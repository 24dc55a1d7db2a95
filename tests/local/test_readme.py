"""The README is correct: its targets, commands and variables are those of the code."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml

from tasks.__main__ import COMMANDS, summary
from tasks.models import model_class
from tasks.runs.config import RunConfig

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
VARIABLE = re.compile(r"\bRECSYS_[A-Z][A-Z0-9_]*[A-Z0-9]\b")
INNER = {"RECSYS_RUN_URL", "RECSYS_STACK", "RECSYS_TASK"}  # set by one process for its children, never by users


def test_every_make_target_that_the_readme_names_exists() -> None:
    """The README also names every target."""
    named = set(re.findall(r"(?:`|^|=1 )make ([a-z][a-z0-9-]+)", README, re.MULTILINE))
    assert named == set(TARGETS) - {"help"}


@pytest.mark.parametrize("target", TARGETS)
def test_every_make_target_has_a_line_of_help(target: str) -> None:
    """`make` without a target shows it."""
    assert re.search(rf"^{target}:.*## \S", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_readme_with_its_own_words(name: str) -> None:
    """The table has the same summaries as `python -m tasks`."""
    assert f"| `{name}` | {summary(name)} |" in README


def test_every_variable_that_the_code_reads_is_in_the_readme() -> None:
    """The README names no other variables."""
    code = [path for folder in ("dags", "plugins", "tasks", "local") for path in (ROOT / folder).rglob("*.py")]
    read = {name for path in code for name in VARIABLE.findall(path.read_text(encoding="utf-8"))} - INNER
    documented = set(VARIABLE.findall(README))
    documented |= {f"RECSYS_S3_{end}" for end in re.findall(r"`_([A-Z_]+)`", README)}
    assert documented == read


def test_hyperparameters_that_the_readme_shows_are_accepted() -> None:
    """The models have hyperparameters of these names."""
    (shown,) = re.findall(r"```yaml\n(hyperparameters:.*?)```", README, re.DOTALL)
    for name, values in yaml.safe_load(shown)["hyperparameters"].items():
        assert model_class(name).configure(values)


def test_features_that_the_readme_shows_are_accepted() -> None:
    """As a preset may have them."""
    (shown,) = re.findall(r"```yaml\n(features:.*?)```", README, re.DOTALL)
    config = RunConfig.model_validate(yaml.safe_load(shown) | {"dataset": "d", "models": ["ease"]})
    assert [feature.modality for feature in config.list_features()].count("audio") == 2


def test_every_threshold_of_a_preset_is_in_the_readme_with_its_default() -> None:
    """A threshold is a field of a preset that is neither in the form nor a hyperparameter."""
    for name, field in RunConfig.model_fields.items():
        form = {"modalities", "encoder", "features", "k_core", "split", "seed", "hyperparameters"}
        if not field.is_required() and name not in form:
            default = json.dumps(field.default)
            assert re.search(rf"^\| `{name}` \| .* \| `{default}` \|$", README, re.MULTILINE), name
