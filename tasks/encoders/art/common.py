"""What both encoders of album art share: sizes and options. No torch, and nothing that decodes."""

from __future__ import annotations

MODALITIES = ("image",)
PREPROCESSING = "p1"
SIDE, LAYERS = 128, 7  # 2 ** LAYERS == SIDE: the last convolution leaves one pixel
OPTIONS: dict[str, object] = {
    "width": 128,
    "hidden": [16, 32, 64, 64, 128, 128, 256],
    "epochs": 30,
    "batch": 32,
    "learning_rate": 1e-3,
}
