"""Plain implementations of the recommenders, like published code: the same losses for the same parameters as ours.

Graphs are built edge by edge and multiplied as COO under autograd, item graphs are tables of all cosines, all items are
projected in every step, negatives are drawn by rejection sampling, Adam is unfused and metrics are a loop.
"""

from __future__ import annotations

from benchmarks.plain.base import Plain
from benchmarks.plain.bm3 import BM3
from benchmarks.plain.factors import BPR, VBPR, LightGCN
from benchmarks.plain.items import FREEDOM, LATTICE, MGCN
from benchmarks.plain.mmgcn import MMGCN

TRAIN_FEATURES = {"freedom", "lattice", "bm3", "mgcn"}  # models whose published code trains the features
PLAIN: dict[str, type[Plain]] = {
    "bpr": BPR,
    "vbpr": VBPR,
    "lightgcn": LightGCN,
    "freedom": FREEDOM,
    "lattice": LATTICE,
    "bm3": BM3,
    "mgcn": MGCN,
    "mmgcn": MMGCN,
}
