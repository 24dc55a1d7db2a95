"""Validates that the embeddings of a run are complete, aligned, and those of the log's items."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from tasks.errors import BadInput
from tasks.quality.agreement import AgreementLimits, agreement_tables
from tasks.quality.artefacts import Counts, artefacts_table
from tasks.quality.columns import words
from tasks.quality.content import Content, measure_content
from tasks.quality.drift import drift_table
from tasks.quality.id_spaces import compare_id_spaces
from tasks.quality.origins import Extracted, features_table, origin_tables
from tasks.quality.profile import Profile
from tasks.quality.profiles import profile_feature
from tasks.quality.report import Report, Severity
from tasks.quality.suite import ID, Evidence, Rule, Table, all_true, at_least, columns_exist, equal, unique, validate
from tasks.quality.vectors import NORMS, row_flags, spread
from tasks.quality.writings import writing_table

if TYPE_CHECKING:
    from tasks.data import Interactions

SUITE = "check-embeddings"
EFFECT = "effect"  # measure of a profile
# On Last.fm-2k and MovieLens-1M at most .6 % of the vectors: sequels, editions, silence
TWINS = "that are one with another but for noise"
NEARNESS: tuple[tuple[str, float, Severity], ...] = (
    ("vectors_are_apart", 0.05, "critical"),
    ("vectors_are_mostly_apart", 0.01, "warning"),
)


class EmbeddingLimits(BaseModel):
    """Limits of the suite.

    min_coverage: minimum share of the interactions whose item has features. min_item_coverage: minimum share of the
    logged items that have features; lower, because unpopular items often have no media. max_duplicate_share: maximum
    share of vectors equal to that of another medium, such as identical texts under different names. min_spread: see
    `vectors.spread`; an encoder with (almost) the same vector for everything is below. widths: modality -> dimension of
    a vector. same: pairs of features that one encoder made of one modality, so that their vectors are equal.
    complete: whether every item must have every feature; else each must have one, and min_item_coverage
    holds for each feature. allow_contiguous_ids: confirms that log and features share one id space. agreement: that of
    content and behaviour. drift: limits by name in place of `drift.LIMITS`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_coverage: float = Field(default=0.9, ge=0, le=1)
    min_item_coverage: float = Field(default=0.5, ge=0, le=1)
    max_duplicate_share: float = Field(default=0.01, ge=0, le=1)
    min_spread: float = Field(default=1e-4, ge=0, le=1)
    agreement: AgreementLimits = Field(default_factory=AgreementLimits)
    widths: dict[str, int] = Field(default_factory=dict)
    same: list[tuple[str, str]] = Field(default_factory=list)
    complete: bool = True
    allow_contiguous_ids: bool = False
    drift: dict[str, float] = Field(default_factory=dict)


def check_embeddings(
    arrays: Mapping[str, np.ndarray],
    keys: Mapping[str, pd.DataFrame],
    items: pd.DataFrame,
    log: Interactions,
    *,
    limits: EmbeddingLimits,
    sources: Mapping[str, Callable[[], Extracted]],
    current: Mapping[str, bool],
    counts: Counts,
    last: Mapping[str, Profile],
) -> Report:
    """Validate the result of `align` before it is used.

    arrays: modality -> (rows, width). keys: modality -> frame item_id, sha256 (of the medium), written with the array.
    items: frame item_id, idx. log: the interactions that the features are for. sources: modality -> what reads where
    its vectors come from, called for one after the other, because all may not fit into memory. current and counts:
    those of `artefacts_table`, about what `scan` and `align` wrote. last: profiles of the features in the run of what
    is served. If a table lacks a column, only columns are
    reported, because nothing else can be computed. Raises BadInput if arrays, keys and sources have different
    modalities.
    """
    if not arrays or not set(arrays) == set(keys) == set(sources):
        raise BadInput(
            f"arrays of {sorted(arrays)}, keys of {sorted(keys)} and sources of {sorted(sources)} found, expected all "
            "of the same modalities"
        )
    schema = [columns_exist("items", items, ["item_id", "idx"])]
    schema += [columns_exist(modality, frame, ["item_id", "sha256"]) for modality, frame in keys.items()]
    report = validate(SUITE, schema)
    if not report.success:
        return report
    ids = words(items["item_id"])
    known = {modality: words(frame["item_id"]) for modality, frame in keys.items()}
    tables = [_item_table(ids, items["idx"]), _presence(ids, known, limits), _coverage(ids, known, log, limits)]
    profiles: dict[str, Profile] = {}
    for modality, array in arrays.items():
        source, own, media = sources[modality](), known[modality], words(keys[modality]["sha256"])
        tables += origin_tables(modality, array, keys[modality], source)
        origin, odd = source.origin, source.odd
        del source  # the matrices of the next one may not fit into memory beside its own
        tables.append(_array(modality, array, own, ids, limits))
        if _numeric(array):
            tables.append(_vectors(modality, array, own, media, limits))
        if _numeric(array) and len(array) == len(own):
            before = last.get(modality)
            profiles[modality] = profile_feature(modality, origin, array, own, media, odd, before)
            tables.append(drift_table(profiles[modality], before, limits.drift))
    tables.append(artefacts_table("items", current, counts))
    tables.append(features_table(arrays, keys, {frozenset(pair) for pair in limits.same}))
    tables.append(writing_table(log, np.unique(ids)))
    contents = measure_content(arrays, known, log, limits.agreement.clearly_better)
    tables += agreement_tables(
        contents,
        known,
        log,
        limits.agreement,
        trust_ids=limits.allow_contiguous_ids,
        before=_last_effects(profiles, last),
    )
    rest = validate(SUITE, tables)
    return Report(
        suite=SUITE,
        success=rest.success,
        results=[*report.results, *rest.results],
        profiles=[_with_effect(profile, contents) for profile in profiles.values()],
    )


