"""BM3, plain: all items are projected, propagated and predicted in every step."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from benchmarks.plain.base import PlainGraph
from tasks.training import Batch


class BM3(PlainGraph):
    """BM3; targets have the same dropout masks as those of our model."""

    def start_epoch(self) -> None:
        """Start with the state of our model's generator."""
        self.chance = torch.Generator()
        self.chance.set_state(self.model._chance.get_state())

    def loss(self, batch: Batch) -> Tensor:
        """Return the sum of the losses on the partner, the content and the node itself."""
        users, items = self.smoothed(self.graph)
        items = items + self.own_items
        foretold_users, foretold_items = self.linear("predictor", users), self.linear("predictor", items)
        total = self.distance(foretold_users[batch.users], items[batch.positives])
        total = total + self.distance(foretold_items[batch.positives], users[batch.users])
        weight = self.config.content_weight
        for place, rows in enumerate(self.features):
            content = self.linear(f"projections.{place}", rows)
            foretold = self.linear("predictor", content)[batch.positives]
            total = total + weight * self.distance(foretold, items[batch.positives])
            grounded = self.distance(foretold_items[batch.positives], content[batch.positives])
            total = total + self.config.grounding * grounded
            total = total + weight * self.distance(foretold, content[batch.positives])
        nodes = self.parameters["nodes"]
        return total + self.norms(nodes[batch.users], nodes[self.users + batch.positives])

    def distance(self, online: Tensor, target: Tensor) -> Tensor:
        """Return 1 - cosine of a vector and a perturbed target without gradient."""
        keep = 1 - self.config.dropout
        target = target.detach() * (torch.rand(target.shape, generator=self.chance) < keep) / keep
        return 1 - functional.cosine_similarity(online, target, dim=1).mean()
