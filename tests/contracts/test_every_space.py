"""What every model promises whose hyper-parameters can be searched, tested once for all of MODELS."""

from __future__ import annotations

import pytest

from tasks.models import MODELS, model_class
from tasks.models.parts.gradient import GradientModel
from tasks.training import Choice, Range, placed

TUNED = [name for name in MODELS if model_class(name).SEARCH]


def ends(within: Range) -> tuple[object, ...]:
    """The values that are furthest from each other."""
    return within.values if isinstance(within, Choice) else (within.low, within.high)


def test_all_have_one_but_the_baseline() -> None:
    """Which has nothing to choose."""
    assert set(MODELS) - set(TUNED) == {"popularity"}


@pytest.mark.parametrize("name", TUNED)
def test_its_ends_are_hyper_parameters_of_the_model(name: str) -> None:
    """Each end of each range is accepted, under its own key and beside all others."""
    model = model_class(name)
    lowest: dict[str, object] = {key: ends(within)[0] for key, within in model.SEARCH.items()}
    points = [lowest | {key: end} for key, within in model.SEARCH.items() for end in ends(within)]
    points.append({key: ends(within)[-1] for key, within in model.SEARCH.items()})
    for point in points:
        found = model.configure(placed({}, point)).model_dump()
        for key, value in point.items():
            inner: object = found
            for part in key.split("."):
                assert isinstance(inner, dict)
                inner = inner[part]
            assert inner == value


@pytest.mark.parametrize("name", TUNED)
def test_the_defaults_are_within(name: str) -> None:
    """So that a search can begin with them, and ends no worse."""
    defaults = model_class(name).configure({}).model_dump()
    for key, within in model_class(name).SEARCH.items():
        value: object = defaults
        for part in key.split("."):
            assert isinstance(value, dict)
            value = value[part]
        assert value in within


@pytest.mark.parametrize("name", [name for name in MODELS if issubclass(model_class(name), GradientModel)])
def test_a_gradient_model_has_the_options_of_the_loop(name: str) -> None:
    """What it adds of its own does not replace them."""
    assert set(model_class(name).SEARCH) >= set(GradientModel.SEARCH)
