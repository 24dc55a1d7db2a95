"""How many runs an answer over time stands for."""

from __future__ import annotations

from recsys.history.reader import Row


def count_runs(rows: list[Row], points: int) -> dict[str, int]:
    """Take the number of runs, which every row repeats, out of the rows; one of `every` runs is among them."""
    total = max((row.pop("total") for row in rows), default=0)
    return {"total": total, "every": max(1, -(-total // points))}
