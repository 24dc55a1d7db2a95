"""All planted faults; `python -m tests.faults.corpus` prints the table of docs/faults.md."""

from __future__ import annotations

import sys

from tests.faults.aligned import aligned_matrices, aligned_tables
from tests.faults.extracted import extractions
from tests.faults.manifests import manifests
from tests.faults.prepared import prepared_log, prepared_tables

FAULTS = [*aligned_matrices(), *aligned_tables(), *extractions(), *manifests(), *prepared_log(), *prepared_tables()]


def format_table() -> str:
    """The corpus as a table of Markdown."""
    rows = [f"| {fault.where} | {fault.what} | `{fault.check}`: `{fault.expectation}` |" for fault in FAULTS]
    return "\n".join(["| Where | Fault | Caught by |", "|---|---|---|", *rows]) + "\n"


if __name__ == "__main__":
    sys.stdout.write(format_table())
