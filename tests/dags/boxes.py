"""The tasks of `retrain_nightly` that do something, in their order."""

from __future__ import annotations

BOXES = [
    "scan",
    "extract",
    "align",
    "check-embeddings",
    "prepare",
    "check-dataset",
    "train",
    "evaluate",
    "refit",
    "publish",
    "approve",
    "promote",
    "announce",
]
