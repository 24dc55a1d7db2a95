"""What every model promises whose hyperparameters can be searched, tested once for all of MODELS."""

from __future__ import annotations

from typing import Annotated

import pytest

from tasks.models import MODELS, model_class
from tasks.models.bpr import BPR
from tasks.models.cmf import CMF
from tasks.training import (
    Choice,
    GradientConfig,
    ModelConfig,
    Range,
    Real,
    Whole,
    declared_space,
    pick_values,
    place_values,
    prefix_space,
)
from tests.registry import GRADIENT

TUNED = [name for name in MODELS if model_class(name).space_of(model_class(name).configure({}))]
OTHERS = {"members": {"cmf": {}, "bpr": {"max_epochs": 3}, "popularity": {}}}
CASES = [pytest.param(name, {}, id=name) for name in TUNED] + [pytest.param("hybrid", OTHERS, id="hybrid of others")]


def ends(within: Range) -> tuple[object, ...]:
    """The values that are furthest from each other."""
    return within.values if isinstance(within, Choice) else (within.low, within.high)


def test_all_have_one_but_the_baseline() -> None:
    """Which has nothing to choose."""
    assert set(MODELS) - set(TUNED) == {"popularity"}


@pytest.mark.parametrize(("name", "given"), CASES)
def test_its_ends_are_hyper_parameters_of_the_model(name: str, given: dict[str, object]) -> None:
    """Each end of each range is accepted, under its own key and beside all others."""
    model = model_class(name)
    space = model.space_of(model.configure(given))
    lowest: dict[str, object] = {key: ends(within)[0] for key, within in space.items()}
    points = [lowest | {key: end} for key, within in space.items() for end in ends(within)]
    points.append({key: ends(within)[-1] for key, within in space.items()})
    for point in points:
        found = model.configure(place_values(given, point)).model_dump()
        assert pick_values(found, space) == point


@pytest.mark.parametrize(("name", "given"), CASES)
def test_the_defaults_are_within(name: str, given: dict[str, object]) -> None:
    """So that a search can begin with them, and ends no worse; also where the model's own are of other members."""
    model = model_class(name)
    config = model.configure(given)
    space = model.space_of(config)
    defaults = pick_values(model.defaults_of(config).model_dump(), space)
    assert set(defaults) == set(space)
    assert all(value in space[key] for key, value in defaults.items())


def test_a_hybrid_has_the_spaces_of_its_members() -> None:
    """Of those it is told, and of no other."""
    hybrid = model_class("hybrid")
    space = hybrid.space_of(hybrid.configure(OTHERS))
    assert space == prefix_space("members.cmf", CMF.SEARCH) | prefix_space("members.bpr", BPR.SEARCH)


@pytest.mark.parametrize("name", GRADIENT)
def test_a_gradient_model_has_the_options_of_the_loop(name: str) -> None:
    """What it adds of its own does not replace them, nor does a default of its own take the range away."""
    loop = declared_space(GradientConfig)
    assert set(model_class(name).SEARCH) >= set(loop) == {"learning_rate", "batch_size", "regularization"}


def test_a_field_without_a_range_has_that_of_the_base() -> None:
    """Declared anew for another default it keeps it; a range of its own goes before, the nearest base first."""

    class Loop(ModelConfig):
        rate: Annotated[float, Real(0, 1)] = 0.5
        size: Annotated[int, Whole(1, 4)] = 2

    class Wide(Loop):
        rate: float = 0.1
        size: Annotated[int, Whole(1, 8)] = 2

    class Wider(Wide):
        size: int = 3
        other: int = 1

    assert declared_space(Wider) == {"rate": Real(0, 1), "size": Whole(1, 8)}
