"""The one gradient loop and what it needs: options, losses, negative sampling. It knows no model by name."""

from __future__ import annotations

from tasks.training.loop import Batch, train
from tasks.training.losses import bpr_loss, cosine_distance, info_nce, squared_norms
from tasks.training.options import EpochRecord, GradientConfig, ModelConfig, Scorer, TrainingOptions
from tasks.training.sampling import NegativeSampler

__all__ = [
    "Batch",
    "EpochRecord",
    "GradientConfig",
    "ModelConfig",
    "NegativeSampler",
    "Scorer",
    "TrainingOptions",
    "bpr_loss",
    "cosine_distance",
    "info_nce",
    "squared_norms",
    "train",
]
