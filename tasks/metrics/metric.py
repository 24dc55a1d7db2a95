"""The name of a metric and its cutoff, and the one place where the two become text and text becomes the two."""

from __future__ import annotations

from typing import NamedTuple, Self

from tasks.errors import BadInput

ABBREVIATIONS = ("ndcg", "map", "mrr")


class Metric(NamedTuple):
    """What is measured, at which cutoff: NDCG at 20. k is 0 where there is none, as of seconds."""

    name: str
    k: int = 0

    def __str__(self) -> str:
        """As files and options have it: `ndcg@20`."""
        return f"{self.name}@{self.k}" if self.k else self.name

    @property
    def title(self) -> str:
        """As people write it: `NDCG@20`, `Recall@20`."""
        name = self.name.upper() if self.name in ABBREVIATIONS else self.name.capitalize()
        return str(Metric(name, self.k))

    @classmethod
    def parse(cls, text: str) -> Self:
        """The metric that is written `text`; BadInput where the cutoff is no number of ranks."""
        name, at, k = text.partition("@")
        if not name or (at and not (k.isdecimal() and int(k))):
            raise BadInput(f"metric {text!r} found, expected a name, and the ranks that count behind an @: ndcg@20")
        return cls(name, int(k) if at else 0)
