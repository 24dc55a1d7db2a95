"""The recommenders as papers publish them, to be compared with ours: the same losses of the same parameters.

Graphs are made edge by edge and multiplied as COO under autograd, graphs of items are tables of all cosines, all items
are projected in every step, negatives are drawn again until they fit, Adam is unfused and metrics are a loop.
"""

from __future__ import annotations

from benchmarks.plain.base import Plain
from benchmarks.plain.bm3 import BM3
from benchmarks.plain.factors import BPR, VBPR, LightGCN
from benchmarks.plain.items import FREEDOM, LATTICE, MGCN
from benchmarks.plain.mmgcn import MMGCN

TRAIN_FEATURES = {"freedom", "lattice", "bm3", "mgcn"}  # whose public code does
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
