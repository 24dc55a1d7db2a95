"""Adam without the compiler that torch's brings along."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from tasks.training.checkpoint import pack_optimizer, unpack_optimizer
from tasks.training.optim import Adam

ROOT = Path(__file__).resolve().parents[2]


def parameters() -> list[nn.Parameter]:
    """Of several shapes; the last has no gradient in every second step."""
    g = torch.Generator().manual_seed(3)
    return [nn.Parameter(torch.randn(shape, generator=g)) for shape in ((5, 3), (7,), (2, 2))]


def step(optimizer: Adam | torch.optim.Adam, given: list[nn.Parameter], number: int) -> None:
    """One step along a gradient that the number determines."""
    g = torch.Generator().manual_seed(number)
    optimizer.zero_grad()
    for place, one in enumerate(given):
        if place < 2 or number % 2:
            one.grad = torch.randn(one.shape, generator=g)
    optimizer.step()


def test_its_steps_are_those_of_torch() -> None:
    """To the bit, also for a parameter that has no gradient at times."""
    ours, theirs = parameters(), parameters()
    one, other = Adam(ours, lr=0.05), torch.optim.Adam(theirs, lr=0.05, fused=True)
    for number in range(12):
        step(one, ours, number)
        step(other, theirs, number)
    assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("make", [Adam, partial(torch.optim.Adam, fused=True)], ids=["ours", "torch's"])
def test_it_goes_on_from_a_checkpoint(make: Callable[..., Adam | torch.optim.Adam]) -> None:
    """Also from one of torch's, which an earlier version has written."""
    whole, halves = parameters(), parameters()
    straight, before, after = Adam(whole, lr=0.05), make(halves, lr=0.05), Adam(halves, lr=1.0)
    for number in range(8):
        step(straight, whole, number)
        if number == 4:
            unpack_optimizer(after, *pack_optimizer(before))
        step(before if number < 4 else after, halves, number)
    assert all(torch.equal(a, b) for a, b in zip(whole, halves, strict=True))


def test_gradients_are_zeroed_or_forgotten() -> None:
    """As asked for."""
    given = parameters()
    optimizer = Adam(given, lr=0.1)
    step(optimizer, given, 1)
    optimizer.zero_grad(set_to_none=False)
    assert all(one.grad is not None and not one.grad.any() for one in given)
    optimizer.zero_grad()
    assert all(one.grad is None for one in given)


@pytest.mark.slow
def test_a_training_does_not_import_a_compiler() -> None:
    """It took two seconds of each, and memory."""
    code = (
        "import sys, torch; from tests.world import checkerboard; from tasks.models import build_model; "
        "from tasks.training import TrainingOptions; "
        "build_model('bpr', {'max_epochs': 2}, checkerboard()).fit(TrainingOptions(seed=1)); "
        "print([name for name in ('torch._dynamo', 'sympy') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
