"""Facts about artefacts: that they were made from what stands there, and that their manifests count what they hold."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from tasks.quality.suite import ID, Evidence, Table, all_true

Counts = Mapping[str, tuple[int, int]]  # what is counted -> stated by the manifest, and found


def artefacts_table(about: str, current: Mapping[str, bool], counts: Counts) -> Table:
    """One row per fact `about` artefacts.

    current: "artefact made from source" -> whether that is the source that stands there.
    """
    wrong = {name: f"{name} is {stated}, found {found}" for name, (stated, found) in counts.items() if stated != found}
    frame = pd.DataFrame(
        {
            ID: [*current, *counts],
            "current": [*current.values(), *(True for _ in counts)],
            "counted": [*(True for _ in current), *(name not in wrong for name in counts)],
        }
    )
    observed = Evidence("; ".join(wrong.values()) or "as stated", len(wrong), max(len(counts), 1), list(wrong))
    rules = [
        all_true(
            "made_from_what_stands_there", about, "each artefact made from the version that stands there", "current"
        ),
        all_true("counts_are_as_stated", about, "as many as the manifest states", "counted", evidence=observed),
    ]
    return Table(f"artefacts of {about}", frame, rules)
