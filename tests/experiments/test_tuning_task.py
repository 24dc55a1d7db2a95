"""What a search tunes, and what decides its scores."""

from __future__ import annotations

from pathlib import Path

import yaml

from tasks.experiments.tuning_task import Subject
from tasks.models.cmf import CMF
from tasks.models.ease import EASE
from tasks.models.hybrid import Hybrid
from tasks.training import TrainingOptions
from tests.world import random_world

ROOT = Path(__file__).resolve().parents[2]
DATA = random_world(12, 10)


def test_other_memory_is_another_study() -> None:
    """It decides what form EASE takes and whether a model refuses; the device decides nothing."""

    def version(**options: object) -> str:
        return Subject(EASE, {}, DATA, TrainingOptions(**options)).version()  # type: ignore[arg-type]

    assert version() == version(device="cuda") == version(threads=2)
    assert version() != version(memory_gib=4.0)


def test_a_hybrid_is_searched_where_the_members_of_its_preset_are() -> None:
    """As of Last.fm-2k, which has others than the model's own: it starts from their defaults, then from the preset."""
    preset = yaml.safe_load((ROOT / "tasks/configs/lfm2k.yaml").read_text())["hyperparameters"]["hybrid"]
    subject = Subject(Hybrid, preset, DATA, TrainingOptions())
    assert {key.split(".")[1] for key in subject.space} == set(preset["members"]) == {"cmf", "dualgnn", "freedom"}
    default, given = subject.starts()
    assert set(default) == set(given) == set(subject.space)
    assert default["members.cmf.alpha"] == CMF.Config().alpha != given["members.cmf.alpha"]
    assert given["members.freedom.learning_rate"] == preset["members"]["freedom"]["learning_rate"]
    assert set(subject.searchable) - set(subject.space) == {"members.cmf.content"}  # a weight for each modality
