"""`check-embeddings`: must pass before embeddings are used."""

from __future__ import annotations

from functools import partial
from itertools import combinations

from tasks.data import Interactions
from tasks.quality import AgreementLimits, EmbeddingLimits
from tasks.quality import check_embeddings as suite
from tasks.runs.checks import conclude, read_last
from tasks.runs.inventory import candidates_of, count_items, items_by_feature, matrix_items
from tasks.runs.lineage import say_current
from tasks.runs.origins import read_extracted, read_keys
from tasks.runs.plan import Plan, read_plan, scan_artefact
from tasks.steps.options import Run
from tasks.store import Artefact, Store, open_store, read_artefact
from tasks.store.layout import run_key


def check_embeddings(*, run: Run) -> dict[str, object]:
    """Validate the aligned embeddings of a run with Great Expectations.

    Every vector is compared with what was extracted and with the encoder's vector of the medium, and the ids with those
    of the log. Exit code 10 if a critical expectation fails: the report is in the store and in the metrics history,
    with up to ten items per expectation.
    """
    store = open_store()
    plan = read_plan(store, run)
    names = plan.config.feature_names
    aligned, log = read_artefact(store, run_key(run, "align")), read_artefact(store, plan.interactions)
    extracts = {f"extract-{name}": read_artefact(store, run_key(run, f"extract-{name}")) for name in names}
    made = {"scan": scan_artefact(store, run), "align": aligned, **extracts}
    items = {step: set(read_keys(one)["item_id"]) for step, one in extracts.items()}
    kept = frozenset(candidates_of(items, plan.config.missing))
    report = suite(
        arrays={name: aligned.array(f"{name}.npy") for name in names},
        keys={name: aligned.text_frame(f"{name}_items.csv") for name in names},
        items=aligned.text_frame("item_features.csv"),
        log=Interactions.load(log.path("interactions.parquet")),
        limits=set_limits(plan, made),
        sources={name: partial(read_extracted, store, plan, made, name, kept) for name in names},
        current=say_current(aligned, made["scan"]),
        counts=count_again(store, plan, made, items, len(kept)),
        last=read_last(plan.config.dataset, "check-embeddings"),
    )
    return conclude(store, run, report, [made["scan"], log, *extracts.values(), aligned])


def count_again(
    store: Store, plan: Plan, made: dict[str, Artefact], items: dict[str, set[str]], kept: int
) -> dict[str, tuple[int, int]]:
    """What the manifests of `scan` and `align` state, and what is there."""
    scanned, aligned = made["scan"], made["align"]
    inventory, features = scanned.frame("inventory.parquet"), plan.config.list_features()
    listed = count_items(items_by_feature(inventory, matrix_items(store, plan.matrices), features))
    there = {"kept": kept, "with_all": listed["with_all"]}
    there |= {
        f"rejected_{name}": len(made[f"extract-{name}"].text_frame("rejected.csv"))
        for name in plan.config.feature_names
    }
    if plan.config.missing != "drop":
        there |= {f"missing_{name}": kept - len(items[f"extract-{name}"]) for name in plan.config.feature_names}
    counts = {f"scan: {name}": (scanned.manifest.counts.get(name, -1), number) for name, number in listed.items()}
    return counts | {f"align: {name}": (aligned.manifest.counts.get(name, -1), n) for name, n in there.items()}


def set_limits(plan: Plan, made: dict[str, Artefact]) -> EmbeddingLimits:
    """The limits of the plan, and what is declared about each feature: its width by the manifest of `extract`."""
    config, widths = plan.config, {}
    for name in config.feature_names:
        shape = made[f"extract-{name}"].manifest.files["vectors.npy"].shape
        if shape is not None and len(shape) == 2:
            widths[name] = shape[1]
    modalities = {feature.name: feature.modality for feature in config.list_features()}
    origins = {
        name: (plan.encoders[name], modalities[name], plan.matrices.get(name))
        for name in config.feature_names
        if name in plan.encoders
    }
    return EmbeddingLimits(
        min_coverage=config.min_coverage,
        min_item_coverage=config.min_item_coverage,
        widths=widths,
        same=[pair for pair in combinations(origins, 2) if origins[pair[0]] == origins[pair[1]]],
        complete=config.missing == "drop",
        allow_contiguous_ids=config.allow_contiguous_ids,
        agreement=AgreementLimits(
            min_agreement=config.min_agreement,
            clearly_better=config.clearly_better,
            max_agreement_fall=config.max_agreement_fall,
        ),
        drift=config.drift,
    )
