"""Interactions, numbering, splits and the dataset for the models. Works on paths and arrays; does not use the store."""

from tasks.data.cold import ColdStart, hold_out_items
from tasks.data.dataset import Dataset, dataset_of, learn_all
from tasks.data.ids import RULE, compose, compose_ids, first_odd, quote
from tasks.data.interactions import Interactions
from tasks.data.kcore import k_core
from tasks.data.numbering import canonical_integers, in_order, numbering
from tasks.data.readers import Columns, read_interactions
from tasks.data.sequences import Sequences
from tasks.data.splits import KEPT_SHARE, SPLITS, Cuts, LabelledLog, labels_of, require_columns, split

__all__ = [
    "KEPT_SHARE",
    "RULE",
    "SPLITS",
    "ColdStart",
    "Columns",
    "Cuts",
    "Dataset",
    "Interactions",
    "LabelledLog",
    "Sequences",
    "canonical_integers",
    "compose",
    "compose_ids",
    "dataset_of",
    "first_odd",
    "hold_out_items",
    "in_order",
    "k_core",
    "labels_of",
    "learn_all",
    "numbering",
    "quote",
    "read_interactions",
    "require_columns",
    "split",
]
