"""AudioCLIP (Guzhov et al. 2021): three towers with a common space, trained by contrastive losses of their pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tasks.encoders.audioclip.audio_tower import N_FFT, AudioTower, inside
from tasks.encoders.audioclip.config import FULL, VOCABULARY, AudioCLIPConfig
from tasks.encoders.audioclip.fbsp import norm_loss
from tasks.encoders.audioclip.image_tower import ImageTower
from tasks.encoders.audioclip.text_tower import TextTransformer, rows_of

PAIRS = {
    "ai": ("audio", "image", "logit_scale_ai"),
    "at": ("audio", "text", "logit_scale_at"),
    "it": ("image", "text", "logit_scale"),
}


@dataclass(frozen=True)
class Output:
    """Unit vectors (B, D) by modality, the logits (B, B) of each available pair, and their loss."""

    features: dict[str, Tensor]
    logits: dict[str, Tensor]
    loss: Tensor | None


class AudioCLIP(nn.Module):
    """Parameter names are those of the released checkpoint, which loads with `strict=True`."""

    def __init__(self, config: AudioCLIPConfig = FULL) -> None:
        super().__init__()
        self.config = config
        rows = VOCABULARY if config.vocab_buckets is None else config.vocab_buckets + 2
        self.visual = ImageTower(
            config.vision_layers, config.vision_width, config.vision_heads, config.image_resolution, config.embed_dim
        )
        self.transformer = TextTransformer(config.text_width, config.text_heads, config.text_layers)
        self.token_embedding = nn.Embedding(rows, config.text_width)
        self.positional_embedding = nn.Parameter(0.01 * torch.randn(config.context_length, config.text_width))
        self.ln_final = nn.LayerNorm(config.text_width)
        self.text_projection = nn.Parameter(torch.randn(config.text_width, config.embed_dim) / config.text_width**0.5)
        nn.init.normal_(self.token_embedding.weight, std=0.02)
        self.audio = AudioTower(
            config.audio_layers, config.audio_width, config.audio_groups, config.embed_dim, config.audio_floor
        )
        self.logit_scale = nn.Parameter(torch.tensor(1.0))
        self.logit_scale_ai = nn.Parameter(torch.tensor(math.log(100.0)))
        self.logit_scale_at = nn.Parameter(torch.tensor(math.log(100.0)))

    @torch.no_grad()
    def set_temperature(self, temperature: float) -> None:
        """Set the initial temperature of all pairs: logits are cosines divided by `temperature`."""
        for _, _, name in PAIRS.values():
            self.get_parameter(name).fill_(-math.log(temperature))

    def encode_audio(self, samples_BCT: Tensor) -> Tensor:
        """Return (B, D), not normalised, of samples at 44.1 kHz and int16 scale."""
        vectors: Tensor = self.audio(samples_BCT)
        return vectors

    def encode_image(self, pixels_B3HW: Tensor) -> Tensor:
        """Return (B, D), not normalised, of normalised pixels."""
        vectors: Tensor = self.visual(pixels_B3HW)
        return vectors

    def encode_text(self, tokens_BT: Tensor) -> Tensor:
        """Return (B, D), not normalised, of token ids, pooled at the highest id, end-of-text.

        It does not attend to later tokens, so a batch may be cut after its last end-of-text.
        """
        x_BTD = self.token_embedding(rows_of(tokens_BT, self.config.vocab_buckets))
        x_BTD = self.ln_final(self.transformer(x_BTD + self.positional_embedding[: tokens_BT.shape[1]]))
        ends = tokens_BT.argmax(dim=-1)
        vectors: Tensor = x_BTD[torch.arange(len(ends), device=ends.device), ends] @ self.text_projection
        return vectors

    def forward(
        self,
        *,
        audio: Tensor | None = None,
        pictures: Tensor | None = None,
        image: Tensor | None = None,
        tokens: Tensor | None = None,
    ) -> Output:
        """Return features of the given modalities, row i of each for item i; with two or three also logits and loss.

        `pictures` (B, C, bands, bins, frames) replace `audio` if the wavelets are frozen.
        """
        features: dict[str, Tensor] = {}
        weights = None
        if audio is not None:
            weights = self.audio.fbsp.weights(N_FFT)
            features["audio"] = functional.normalize(self.audio(audio, inside(weights)), dim=-1)
        if pictures is not None:
            features["audio"] = functional.normalize(self.audio.of_pictures(pictures), dim=-1)
        if image is not None:
            features["image"] = functional.normalize(self.encode_image(image), dim=-1)
        if tokens is not None:
            features["text"] = functional.normalize(self.encode_text(tokens), dim=-1)
        logits = {
            pair: scale(self.get_parameter(name)) * features[x] @ features[y].T
            for pair, (x, y, name) in PAIRS.items()
            if x in features and y in features
        }
        return Output(features, logits, loss=contrastive(logits, weights) if logits else None)


def scale(logarithm: Tensor) -> Tensor:
    """Return the inverse temperature, clipped to 1 to 100."""
    return torch.clamp(logarithm.exp(), min=1.0, max=100.0)


def contrastive(logits: dict[str, Tensor], wavelets: Tensor | None) -> Tensor:
    """Return the sum of each pair's symmetric cross-entropy over the factorial of their number, plus the norm loss.

    The original computes the factorial (6 for three pairs), with which its weights were trained.
    """
    total = torch.stack([both_ways(matrix) for matrix in logits.values()]).sum() / math.factorial(len(logits))
    return total if wavelets is None else total + norm_loss(wavelets)


def both_ways(logits_BB: Tensor) -> Tensor:
    """Return the cross-entropy of rows plus that of columns, with the diagonal as targets."""
    right = torch.arange(len(logits_BB), device=logits_BB.device)
    return functional.cross_entropy(logits_BB, right) + functional.cross_entropy(logits_BB.T, right)
