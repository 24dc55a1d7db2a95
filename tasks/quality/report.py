"""What a validation found: one record per expectation, plain enough for JSON, SQL and an e-mail."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

SAMPLE = 10  # ids named per expectation


class Check(BaseModel):
    """One expectation: what was expected of what, what was observed, and whose fault it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expectation: str = Field(description="its name, such as vectors_are_finite")
    column: str = Field(description="what it is about: a modality, or items, users, interactions")
    expected: str
    observed: str
    unexpected_count: int = Field(ge=0)
    element_count: int = Field(ge=0)
    sample_ids: list[str] = Field(
        max_length=SAMPLE, description="external ids: of users where column is users, else of items"
    )
    success: bool


class Report(BaseModel):
    """All expectations of one suite; successful only if there are any and each of them is."""

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
        """The expectations that were not met, in the order of the suite."""
        return [check for check in self.results if not check.success]

    def sentence(self) -> str:
        """One closing sentence: how many of how many failed, and the first of them."""
        if not self.failures:
            return f"{self.suite}: all {len(self.results)} expectations hold"
        first = self.failures[0]
        names = f" ({', '.join(first.sample_ids)})" if first.sample_ids else ""
        return (
            f"{self.suite}: {len(self.failures)} of {len(self.results)} expectations failed, first "
            f"{first.expectation} of {first.column}: expected {first.expected}, observed {first.observed}{names}"
        )
