"""The result of a validation: one record per expectation, for JSON, SQL and email."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from tasks.quality.profile import Profile

SAMPLE = 10  # ids named per expectation
Severity = Literal["critical", "warning"]  # critical stops the run, warning informs
# Expectations whose failure explains that of others, the most telling first: an empty or shapeless table explains all,
# rows that are not their item's, and ids that name other items, explain coverage and everything after it. What is not
# here explains itself.
CAUSES = (
    "column_exists",
    "table_has_rows",
    "ids_are_given",
    "ids_are_unique",
    "made_from_what_stands_there",
    "encoder_is_that_of_the_plan",
    "media_are_those_of_the_item",
    "vectors_are_of_their_medium",
    "media_are_those_extracted",
    "rows_equal_extracted",
    "ids_are_written_alike",
    "content_agrees_with_behaviour",
    "id_spaces_agree",
    "content_tells_behaviour",
    "drift_neighbours_lost",
    "agreement_has_not_fallen",
)


class Check(BaseModel):
    """One expectation: column, expected and observed value, and the ids that fail it.

    `type` and `arguments` are those of Great Expectations: class and what it was given, except for the table.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    expectation: str = Field(description="name, such as vectors_are_finite")
    column: str = Field(description="subject: a modality, or items, users, interactions")
    expected: str
    observed: str
    unexpected_count: int = Field(ge=0)
    element_count: int = Field(ge=0)
    sample_ids: list[str] = Field(
        max_length=SAMPLE, description="external ids: of users if column is users, else of items"
    )
    success: bool
    severity: Severity = "critical"
    type: str
    arguments: Mapping[str, object]
    value: FiniteFloat | None = Field(default=None, description="the number that has bounds, if it is one number")


class Report(BaseModel):
    """All expectations of one suite; successful if there is at least one and no critical one fails.

    profiles: what was checked, in a few numbers, for the next run to be compared with.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    success: bool
    results: list[Check] = Field(min_length=1)
    profiles: list[Profile] = Field(default_factory=list)

    @model_validator(mode="after")
    def success_is_that_of_all(self) -> Self:
        if self.success == bool(self.failures):
            raise ValueError(
                f"success {self.success} found, expected whether all critical ones of {len(self.results)} results hold"
            )
        return self

    @property
    def failures(self) -> list[Check]:
        """The failed critical expectations, in the order of the suite."""
        return [check for check in self.results if not check.success and check.severity == "critical"]

    @property
    def warnings(self) -> list[Check]:
        """The failed expectations that only inform."""
        return [check for check in self.results if not check.success and check.severity == "warning"]

    def sentence(self) -> str:
        """Return one sentence: the numbers of failed and of all expectations, and the most telling failure.

        That is the first in CAUSES, else the first of the suite.
        """
        if not self.failures:
            warned = ", ".join(f"{check.expectation} of {check.column}" for check in self.warnings)
            held = (
                f"all {len(self.results)}"
                if not warned
                else f"{len(self.results) - len(self.warnings)} of {len(self.results)}"
            )
            return f"{self.suite}: {held} expectations hold" + (f", with a warning from {warned}" if warned else "")
        order = {name: place for place, name in enumerate(CAUSES)}
        first = min(self.failures, key=lambda check: order.get(check.expectation, len(order)))
        names = f" ({', '.join(first.sample_ids)})" if first.sample_ids else ""
        return (
            f"{self.suite}: {len(self.failures)} of {len(self.results)} expectations failed, first "
            f"{first.expectation} of {first.column}: expected {first.expected}, observed {first.observed}{names}"
        )
