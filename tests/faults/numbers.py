"""F1 to F23: which of them no test does, and why. docs/faults.md says what happens at each."""

from __future__ import annotations

NUMBERS = [f"F{number}" for number in range(1, 24)]
UNTESTED = {
    "F10": "there is no mirror of the pointer: the row in PostgreSQL is the pointer",
    "F21": "there are no Data Docs: results are rows and reports of our own",
}
