"""`check-dataset`: nothing is trained before this has passed."""

from __future__ import annotations

from tasks.quality import DatasetTables
from tasks.quality import check_dataset as suite
from tasks.steps.options import Run
from tasks.steps.plan import read_plan, run_key
from tasks.steps.verdict import conclude
from tasks.store import open_store, read_artefact


def check_dataset(*, run: Run) -> dict[str, object]:
    """Validate the prepared dataset of a run with Great Expectations: k-core, numbering, split, and every feature row.

    Exit code 10 when an expectation is not met: the report is in the store and in the metrics history, and names up to
    ten users or items per expectation.
    """
    store = open_store()
    config = read_plan(store, run).config
    aligned = read_artefact(store, run_key(run, "align"))
    prepared = read_artefact(store, run_key(run, "prepare"))
    text = {"dtype": str, "keep_default_na": False}  # ids such as 007 and NA stay what they are
    report = suite(
        DatasetTables(
            interactions=prepared.frame(f"{config.dataset}_filtered.inter"),
            users=prepared.frame("user_mapping.csv", **text),
            items=prepared.frame("item_mapping.csv", **text),
            item_features=prepared.frame("item_features_filtered.csv", **text),
            features={modality: prepared.array(f"{modality}_filtered.npy") for modality in config.modalities},
            source_items=aligned.frame("item_features.csv", **text),
            sources={modality: aligned.array(f"{modality}.npy") for modality in config.modalities},
            counts=_stated(prepared.manifest.counts, config.k_core),
        ),
        k=config.k_core,
    )
    return conclude(store, run, report, [aligned, prepared])


def _stated(counts: dict[str, int], k: int) -> dict[str, int]:
    """Users, items and interactions after the last stage that the manifest counts."""
    stage = "trained" if "users_trained" in counts else f"in_{k}_core"
    return {
        kind: counts[f"{kind}_{stage}"] for kind in ("users", "items", "interactions") if f"{kind}_{stage}" in counts
    }
