"""Base classes of the plain models: a copy of the parameters, an unfused Adam and losses over whole tables."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain import graphs
from tasks.models.families.gradient import GradientModel
from tasks.training import Batch


class Plain:
    """The loss of one of our models, written like published code; `build` computes everything derived from the data.

    With `train_features` the feature tables are parameters too, as in the published code of LATTICE, FREEDOM, BM3 and
    MGCN; ours are frozen. The same parameters give the same loss.
    """

    def __init__(self, model: GradientModel, *, train_features: bool = False) -> None:
        self.model, self.data, self.config = model, model.data, model.config
        self.users = model.data.train.shape[0]
        self.features = [] if not model.uses_content else [rows.float().clone() for rows in model.content()]
        self.parameters = {name: p.detach().clone().requires_grad_() for name, p in model.named_parameters()}
        trained = [*self.parameters.values(), *(rows.requires_grad_() for rows in self.features if train_features)]
        self.optimizer = torch.optim.Adam(trained, lr=1e-3, foreach=False, fused=False)

    def build(self) -> None:
        """Build the user-item graph, for a model with one."""

    def build_item_graphs(self) -> None:
        """Build the item graphs, for a model with them."""

    def start_epoch(self) -> None:
        """Start an epoch, with the random draws of our model."""

    def loss(self, batch: Batch) -> Tensor:
        """Scalar."""
        raise NotImplementedError

    def step(self, batch: Batch) -> None:
        """One optimiser step."""
        self.optimizer.zero_grad()
        self.loss(batch).backward()
        self.optimizer.step()

    def linear(self, name: str, x: Tensor) -> Tensor:
        """Apply a linear layer by its name."""
        return functional.linear(x, self.parameters[f"{name}.weight"], self.parameters.get(f"{name}.bias"))

    def norms(self, *rows: Tensor) -> Tensor:
        """Return the L2 term of the rows of a batch."""
        return self.config.regularization * sum(part.pow(2).sum() for part in rows) / (2 * len(rows[0]))


class PlainGraph(Plain):
    """A model with `nodes` on the user-item graph, a COO tensor."""

    graph: Tensor

    def build(self) -> None:
        """Build the graph edge by edge."""
        self.graph = graphs.bipartite(self.data)

    @property
    def own_items(self) -> Tensor:
        """Return the layer-0 embeddings of all items."""
        return self.parameters["nodes"][self.users :]

    def smoothed(self, graph: Tensor) -> tuple[Tensor, Tensor]:
        """Return the embeddings of users and items, means over layers."""
        layers = [self.parameters["nodes"]]
        for _ in range(self.config.layers):
            layers.append(torch.sparse.mm(graph, layers[-1]))
        final = torch.stack(layers).mean(0)
        return final[: self.users], final[self.users :]

    def penalty(self, batch: Batch) -> Tensor:
        """Return the L2 term of layer 0."""
        nodes = self.parameters["nodes"]
        return self.norms(nodes[batch.users], nodes[self.users + batch.positives], nodes[self.users + batch.negatives])


def pairwise(users: Tensor, items: Tensor, batch: Batch) -> Tensor:
    """BPR."""
    user = users[batch.users]
    margin = (user * items[batch.positives]).sum(1) - (user * items[batch.negatives]).sum(1)
    return -torch.log(torch.sigmoid(margin)).mean()
