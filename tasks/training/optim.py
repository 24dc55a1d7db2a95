"""Optimizers with a schedule of their own, so that a checkpoint of the optimizer is one of its schedule too."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch

LARGEST_NORM = 1.0  # of the gradient of all parameters together


class WarmupCosineAdamW(torch.optim.AdamW):
    """AdamW with clipped gradients; the learning rate rises over a tenth of `steps`, then falls to 0 as a cosine."""

    def __init__(
        self, parameters: Iterator[torch.nn.Parameter], learning_rate: float, weight_decay: float, steps: int
    ) -> None:
        super().__init__(parameters, lr=learning_rate, weight_decay=weight_decay)
        for group in self.param_groups:
            group |= {"peak": learning_rate, "done": 0, "steps": steps}

    def step(self, closure: Callable[[], float] | None = None) -> Any:  # noqa: ANN401  as torch declares it
        """One step at the learning rate that the schedule has reached."""
        for group in self.param_groups:
            torch.nn.utils.clip_grad_norm_(group["params"], LARGEST_NORM)
            group["lr"] = group["peak"] * rise_and_fall(group["done"], group["steps"])
            group["done"] += 1
        return super().step(closure)


def rise_and_fall(done: int, steps: int) -> float:
    """Share of the learning rate: up in a line over the first tenth of the steps, then down to 0 as a cosine."""
    warm = max(1, steps // 10)
    if done < warm:
        return (done + 1) / warm
    return 0.5 * (1.0 + math.cos(math.pi * (done - warm) / max(1, steps - warm)))
