"""`check-embeddings`: nothing is computed from embeddings before this has passed."""

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

    Exit code 10 when an expectation is not met: the report is in the store and in the metrics history, and names up to
    ten items per expectation.
    """
    store = open_store()
    plan = read_plan(store, run)
    config = plan.config
    aligned = read_artefact(store, run_key(run, "align"))
    log = read_artefact(store, plan.interactions)
    report = suite(
        arrays={modality: aligned.array(f"{modality}.npy") for modality in config.modalities},
        keys={modality: aligned.text_frame(f"{modality}_items.csv") for modality in config.modalities},
        items=aligned.text_frame("item_features.csv"),
        log=Interactions.load(log.path("interactions.parquet")),
        limits=EmbeddingLimits(
            min_coverage=config.min_coverage,
            min_item_coverage=config.min_item_coverage,
            widths=_widths(store, plan),
            allow_contiguous_ids=config.allow_contiguous_ids,
        ),
    )
    return conclude(store, run, report, [aligned, log])


def _widths(store: Store, plan: Plan) -> dict[str, int]:
    """The width of what each modality was extracted to, by the manifest of that step."""
    widths: dict[str, int] = {}
    for modality in plan.config.modalities:
        made = read_artefact(store, run_key(plan.run, f"extract-{modality}"))
        shape = made.manifest.files["vectors.npy"].shape
        if shape is not None and len(shape) == 2:
            widths[modality] = shape[1]
    return widths
