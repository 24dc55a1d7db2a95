"""The plot of a comparison."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import pandas as pd

from tasks.experiments.report import HEADS, SHOWN, rank_models

mpl.use("Agg")  # renders to files, without a display


def draw_plot(metrics: pd.DataFrame, against: str, path: Path) -> None:
    """Recall@20 and NDCG@20 on test by model, a dot for each seed and a bar of one deviation on each side."""
    from matplotlib import pyplot  # noqa: PLC0415  after the choice of the back end

    table = rank_models(metrics, "test").iloc[::-1]
    places = {model: place for place, model in enumerate(table.index)}
    image, axes = pyplot.subplots(
        1, len(SHOWN), sharey=True, figsize=(9, 1.2 + 0.32 * len(table)), layout="constrained"
    )
    for axis, name in zip(axes, SHOWN, strict=True):
        rows = metrics[(metrics["world"] == "plain") & (metrics["part"] == "test") & (metrics["figure"] == name)]
        axis.scatter(rows["value"], rows["model"].map(places), s=9, color="0.6", zorder=2)
        colours = ["tab:red" if model == against else "tab:blue" for model in table.index]
        means, spread = table["mean", name], table["std", name].fillna(0)
        axis.errorbar(means, range(len(table)), xerr=spread, fmt="none", ecolor="0.3", capsize=3, zorder=3)
        axis.scatter(means, range(len(table)), color=colours, zorder=4)
        for place, mean in enumerate(means):
            axis.annotate(f"{mean:.4f}", (mean, place), (0, 6), textcoords="offset points", ha="center", fontsize=7)
        axis.margins(y=0.09)
        axis.set_title(f"{HEADS[name]} on test")
        axis.grid(axis="x", color="0.9", zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    axes[0].set_yticks(range(len(table)), [str(model) for model in table.index])
    image.supxlabel(f"grey: one seed; bar: standard deviation over seeds; red: {against}, the reference", fontsize=8)
    image.savefig(path, dpi=150)
    pyplot.close(image)
