"""Recommenders: one paper, one file. `MODELS` names them; reading the names imports no model and no torch.

To add one: a file whose first line says `Title: what it is (source).`, a line in MODELS, `make generate`. Its class has
`name`, `Config` (hyperparameters with the ranges of `tune`) and `uses_content`, and subclasses one of

    base.Model                  anything: _solve, _scores, serving, state, _set_state
    families.linear             score = X B: _solve sets `_part`
    families.factorised         score = x . y by least squares: _solve sets `_users` and `_items`; fold_in
    families.gradient           score = u . i by the gradient loop: parameters, loss, representations

A gradient model composes layers: content (features, mask of missing modalities, Projections), cliper (front end),
graph (BipartiteGraph, edge dropout), item_graph (KNNGraphs), channel_graph, mean_graph, side_view (as in MGCN),
gather (rows and losses of a batch), kept (cache). solvers/ is NumPy: closed_form, ease_dual, ease_sparse,
least_squares, fold_in, item_neighbours, standardise. The contracts in tests/contracts then hold of it.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING

from tasks.errors import BadInput

if TYPE_CHECKING:
    from tasks.data import Dataset
    from tasks.models.base import Model

MODELS: dict[str, str] = {
    "popularity": "tasks.models.popularity:Popularity",
    "itemknn": "tasks.models.itemknn:ItemKNN",
    "ease": "tasks.models.ease:EASE",
    "cease": "tasks.models.cease:CEASE",
    "ials": "tasks.models.ials:IALS",
    "cmf": "tasks.models.cmf:CMF",
    "hybrid": "tasks.models.hybrid:Hybrid",
    "bpr": "tasks.models.bpr:BPR",
    "vbpr": "tasks.models.vbpr:VBPR",
    "lightgcn": "tasks.models.lightgcn:LightGCN",
    "mmgcn": "tasks.models.mmgcn:MMGCN",
    "mmgcl": "tasks.models.mmgcl:MMGCL",
    "dualgnn": "tasks.models.dualgnn:DualGNN",
    "lattice": "tasks.models.lattice:LATTICE",
    "slmrec": "tasks.models.slmrec:SLMRec",
    "bm3": "tasks.models.bm3:BM3",
    "freedom": "tasks.models.freedom:FREEDOM",
    "mgcn": "tasks.models.mgcn:MGCN",
    "smore": "tasks.models.smore:SMORE",
}

FIGURES = 3  # raised where the same hyperparameters give other scores than before: what was kept of them is made anew


def model_class(name: str) -> type[Model]:
    """Return the class of a name in `MODELS`; raises BadInput with the known names otherwise."""
    if name not in MODELS:
        raise BadInput(f"model {name!r} found, expected one of {', '.join(MODELS)}")
    module, attribute = MODELS[name].split(":")
    named: type[Model] = getattr(importlib.import_module(module), attribute)
    return named


def build_model(name: str, hyperparameters: Mapping[str, object], data: Dataset) -> Model:
    """Return an unfitted model; `hyperparameters` override its defaults. Raises BadInput for invalid ones."""
    chosen = model_class(name)
    return chosen(chosen.configure(hyperparameters), data)
