"""Convolutions with what follows them: on a CPU oneDNN adds, activates and stores in the pass that multiplies.

PyTorch has this for its compiler alone (`torch.ops.mkldnn`, which Inductor calls); compiling itself takes a minute and
gives less. Elsewhere the same operations run one by one.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

BATCH = 4  # pictures or windows that a CPU encodes at once; larger batches are slower. Weights are packed for it
ONEDNN: Any = torch.ops.mkldnn


class Convolution:
    """A convolution in `dtype`, with its batch norm folded in; `then` is none, relu or sigmoid.

    Calling it takes (B, C, H, W) of any memory format and gives channels last.
    """

    def __init__(self, conv: nn.Conv2d, norm: nn.Module | None, dtype: torch.dtype, then: str = "none") -> None:
        self._conv = fuse_conv_bn_eval(conv, norm) if isinstance(norm, nn.BatchNorm2d) else conv
        self._conv = self._conv.to(dtype=dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._dtype, self._then = dtype, then
        self._packed: Tensor | None = None

    def __call__(self, x: Tensor, plus: Tensor | None = None) -> Tensor:
        """Return the activation of the convolution (+ `plus`, whose memory it may take)."""
        conv = self._conv
        x = x.to(self._dtype, memory_format=torch.channels_last)
        plus = None if plus is None else plus.to(self._dtype)
        if x.device.type != "cpu" or not in_one_pass():
            y = conv(x) if plus is None else conv(x).add_(plus)
            return y if self._then == "none" else getattr(functional, self._then)(y)
        if self._packed is None:
            pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight
            sizes = [BATCH, *x.shape[1:]]
            self._packed = pack(conv.weight.to_mkldnn(), conv.padding, conv.stride, conv.dilation, conv.groups, sizes)
        shape = (self._packed, conv.bias, conv.padding, conv.stride, conv.dilation, conv.groups)
        if plus is None:
            return ONEDNN._convolution_pointwise(x, *shape, self._then, [], "")
        return ONEDNN._convolution_pointwise_.binary(plus, x, *shape, "add", 1.0, self._then, [], "")


def in_one_pass() -> bool:
    """Whether this build of PyTorch has the kernels."""
    return torch.backends.mkldnn.is_available() and hasattr(ONEDNN, "_convolution_pointwise")
