"""What a new release changes for people, compared with the one that is served: items, users, and their lists."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from tasks.data.records import Records
from tasks.releases.item_records import load_records
from tasks.runs.prepared import external_ids
from tasks.store import Artefact

TOP = 20  # ranks of a list that are compared
EXAMPLES, SHOWN = 5, 5  # users whose lists changed most, and items named of each


def compare_releases(new: Artefact, served: Artefact) -> dict[str, Any]:
    """Return counts of items and users that came and went, and how much of the lists stayed.

    `kept` is the mean over users of both of the share of their first TOP items that are still among these; None if
    there is no such user. `examples` are those whose lists changed most, with the first items that came and went:
    titles with their ids where releases have item records, else ids.
    """
    changes: dict[str, Any] = {}
    for kind in ("item", "user"):
        there, earlier = (set(external_ids(release, kind, beyond=True)) for release in (new, served))
        changes |= {f"{kind}s_new": len(there - earlier), f"{kind}s_gone": len(earlier - there)}
    now, before = (_first_ranks(release) for release in (new, served))
    both = set(now["user_id"]) & set(before["user_id"])
    now, before = (lists[lists["user_id"].isin(both)] for lists in (now, before))
    same = now.merge(before, on=["user_id", "item_id"]).groupby("user_id").size()
    sizes = before.groupby("user_id").size()
    shares = (same.reindex(sizes.index, fill_value=0) / sizes).sort_values(kind="stable")
    changes |= {"users_compared": len(both), "kept": float(shares.mean()) if len(shares) else None}
    names = _Names(load_records(new), load_records(served))
    return changes | {"examples": [_describe(user, now, before, names) for user in shares[shares < 1].index[:EXAMPLES]]}


def _first_ranks(release: Artefact) -> pd.DataFrame:
    columns, ranks = ["user_id", "item_id", "rank"], [("rank", "<=", TOP)]
    return pd.read_parquet(release.path("recommendations.parquet"), columns=columns, filters=ranks)


@dataclass(frozen=True)
class _Names:
    """Item records of both releases, the newer ones first."""

    new: Records
    served: Records

    def label(self, item: str) -> str:
        """Title and id, or the id alone."""
        title = self.new.title(item) or self.served.title(item)
        return f"{title} [{item}]" if title else item


def _describe(user: str, now: pd.DataFrame, before: pd.DataFrame, names: _Names) -> dict[str, object]:
    lists = [frame[frame["user_id"] == user].sort_values("rank")["item_id"].tolist() for frame in (now, before)]
    return {
        "user": str(user),
        "came": [names.label(str(item)) for item in lists[0] if item not in lists[1]][:SHOWN],
        "went": [names.label(str(item)) for item in lists[1] if item not in lists[0]][:SHOWN],
    }
