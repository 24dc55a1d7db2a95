"""What a search tunes, and what decides its figures."""

from __future__ import annotations

from tasks.models.ease import EASE
from tasks.steps.subject import Subject
from tasks.training import TrainingOptions
from tests.world import random_world

DATA = random_world(12, 10)


def test_other_memory_is_another_study() -> None:
    """It decides what form EASE takes and whether a model refuses; the device decides nothing."""

    def version(**options: object) -> str:
        return Subject(EASE, {}, DATA, TrainingOptions(**options)).version()  # type: ignore[arg-type]

    assert version() == version(device="cuda") == version(threads=2)
    assert version() != version(memory_gib=4.0)
