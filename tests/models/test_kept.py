"""What is derived from parameters or data is computed once, and never stale."""

from __future__ import annotations

from itertools import count

import torch
from torch import nn

from tasks.models.layers.cliper import FrontEnd
from tasks.models.layers.content import Content, ContentOptions
from tasks.models.layers.item_graph import KNNGraphs
from tasks.models.layers.kept import Kept
from tests.models.test_content import views


def test_what_parameters_gave_is_forgotten_when_they_may_change() -> None:
    """It is kept between two switches from training to scoring and back."""
    kept, compute = Kept(), count().__next__
    model = nn.Sequential(kept)
    found = [kept(compute), kept(compute)]
    for switch in (model.eval, model.train):
        switch()
        found += [kept(compute), kept(compute)]
    assert found == [0, 0, 1, 1, 2, 2]


def test_what_is_constant_is_forgotten_only_when_the_model_moves() -> None:
    """Another device or precision: a tensor left behind could not be computed with."""
    for constant in (False, True):
        kept, compute = Kept(constant=constant), count().__next__
        model = nn.Sequential(kept)
        assert kept(compute) == 0
        model.to(torch.float64)
        assert kept(compute) == 1
        model.eval()
        assert kept(compute) == (1 if constant else 2)


def test_graphs_are_built_anew_only_where_content_is_learned() -> None:
    """Features as they are have one graph; what a fuser makes of them has another after every epoch."""
    for fusion, learned in (("sum", False), ("attention", True)):
        content = Content(
            views(), "lattice", ContentOptions(front_end=FrontEnd(fusion=fusion, views=("title", "plot")))
        )
        graphs = KNNGraphs(content, 2, list)
        first = graphs(content)
        assert graphs(content) is first
        graphs.eval()
        assert (graphs(content) is first) == (not learned)