def _last_effects(profiles: Mapping[str, Profile], last: Mapping[str, Profile]) -> dict[str, float]:
    """How strongly content agreed with behaviour before, of the features whose vectors have the same origin still."""
    return {
        name: before.measures[EFFECT]
        for name, before in last.items()
        if EFFECT in before.measures and name in profiles and profiles[name].origin == before.origin
    }


def _with_effect(profile: Profile, contents: Mapping[str, Content]) -> Profile:
    """The profile with how strongly its content agrees with behaviour, if that could be measured."""
    content = contents.get(profile.subject)
    if content is None:
        return profile
    return profile.model_copy(update={"measures": {**profile.measures, EFFECT: content.agreement.effect}})


def _item_table(ids: np.ndarray, idx: pd.Series) -> Table:
    """Return the checks of the item table: ids present, unique, and numbered by row."""
    numbers = pd.to_numeric(idx, errors="coerce").fillna(-1).to_numpy()
    frame = pd.DataFrame({ID: ids, "given": ids != "", "numbered": numbers == np.arange(len(ids))})
    rules = [
        all_true("ids_are_given", "items", "an item id in every row", "given"),
        unique("ids_are_unique", "items", "every item id once", ID),
        all_true("idx_is_row_number", "items", "idx counting rows from 0", "numbered"),
    ]
    return Table("items", frame, rules)


def _presence(ids: np.ndarray, known: Mapping[str, np.ndarray], limits: EmbeddingLimits) -> Table:
    """Return one row per id of any table: whether it is in the item table and in every modality, in the same order.

    If items need not be complete: in one modality at least.
    """
    everywhere = pd.unique(np.concatenate([ids, *known.values()]).astype(object)).astype(str)
    frame = pd.DataFrame({ID: everywhere, "in_items": np.isin(everywhere, ids)})
    rules = [all_true("items_are_complete", "items", "every item that a modality has", "in_items")]
    for modality, own in known.items():
        present, ordered = f"in_{modality}", f"order_{modality}"
        frame[present] = np.isin(everywhere, own)
        frame[ordered] = ~np.isin(everywhere, _out_of_order(ids, own))
        if limits.complete:
            expected = "every item that the item table or a modality has"
            rules.append(all_true("items_are_complete", modality, expected, present))
        rules.append(all_true("order_is_that_of_items", modality, "items in the order of the item table", ordered))
    if not limits.complete:
        frame["in_any"] = frame[[f"in_{modality}" for modality in known]].any(axis=1)
        rules.append(all_true("items_have_a_feature", "items", "a vector in one modality at least", "in_any"))
    return Table("item ids", frame, rules)


def _out_of_order(ids: np.ndarray, own: np.ndarray) -> np.ndarray:
    """Return the ids whose place among the common ids (by first occurrence) differs between `own` and `ids`.

    So a missing or repeated row does not make all later rows out of order; these faults have their own rules.
    """
    left = pd.unique(ids[np.isin(ids, own)].astype(object)).astype(str)
    right = pd.unique(own[np.isin(own, ids)].astype(object)).astype(str)
    return np.asarray(left[left != right])


def _numeric(array: np.ndarray) -> bool:
    """Whether the rows are vectors of numbers; otherwise width or dtype is reported."""
    return array.ndim == 2 and array.shape[1] > 0 and array.dtype.kind in "fiu"


def _array(modality: str, array: np.ndarray, own: np.ndarray, ids: np.ndarray, limits: EmbeddingLimits) -> Table:
    """Return the checks of one array as a whole."""
    wanted = limits.widths.get(modality)
    width = array.shape[1] if array.ndim == 2 else 0
    distance = spread(array) if _numeric(array) else 0.0
    facts = {
        "rows": len(array) if array.ndim else 0,
        "keys": len(own),
        "items": len(ids),
        "width": width == wanted if wanted else width > 0,
        "float32": array.dtype == np.float32,
        "spread": distance,
    }
    frame = pd.DataFrame(facts, index=[0])
    declared = f"a matrix of width {wanted or 'at least 1'}"
    rules = [
        equal("rows_have_keys", modality, "as many rows as keys beside them", ("rows", "keys"), frame),
        all_true("width_is_as_declared", modality, declared, "width", evidence=Evidence(str(array.shape))),
        all_true("dtype_is_float32", modality, "float32", "float32", evidence=Evidence(str(array.dtype))),
    ]
    if limits.complete:
        rules.append(equal("rows_equal_items", modality, "as many rows as items", ("rows", "items"), frame))
    if _numeric(array):
        least, evidence = limits.min_spread, Evidence(f"{distance:.3g}")
        rules.append(
            at_least("vectors_vary", modality, f"a spread of at least {least:g}", "spread", least, evidence=evidence)
        )
    return Table(f"{modality} array", frame, rules)


