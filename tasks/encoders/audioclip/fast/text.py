"""The text tower (`text_tower.py`) with flat products.

`nn.MultiheadAttention` multiplies each context of a batch by a copy of its weights, which in bfloat16 takes longer than
all else together; here one product gives queries, keys and values of all tokens.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.text_tower import Block, rows_of

QUICK = 1.702  # x sigmoid(1.702 x) = silu(1.702 x) / 1.702, whose factors go into the weights around it


class FastTextTower:
    """Token ids (B, T) to (B, D), not normalised. In bfloat16 are the products; sums and norms stay in float32."""

    def __init__(self, model: AudioCLIP, dtype: torch.dtype) -> None:
        self._model = model
        self._blocks = [FastBlock(cast(Block, block), dtype) for block in model.transformer.resblocks]

    def __call__(self, tokens_BT: Tensor) -> Tensor:
        """See the class."""
        model, ends_B = self._model, tokens_BT.argmax(dim=-1)
        x_BTD = model.token_embedding(rows_of(tokens_BT, model.config.vocab_buckets))
        x_BTD = x_BTD + model.positional_embedding[: tokens_BT.shape[1]]
        for block in self._blocks:
            x_BTD = block(x_BTD)
        last_BD = x_BTD[torch.arange(len(ends_B), device=ends_B.device), ends_B]
        vectors: Tensor = model.ln_final(last_BD) @ model.text_projection
        return vectors


class FastBlock:
    """A transformer block; it takes the memory of its input."""

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        attention, (inner, _, outer) = block.attn, cast("tuple[nn.Linear, ...]", tuple(block.mlp))
        self._heads, self._dtype = attention.num_heads, dtype
        self._norm1, self._norm2 = block.ln_1, block.ln_2
        self._qkv = (cast(Tensor, attention.in_proj_weight).to(dtype), attention.in_proj_bias.to(dtype))
        self._out = (attention.out_proj.weight.to(dtype), attention.out_proj.bias.to(dtype))
        self._in = ((QUICK * inner.weight).to(dtype), (QUICK * inner.bias).to(dtype))
        self._back = ((outer.weight / QUICK).to(dtype), outer.bias.to(dtype))

    def __call__(self, x_BTD: Tensor) -> Tensor:
        """Same shape."""
        qkv = functional.linear(self._norm1(x_BTD).to(self._dtype), *self._qkv)
        q, k, v = qkv.unflatten(-1, (3, self._heads, -1)).permute(2, 0, 3, 1, 4)  # (B, heads, T, D / heads) each
        mixed_BTD = functional.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(2)
        x_BTD = x_BTD.add_(functional.linear(mixed_BTD, *self._out))
        inner = functional.silu(functional.linear(self._norm2(x_BTD).to(self._dtype), *self._in), inplace=True)
        return x_BTD.add_(functional.linear(inner, *self._back))
