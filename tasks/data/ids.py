"""The rule for external ids: any text that tables, file names and keys keep unchanged."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST_ID = 255  # characters; ids are kept in arrays as wide as the longest
# Tables of ids are opened in spreadsheets, which run what begins with =, and calls and links to programs behind + - @
# (also in full width). Ids stay as they are in tables, so such ones are refused; -5KAN9_CzSA, @ada, +44 are harmless.
FORMULA = r"[=＝]|[+@＋－＠-][^(|]*[(|]"
GOOD = re.compile(rf"(?!\s|{FORMULA})[^\x00-\x1f\x7f\ud800-\udfff]{{1,{LONGEST_ID}}}(?<!\s)")
RULE = (
    f"1 to {LONGEST_ID} characters without blanks around them and without control characters, and no formula of a "
    "spreadsheet, such as =A1 or +f(x)"
)


def first_odd(ids: Iterable[str]) -> int | None:
    """Return the position of the first id that breaks the rule, or None."""
    return next((place for place, one in enumerate(ids) if not GOOD.fullmatch(one)), None)


def quote(text: str) -> str:
    """Return `text` for a message: quoted, and shortened if it is long."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
