"""Validates a model that was trained again on all interactions, against its evaluated twin: no row is held out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from tasks.quality.report import Report
from tasks.quality.suite import Evidence, Table, all_true, at_least, validate

SUITE = "check-refit"
LEAST_OVERLAP = 0.2  # of top-20 lists on average; on Last.fm-2k .68 (bpr) to .90 (popularity)
MOST_LOSS = 1.25  # times that of the twin's best epoch; on Last.fm-2k 1.02 (bpr)


@dataclass(frozen=True)
class RefitFacts:
    """What is compared: `overlap` (n,) of n users' lists with the twin's, and losses, None for a closed form."""

    overlap: np.ndarray
    finite: bool
    loss: float | None
    twin_loss: float | None


def check_refit(facts: RefitFacts) -> Report:
    """Finite scores, lists that resemble the twin's, and a loss that is not above its by a margin."""
    overlap = float(facts.overlap.mean()) if len(facts.overlap) else 0.0
    values: dict[str, float | bool] = {"finite": facts.finite, "overlap": overlap}
    lists = Evidence(f"{overlap:.3f} on average over {len(facts.overlap)} users")
    rules = [
        all_true(
            "scores_are_finite",
            "scores",
            "a finite score for every pair",
            "finite",
            evidence=Evidence("finite ones" if facts.finite else "some that are not"),
        ),
        at_least(
            "lists_resemble_the_twin",
            "lists",
            f"at least {LEAST_OVERLAP:g} of a user's top 20 in common with the evaluated twin's, on average",
            *("overlap", LEAST_OVERLAP),
            evidence=lists,
        ),
    ]
    if facts.loss is not None and facts.twin_loss is not None:
        values["room"] = MOST_LOSS * abs(facts.twin_loss) - facts.loss
        rules.append(
            at_least(
                "loss_is_like_the_twin",
                "loss",
                f"at most {MOST_LOSS:g} times {facts.twin_loss:.4f}, the twin's loss in its best epoch",
                *("room", 0.0),
                evidence=Evidence(f"{facts.loss:.4f}"),
            )
        )
    return validate(SUITE, [Table("refit", pd.DataFrame(values, index=[0]), rules)])
