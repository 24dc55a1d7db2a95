"""The best items of each row of scores, in a deterministic order."""

from __future__ import annotations

import numpy as np


def top_items(scores: np.ndarray, k: int) -> np.ndarray:
    """Return the columns of the `k` highest scores of each row, best first; among equal scores the lower column first.

    (rows, items) float32 -> (rows, min(k, items)) int64. `torch.topk` gives no order of equal scores, so rows with
    equal scores at the top (few, except for popularity) are ranked again by a combined key of score and column.
    """
    import torch  # noqa: PLC0415  takes seconds, and who only names a metric ranks nothing

    items = scores.shape[1]
    k = min(k, items)
    values, columns = torch.topk(
        torch.from_numpy(scores), min(k + 1, items), dim=1
    )  # one more: a tie may continue after rank k
    equal = (values[:, 1:] == values[:, :-1]).any(dim=1).numpy()
    best: np.ndarray = columns[:, :k].numpy()
    if equal.any():
        best[equal] = _exact(scores[equal], k)
    return best


def _exact(scores: np.ndarray, k: int) -> np.ndarray:
    """Like `top_items`, by 64-bit keys: the score as an order-preserving integer, then the reversed column."""
    bits = (scores + np.float32(0)).view(np.int32).astype(np.int64)  # + 0 turns -0.0 into 0.0
    ordered = np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
    keys = ordered * 2**32 + (scores.shape[1] - 1 - np.arange(scores.shape[1]))
    import torch  # noqa: PLC0415

    best: np.ndarray = torch.topk(torch.from_numpy(keys), k, dim=1).indices.numpy()
    return best
