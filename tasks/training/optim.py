"""Optimizers: Adam without the compiler that torch's brings along, and AdamW with a schedule of its own.

A checkpoint of the optimizer is then one of its schedule too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Protocol

import torch
from torch import Tensor, nn

LARGEST_NORM = 1.0  # of the gradient of all parameters together


class Optimizer(Protocol):
    """What the training loop and its checkpoints use of an optimizer."""

    def zero_grad(self, set_to_none: bool = True) -> None: ...
    def step(self) -> Any: ...  # noqa: ANN401  as torch declares it
    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state_dict: dict[str, Any]) -> None: ...


class Adam:
    """Adam (Kingma, Ba 2015) by torch's fused kernel, equal to `torch.optim.Adam(parameters, lr, fused=True)`.

    That one imports torch's compiler, 822 modules, when it is made: some two seconds of each training. Its
    state can be loaded.
    """

    BETAS, EPSILON = (0.9, 0.999), 1e-8

    def __init__(self, parameters: Iterable[nn.Parameter], lr: float) -> None:
        self._parameters, self._lr = list(parameters), lr
        self._state: dict[int, dict[str, Tensor]] = {}

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Forget the gradients."""
        for parameter in self._parameters:
            if set_to_none:
                parameter.grad = None
            elif parameter.grad is not None:
                parameter.grad.zero_()

    @torch.no_grad()
    def step(self) -> None:
        """Move the parameters that have a gradient."""
        numbers = [number for number, one in enumerate(self._parameters) if one.grad is not None]
        if not numbers:
            return
        for number in numbers:
            if number not in self._state:
                one = self._parameters[number]
                self._state[number] = {
                    "step": torch.zeros((), dtype=torch.float32, device=one.device),
                    "exp_avg": torch.zeros_like(one, memory_format=torch.preserve_format),
                    "exp_avg_sq": torch.zeros_like(one, memory_format=torch.preserve_format),
                }
        steps, first, second = ([self._state[n][name] for n in numbers] for name in ("step", "exp_avg", "exp_avg_sq"))
        torch._foreach_add_(steps, 1)
        torch._fused_adam_(
            [self._parameters[number] for number in numbers],
            [self._parameters[number].grad for number in numbers],  # type: ignore[misc]
            first,
            second,
            [],
            steps,
            lr=self._lr,
            beta1=self.BETAS[0],
            beta2=self.BETAS[1],
            weight_decay=0.0,
            eps=self.EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def state_dict(self) -> dict[str, Any]:
        """As of torch's."""
        group = {"lr": self._lr, "betas": self.BETAS, "eps": self.EPSILON, "params": [*range(len(self._parameters))]}
        return {"state": {number: dict(entries) for number, entries in self._state.items()}, "param_groups": [group]}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take copies of a state, on the devices of the parameters."""
        (group,) = state_dict["param_groups"]
        self._lr = group["lr"]
        self._state = {
            number: {
                name: value.detach().clone().to(self._parameters[number].device) for name, value in entries.items()
            }
            for number, entries in state_dict["state"].items()
        }


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