def _vectors(modality: str, array: np.ndarray, own: np.ndarray, media: np.ndarray, limits: EmbeddingLimits) -> Table:
    """Return one row per vector, with its key as name."""
    nameless = range(len(own), len(array))  # rows without a key; keys without a row are reported by another rule
    ids = np.array([*own[: len(array)], *(f"row {row}" for row in nameless)], dtype=str)
    origins = np.array([*media[: len(array)], *("" for _ in nameless)], dtype=str)
    duplicates = limits.max_duplicate_share
    expected = f"at most {duplicates:.1%} equal to that of another medium"
    rules = [
        unique("ids_are_unique", modality, "every item id once", ID),
        all_true("vectors_are_finite", modality, "no NaN and no infinity", "finite"),
        all_true("vectors_are_not_zero", modality, "no vector of zeros", "nonzero"),
        all_true("vectors_are_not_constant", modality, "no vector whose components are all the same", "varied"),
        all_true("vectors_are_distinct", modality, expected, "own", mostly=1 - duplicates),
        all_true("vectors_are_reproducible", modality, "one vector per medium", "faithful"),
        all_true("norms_are_alike", modality, f"a norm within {NORMS:g} times the median's", "normal"),
        *(
            all_true(name, modality, f"at most {share:.1%} {TWINS}", "apart", mostly=1 - share, severity=severity)
            for name, share, severity in NEARNESS
        ),
    ]
    return Table(f"{modality} vectors", row_flags(array, ids, origins), rules)


def _coverage(ids: np.ndarray, known: Mapping[str, np.ndarray], log: Interactions, limits: EmbeddingLimits) -> Table:
    """Return the checks of log and features together."""
    counts = np.bincount(log.items, minlength=len(log.item_ids))
    logged, clicks = log.item_ids[counts > 0].astype(str), counts[counts > 0]
    covered = np.isin(logged, ids)
    total, without = int(clicks.sum()), int(clicks[~covered].sum())
    missing = logged[~covered][np.argsort(-clicks[~covered], kind="stable")].tolist()  # the most popular first
    spaces = compare_id_spaces(logged, np.unique(ids))
    share, item_share = 1 - without / max(total, 1), float(covered.mean()) if len(logged) else 0.0
    facts = {"rows": total, "share": share, "items": item_share, "agree": spaces.agree or limits.allow_contiguous_ids}
    of_rows = Evidence(f"{share:.1%} of {total}", without, total, missing)
    of_items = Evidence(f"{item_share:.1%} of {len(logged)}", len(missing), len(logged), missing)
    verdict = Evidence(spaces.words, len(missing), len(logged), spaces.unmatched)
    least, least_items = limits.min_coverage, limits.min_item_coverage
    features, one_space = "with features", "not a log renumbered from 0 or 1 against features keyed by other ids"
    if limits.allow_contiguous_ids:
        one_space = "any ids, for allow_contiguous_ids is set"
    about = "interactions"
    rules = [
        at_least("log_has_rows", about, "at least one interaction", "rows", 1, evidence=Evidence(f"{total} rows")),
        at_least(
            "interactions_are_covered", about, f"at least {least:.1%} {features}", "share", least, evidence=of_rows
        ),
        at_least(
            "logged_items_are_covered",
            about,
            f"at least {least_items:.1%} {features}",
            "items",
            least_items,
            evidence=of_items,
        ),
        all_true("id_spaces_agree", about, one_space, "agree", evidence=verdict),
    ]
    if not limits.complete:
        for modality, own in known.items():
            have = np.isin(logged[covered], own)
            rule, share = _feature_coverage(modality, have, logged[covered], clicks[covered], least_items)
            facts[f"share with {modality}"] = share
            rules.append(rule)
    return Table("coverage", pd.DataFrame(facts, index=[0]), rules)


def _feature_coverage(
    modality: str, have: np.ndarray, logged: np.ndarray, clicks: np.ndarray, least: float
) -> tuple[Rule, float]:
    """Return the rule for the share of the logged items with features (n,) that have this one, and the share."""
    lacking = logged[~have][np.argsort(-clicks[~have], kind="stable")].tolist()  # the most popular first
    share = float(have.mean()) if len(logged) else 0.0
    evidence = Evidence(f"{share:.1%} of {len(logged)}", len(lacking), len(logged), lacking)
    expected = f"at least {least:.1%} of the logged items with features"
    column = f"share with {modality}"
    return at_least("feature_is_covered", modality, expected, column, least, evidence=evidence), share
