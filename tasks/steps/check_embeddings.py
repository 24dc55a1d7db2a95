"""`check-embeddings`: must pass before embeddings are used."""

from __future__ import annotations

from tasks.data import Interactions
from tasks.quality import EmbeddingLimits
from tasks.quality import check_embeddings as suite
from tasks.runs.checks import conclude
from tasks.runs.plan import Plan, read_plan
from tasks.steps.options import Run
from tasks.store import Store, open_store, read_artefact
from tasks.store.layout import run_key


def check_embeddings(*, run: Run) -> dict[str, object]:
    """Validate the aligned embeddings of a run with Great Expectations, and their ids against those of the log.

    Exit code 10 if an expectation fails: the report is in the store and in the metrics history, with up to ten items
    per expectation.
    """
    store = open_store()
    plan = read_plan(store, run)
    config = plan.config
    aligned = read_artefact(store, run_key(run, "align"))
    log = read_artefact(store, plan.interactions)
    report = suite(
        arrays={name: aligned.array(f"{name}.npy") for name in config.feature_names},
        keys={name: aligned.text_frame(f"{name}_items.csv") for name in config.feature_names},
        items=aligned.text_frame("item_features.csv"),
        log=Interactions.load(log.path("interactions.parquet")),
        limits=EmbeddingLimits(
            min_coverage=config.min_coverage,
            min_item_coverage=config.min_item_coverage,
            widths=_widths(store, plan),
            complete=config.missing == "drop",
            allow_contiguous_ids=config.allow_contiguous_ids,
        ),
    )
    return conclude(store, run, report, [aligned, log])


def _widths(store: Store, plan: Plan) -> dict[str, int]:
    """The width of what each feature was extracted to, by the manifest of that step."""
    widths: dict[str, int] = {}
    for name in plan.config.feature_names:
        made = read_artefact(store, run_key(plan.run, f"extract-{name}"))
        shape = made.manifest.files["vectors.npy"].shape
        if shape is not None and len(shape) == 2:
            widths[name] = shape[1]
    return widths
