"""Interactions, numbering, splits and the dataset that models are given. Knows paths and arrays, no store."""

from tasks.data.dataset import Dataset, dataset_of
from tasks.data.interactions import Interactions
from tasks.data.kcore import k_core
from tasks.data.numbering import canonical_integers, in_order, numbering
from tasks.data.readers import Columns, read_interactions
from tasks.data.splits import SPLITS, Split, split

__all__ = [
    "SPLITS",
    "Columns",
    "Dataset",
    "Interactions",
    "Split",
    "canonical_integers",
    "dataset_of",
    "in_order",
    "k_core",
    "numbering",
    "read_interactions",
    "split",
]
