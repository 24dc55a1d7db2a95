"""The best items of each row of scores, in an order that is the same everywhere."""

from __future__ import annotations

import numpy as np


def top_items(scores: np.ndarray, k: int) -> np.ndarray:
    """Columns of the `k` highest scores of each row, best first; of equal scores the lower column comes first.

    (rows, items) float32 -> (rows, min(k, items)) int64. `torch.topk` promises no order among equal scores, so rows
    where two of the best are equal (few, but for popularity) are ranked again by a key of score and column together.
    """
    import torch  # noqa: PLC0415  takes seconds, and who only names a metric ranks nothing

    items = scores.shape[1]
    k = min(k, items)
    values, columns = torch.topk(
        torch.from_numpy(scores), min(k + 1, items), dim=1
    )  # one more: a tie may cross the edge
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1).numpy()
    found: np.ndarray = columns[:, :k].numpy()
    if equal.any():
        found[equal] = _exact(scores[equal], k)
    return found


def _exact(scores: np.ndarray, k: int) -> np.ndarray:
    """As `top_items`, by 64-bit keys: the score as an integer of the same order above, the column reversed below."""
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # + 0 makes -0.0 the 0.0 it equals
    ordered = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    keys = ordered * 2**32 + (scores.shape[1] - 1 - np.arange(scores.shape[1]))
    import torch  # noqa: PLC0415

    found: np.ndarray = torch.topk(torch.from_numpy(keys), k, dim=1).indices.numpy()
    return found
