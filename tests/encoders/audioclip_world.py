"""A model small enough for a test, and media of its three modalities as bytes."""

from __future__ import annotations

import io

import numpy as np
import soundfile
import torch
from PIL import Image
from torch import nn

from tasks.encoders.audioclip.config import AudioCLIPConfig
from tasks.encoders.audioclip.model import AudioCLIP
from tasks.encoders.audioclip.preprocess import RATE

TINY = AudioCLIPConfig(
    embed_dim=32,
    image_resolution=32,
    vision_layers=(1, 1, 1, 1),
    vision_width=4,
    text_width=16,
    text_heads=2,
    text_layers=2,
    vocab_buckets=64,
    audio_layers=(1, 1, 1, 1),
    audio_width=4,
    audio_groups=2,
    audio_floor=-90.0,
)


def random_model(seed: int = 0, config: AudioCLIPConfig = TINY) -> AudioCLIP:
    """A model in eval mode whose norms have statistics of their own, as after training."""
    torch.manual_seed(seed)
    model = AudioCLIP(config)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, 1.0, 0.2)
            nn.init.normal_(module.bias, 0.0, 0.2)
            nn.init.normal_(module.running_mean, 0.0, 0.2)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
    return model.eval()


def picture(seed: int, width: int = 60, height: int = 90) -> bytes:
    """A PNG of noise, smooth enough to be resized."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 4, 3), dtype=np.uint8))
    buffer = io.BytesIO()
    small.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "PNG")
    return buffer.getvalue()


def sound(seed: int, seconds: float = 2.5) -> bytes:
    """A WAV of noise around a tone."""
    rng = np.random.default_rng(seed)
    time = np.arange(round(RATE * seconds)) / RATE
    samples = 0.3 * np.sin(2 * np.pi * rng.uniform(100, 5000) * time) + 0.05 * rng.standard_normal(len(time))
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, RATE, format="WAV")
    return buffer.getvalue()


def text(seed: int, sentences: int = 3) -> bytes:
    """A few sentences of made-up words."""
    rng = np.random.default_rng(seed)
    letters = "aeioumnrst"
    words = ["".join(rng.choice(list(letters), rng.integers(2, 9))) for _ in range(10 * sentences)]
    return ". ".join(" ".join(words[10 * n : 10 * n + 10]) for n in range(sentences)).encode()


COLUMNS = 5  # of a table of numbers


def numbers(seed: int) -> bytes:
    """A row of a table, as encoders of rows take it."""
    return np.random.default_rng(seed).normal(size=COLUMNS).astype("<f4").tobytes()


MAKERS = {"image": picture, "audio": sound, "text": text, "numbers": numbers}
