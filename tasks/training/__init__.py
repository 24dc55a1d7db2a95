"""The gradient loop and its parts: options, losses, negative sampling, search ranges. Independent of any model."""

from __future__ import annotations

from tasks.training.batches.negatives import NegativeSampler
from tasks.training.batches.triplets import Batch, Triplets
from tasks.training.loop import train
from tasks.training.losses import bpr_loss, bpr_of_vectors, cosine_distance, info_nce, squared_norms
from tasks.training.options import (
    EpochRecord,
    GradientConfig,
    ModelConfig,
    Scorer,
    TrainingOptions,
    best_record,
    summarise_epochs,
)
from tasks.training.space import (
    Choice,
    Range,
    Real,
    Space,
    Whole,
    declared_space,
    pick_values,
    place_values,
    prefix_space,
    widen,
)

__all__ = [
    "Batch",
    "Choice",
    "EpochRecord",
    "GradientConfig",
    "ModelConfig",
    "NegativeSampler",
    "Range",
    "Real",
    "Scorer",
    "Space",
    "TrainingOptions",
    "Triplets",
    "Whole",
    "best_record",
    "bpr_loss",
    "bpr_of_vectors",
    "cosine_distance",
    "declared_space",
    "info_nce",
    "pick_values",
    "place_values",
    "prefix_space",
    "squared_norms",
    "summarise_epochs",
    "train",
    "widen",
]
