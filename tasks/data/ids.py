"""The rule for external ids: any text that tables, file names and keys keep unchanged, in Unicode's composed form.

An accent can be written with its letter as one character (NFC, as most programs do) or as two (NFD, as macOS writes
file names). Both look the same and mean one id, so that ids are composed wherever they are read."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence

from tasks.errors import BadInput

log = logging.getLogger(__name__)

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


def compose(text: str) -> str:
    """Return `text` in Unicode's composed form, NFC (Unicode Standard Annex 15)."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def normalise_id(item: str) -> str:
    """The id composed, without the zeros that pad a number: two ids equal in this are likely to be meant for one."""
    item = compose(item)
    return item.lstrip("0") or "0" if item.isdecimal() else item


def compose_ids(ids: Sequence[str], where: str) -> list[str]:
    """Return distinct ids composed, and log how many were not.

    Raises BadInput if two are one id then; `where` begins the sentence.
    """
    composed = list(map(compose, ids))
    changed = [place for place, (one, before) in enumerate(zip(composed, ids, strict=True)) if one != before]
    if not changed:
        return composed
    written = dict(zip(composed, ids, strict=True))  # of two that are one the later
    double = next((place for place, one in enumerate(composed) if written[one] != ids[place]), None)
    if double is not None:
        first, second = ids[double], written[composed[double]]
        raise BadInput(
            f"{where} has {tell_apart(first, second)} for {quote(composed[double])}, expected an accented id to be "
            "written one way: as one character (NFC)"
        )
    log.info(
        "%s: %d ids were not composed (NFC), such as %s; they are now", where, len(changed), ascii(ids[changed[0]])
    )
    return composed


def tell_apart(first: str, second: str) -> str:
    """Return both quoted, by their code points if they would look the same."""
    show = ascii if compose(first) == compose(second) else repr
    return f"{show(first)} and {show(second)}"


def quote(text: str) -> str:
    """Return `text` for a message: quoted, and shortened if it is long."""
    return repr(text if len(text) <= 60 else f"{text[:57]}...")
