"""Rules about content and behaviour: as log and features are joined, they agree, and no other join agrees better."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pydantic import BaseModel, ConfigDict, Field

from tasks.data import Interactions
from tasks.quality.behaviour import Agreement
from tasks.quality.content import Content
from tasks.quality.id_spaces import looks_thinned
from tasks.quality.report import Severity
from tasks.quality.suite import Evidence, Rule, Table, all_true

SHARP = 1.2  # times the z of the ids beside, which is never exceeded by rows that are off by more than one
SURE = 4.0  # standard deviations of permuted rows by which an effect must have fallen, whatever share of it that is
AGREES = "no other join of the same ids whose z is {:g} times as high"
TELLS = "a z of at least {:g} and more than the rows of neighbouring ids have: else rows are of other items, or weak"


class AgreementLimits(BaseModel):
    """Limits of the rules; docs/configuration.md gives their reasons.

    min_agreement: z from which content tells something about behaviour. clearly_better: how many times the z of the
    join as it is another one must have. max_agreement_fall: largest share of the effect of the last accepted run that
    may be lost.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    min_agreement: float = Field(default=4.0, ge=0)
    clearly_better: float = Field(default=2.0, ge=1)
    max_agreement_fall: float = Field(default=0.5, ge=0, le=1)


def agreement_tables(
    contents: Mapping[str, Content],
    known: Mapping[str, np.ndarray],
    log: Interactions,
    limits: AgreementLimits,
    *,
    trust_ids: bool = False,
    before: Mapping[str, float] | None = None,
) -> list[Table]:
    """Return a table of facts for each feature that was measured.

    contents: result of `measure_content`. known: feature -> ids of its rows. before: feature -> effect in
    the last accepted run, of the same encoder. trust_ids: somebody has confirmed that log and features share one id
    space.

    That content tells nothing is a warning: an encoder may be weak. It is critical if no feature tells anything and
    the log's ids look like a numbering of its own that was filtered: both together are the published case.
    """
    used = np.bincount(log.items, minlength=len(log.item_ids)) > 0
    silent = not any(_tells(content, limits) for content in contents.values())
    suspect = silent and not trust_ids and looks_thinned(log.item_ids[used], np.concatenate(list(known.values())))
    tables = []
    for name, content in contents.items():
        facts = {"best": content.better is None, "tells": _tells(content, limits)}
        rules = [_agrees(name, content, limits), _tells_something(name, content, limits, suspect=suspect)]
        if before is not None and name in before:
            facts["kept"] = _keeps(content.agreement, before[name], limits)
            rules.append(_has_not_fallen(name, content.agreement, before[name], limits))
        tables.append(Table(f"{name} and behaviour", pd.DataFrame(facts, index=[0]), rules))
    return tables


def _agrees(name: str, content: Content, limits: AgreementLimits) -> Rule:
    ours, better = content.agreement, content.better
    evidence = Evidence(f"z {ours.z:.1f} of {ours.items} items", elements=ours.items)
    if better is not None:
        words = (
            f"taking the row of {better.words} gives z {better.theirs.z:.0f} against {better.ours.z:.0f} "
            f"({len(better.items)} items)"
        )
        evidence = Evidence(words, len(better.items), ours.items, better.items)
    return all_true(
        "content_agrees_with_behaviour", name, AGREES.format(limits.clearly_better), "best", evidence=evidence
    )


def _tells(content: Content, limits: AgreementLimits) -> bool:
    return content.agreement.z >= max(limits.min_agreement, SHARP * content.beside)


def _tells_something(name: str, content: Content, limits: AgreementLimits, *, suspect: bool) -> Rule:
    ours = content.agreement
    words = f"z {ours.z:.1f} of {ours.items} items, {content.beside:.1f} with the row of a neighbouring id"
    if suspect:
        words += (
            "; and the log has the ids with features up to its last one, and none above, as a renumbering leaves it"
        )
    severity: Severity = "critical" if suspect else "warning"
    evidence = Evidence(words, elements=ours.items)
    expected = TELLS.format(limits.min_agreement)
    return all_true("content_tells_behaviour", name, expected, "tells", evidence=evidence, severity=severity)


def _keeps(ours: Agreement, before: float, limits: AgreementLimits) -> bool:
    """Whether the effect has fallen by no more than the limit, or by no more than chance moves it."""
    lost = before - ours.effect
    return lost <= limits.max_agreement_fall * before or lost <= SURE * ours.deviation / ours.spread


def _has_not_fallen(name: str, ours: Agreement, before: float, limits: AgreementLimits) -> Rule:
    least = (1 - limits.max_agreement_fall) * before
    evidence = Evidence(f"an effect of {ours.effect:.3f} after {before:.3f}", elements=ours.items)
    expected = f"an effect of at least {least:.3f}, as in the last accepted run less {limits.max_agreement_fall:.0%}"
    return all_true("agreement_has_not_fallen", name, expected, "kept", evidence=evidence)
