"""`check-dataset`: must pass before training."""

from __future__ import annotations

from tasks.quality import DatasetTables
from tasks.quality import check_dataset as suite
from tasks.runs.checks import conclude
from tasks.runs.gaps import FILLED
from tasks.runs.plan import read_plan
from tasks.runs.prepared import ARRIVALS, ITEM_FEATURES, arrivals_name, log_name, mapping_name, matrix_name
from tasks.steps.options import Run
from tasks.store import open_store, read_artefact
from tasks.store.layout import run_key


def check_dataset(*, run: Run) -> dict[str, object]:
    """Validate the prepared dataset of a run with Great Expectations: k-core, numbering, split, and every feature row.

    Exit code 10 if an expectation fails: the report is in the store and in the metrics history, with up to ten users
    or items per expectation.
    """
    store = open_store()
    config = read_plan(store, run).config
    aligned = read_artefact(store, run_key(run, "align"))
    prepared = read_artefact(store, run_key(run, "prepare"))
    report = suite(
        DatasetTables(
            interactions=prepared.frame(log_name(config.dataset)),
            users=prepared.text_frame(mapping_name("user")),
            items=prepared.text_frame(mapping_name("item")),
            item_features=prepared.text_frame(ITEM_FEATURES),
            features={name: prepared.array(matrix_name(name)) for name in config.feature_names},
            source_items=aligned.text_frame("item_features.csv"),
            sources={name: aligned.array(f"{name}.npy") for name in config.feature_names},
            source_keys={name: aligned.text_frame(f"{name}_items.csv") for name in config.feature_names},
            filled=prepared.text_frame(FILLED),
            arrivals=prepared.text_frame(ARRIVALS),
            arriving={name: prepared.array(arrivals_name(name)) for name in config.feature_names},
            counts=_state_counts(prepared.manifest.counts, config.k_core),
        ),
        k=config.k_core,
    )
    return conclude(store, run, report, [aligned, prepared])


def _state_counts(counts: dict[str, int], k: int) -> dict[str, int]:
    """Return users, items and interactions after the last stage counted in the manifest."""
    stage = "trained" if "users_trained" in counts else f"in_{k}_core"
    return {
        kind: counts[f"{kind}_{stage}"] for kind in ("users", "items", "interactions") if f"{kind}_{stage}" in counts
    }
