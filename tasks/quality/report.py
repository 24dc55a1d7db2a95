"""The result of a validation: one record per expectation, for JSON, SQL and email."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SAMPLE = 10  # ids named per expectation


class Check(BaseModel):
    """One expectation: column, expected and observed value, and the ids that fail it."""

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


class Report(BaseModel):
    """All expectations of one suite; successful if there is at least one and none fails."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suite: str
    success: bool
    results: list[Check] = Field(min_length=1)

    @model_validator(mode="after")
    def success_is_that_of_all(self) -> Self:
        if self.success != all(check.success for check in self.results):
            raise ValueError(
                f"success {self.success} found, expected whether all {len(self.results)} results succeeded"
            )
        return self

    @property
    def failures(self) -> list[Check]:
        """The failed expectations, in the order of the suite."""
        return [check for check in self.results if not check.success]

    def sentence(self) -> str:
        """Return one sentence: the numbers of failed and of all expectations, and the first failed one."""
        if not self.failures:
            return f"{self.suite}: all {len(self.results)} expectations hold"
        first = self.failures[0]
        names = f" ({', '.join(first.sample_ids)})" if first.sample_ids else ""
        return (
            f"{self.suite}: {len(self.failures)} of {len(self.results)} expectations failed, first "
            f"{first.expectation} of {first.column}: expected {first.expected}, observed {first.observed}{names}"
        )
