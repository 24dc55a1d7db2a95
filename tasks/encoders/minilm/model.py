"""BERT (Devlin et al. 2019) without its pooler, and the mean over tokens. Names are those of transformers."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.encoders.minilm.config import FULL, VOCABULARY, MiniLMConfig

EPSILON = 1e-12


class Dense(nn.Linear):
    """A matrix that multiplies in its own dtype, which may be bfloat16, and gives float32."""

    def forward(self, x: Tensor) -> Tensor:
        """Return (..., out) float32."""
        return super().forward(x.to(self.weight.dtype)).float()


class MiniLM(nn.Module):
    """Token ids (B, L), padded with zeros, to unit vectors (B, hidden): the mean of the last layer over the tokens."""

    def __init__(self, config: MiniLMConfig = FULL) -> None:
        super().__init__()
        self.config = config
        self.embeddings = Embeddings(config)
        self.encoder = nn.Module()  # for its name alone
        self.encoder.layer = nn.ModuleList(Layer(config) for _ in range(config.layers))

    def forward(self, ids: Tensor) -> Tensor:
        """Return (B, hidden)."""
        there = ids != 0
        x = self.embeddings(ids)
        for layer in self.encoder.layer:  # type: ignore[union-attr]
            x = layer(x, there[:, None, None, :])
        weights = there[:, :, None].float()
        return functional.normalize((x * weights).sum(dim=1) / weights.sum(dim=1), dim=-1)


class Embeddings(nn.Module):
    """Of tokens, their places and the first of two sentences, which is the only one."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        self.word_embeddings = nn.Embedding(VOCABULARY, config.hidden)
        self.position_embeddings = nn.Embedding(config.positions, config.hidden)
        self.token_type_embeddings = nn.Embedding(2, config.hidden)
        self.LayerNorm = nn.LayerNorm(config.hidden, eps=EPSILON)

    def forward(self, ids: Tensor) -> Tensor:
        """Return (B, L, hidden)."""
        places = self.position_embeddings.weight[: ids.shape[1]]
        return self.LayerNorm(self.word_embeddings(ids) + places + self.token_type_embeddings.weight[0])


class Layer(nn.Module):
    """Attention, then two matrices with a GELU between; each with a residual and a norm after it."""

    def __init__(self, config: MiniLMConfig) -> None:
        super().__init__()
        hidden = config.hidden
        self._heads = config.heads
        parts = {part: Dense(hidden, hidden) for part in ("query", "key", "value")}
        self.attention = nn.ModuleDict({"self": nn.ModuleDict(parts), "output": residual(hidden, hidden)})
        self.intermediate = nn.ModuleDict({"dense": Dense(hidden, config.inner)})
        self.output = residual(config.inner, hidden)

    def forward(self, x: Tensor, there: Tensor) -> Tensor:
        """Return (B, L, hidden); `there` (B, 1, 1, L) is false at padding."""
        own, out = self.attention["self"], self.attention["output"]
        query, key, value = (self._split(own[part](x)) for part in ("query", "key", "value"))  # type: ignore[index]
        heads = functional.scaled_dot_product_attention(query, key, value, attn_mask=there)
        x = out["LayerNorm"](x + out["dense"](heads.transpose(1, 2).flatten(2)))  # type: ignore[index]
        inner = functional.gelu(self.intermediate["dense"](x))
        return self.output["LayerNorm"](x + self.output["dense"](inner))

    def _split(self, x: Tensor) -> Tensor:
        """(B, heads, L, hidden / heads) of (B, L, hidden)."""
        return x.unflatten(2, (self._heads, -1)).transpose(1, 2)


def residual(inputs: int, hidden: int) -> nn.ModuleDict:
    """A matrix, and the norm after the sum."""
    return nn.ModuleDict({"dense": Dense(inputs, hidden), "LayerNorm": nn.LayerNorm(hidden, eps=EPSILON)})


def matrices_in_half(model: MiniLM) -> MiniLM:
    """The same network, which multiplies in bfloat16; embeddings, norms, attention and sums stay in float32."""
    for module in model.modules():
        if isinstance(module, Dense):
            module.to(torch.bfloat16)
    return model
