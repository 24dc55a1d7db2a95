"""Decides what each column of a log is for, and refuses to pass over one that could hold ratings."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tasks.data.formats import Source, read_sample
from tasks.errors import BadInput

# Column names that come first, those of MovieLens, RecBole and MMRec; they are case-sensitive.
USER = ("user_id", "userID", "userId", "UserID", "user")
ITEM = ("item_id", "itemID", "itemId", "ItemID", "item", "movieId", "MovieID")
RATING = ("rating", "Rating")
TIMESTAMP = ("timestamp", "Timestamp")
LABEL = ("x_label",)
# Where there is none of these: other usual names, whatever their case and with or without `_`, `-` and blanks.
OTHERS = {
    "user": "user userid customer customerid reviewer reviewerid viewer viewerid listener listenerid member memberid",
    "item": """
        item itemid movie film track song artist album book product video show game article
        movieid filmid trackid songid artistid albumid bookid productid videoid showid gameid articleid asin parentasin
    """,
    "timestamp": "when date datetime createdat ratedat watchedat playedat unixreviewtime",
}
TYPES = {"token", "token_seq", "float", "float_seq"}  # of RecBole's headers, `user_id:token`

# Words of names of columns that are likely to say how much, or whether, a user liked an item.
OPINIONS = """
rating rate rated star score vote note grade mark point overall preference pref weight feedback sentiment opinion
satisfaction reward label target like liked dislike disliked love loved click clicked view viewed watch watched play
playcount purchase purchased bought buy positive negative upvote downvote thumb favourite favorite skip skipped
bewertung wertung stern punkt punkte nota voto valoracion puntuacion estrella avaliacao avis
"""
MOST_GRADES = 21  # 0 to 10 by halves
LOWEST, HIGHEST = -10.0, 100.0


@dataclass(frozen=True)
class Columns:
    """Names of the columns; None selects a recognised name. With `timeless` no column is read for the times."""

    user: str | None = None
    item: str | None = None
    rating: str | None = None
    timestamp: str | None = None
    timeless: bool = False


@dataclass(frozen=True)
class Roles:
    """Names of a file's columns by what they are for; `ignored` are those that are for nothing."""

    user: str
    item: str
    rating: str | None
    timestamp: str | None
    label: str | None
    ignored: tuple[str, ...]

    def describe(self, threshold: float | None) -> str:
        """What each column is used for, in one line; `threshold` is the lowest rating that counts."""
        rule = "every row is kept" if threshold is None else f">= {threshold:g}"
        rating = f"{self.rating} ({rule})" if self.rating else "none"
        parts = [f"user: {self.user}", f"item: {self.item}", f"rating: {rating}", f"time: {self.timestamp or 'none'}"]
        parts += [f"label: {self.label}"] if self.label else []
        return ", ".join(parts) + f"; ignored: {', '.join(self.ignored) or 'none'}"


def choose_roles(source: Source, columns: Columns, threshold: float | None, *, implicit: bool) -> Roles:
    """Find the column for each purpose. Raises BadInput, with all that is wrong, for missing or ambiguous columns.

    A log with ratings needs either `threshold` or `implicit`. Without both, an ignored column that could hold ratings
    is refused too: a row of one star is no like, and `clicked` of 0 no click.
    """
    if columns.timeless and columns.timestamp is not None:
        raise BadInput(
            f"both --timestamp-column {columns.timestamp} and --no-timestamp found, expected one of them, or neither"
        )
    usual = {"user": USER, "item": ITEM, "rating": RATING, "timestamp": TIMESTAMP, "label": LABEL}
    chosen: dict[str, str | None] = {"timestamp": None} if columns.timeless else {}
    wrong = []
    for what in [name for name in usual if name not in chosen]:
        try:
            chosen[what] = find_column(source, what, getattr(columns, what, None), usual[what])
        except BadInput as error:
            wrong.append(str(error))
    if wrong:
        raise BadInput("; ".join(wrong))
    used = [name for name in chosen.values() if name]
    if len(set(used)) < len(used):
        raise BadInput(f"{source.name} would be read with columns {used}, expected a different one for each purpose")
    ignored = tuple(name for name in source.columns if name not in used)
    _check_threshold(source, chosen["rating"], threshold, implicit=implicit)
    if chosen["rating"] is None and not implicit:
        _refuse_opinions(source, ignored)
    user, item, rating, timestamp, label = (chosen[what] for what in usual)
    return Roles(str(user), str(item), rating, timestamp, label, ignored)


def find_column(source: Source, what: str, wanted: str | None, usual: tuple[str, ...]) -> str | None:
    """Return the column for a purpose, by the name `wanted` or by the `usual` names; RecBole's type is ignored.

    Raises BadInput if there are several, or none for a user or an item.
    """
    plain: dict[str, str] = {}
    for name in source.columns:
        word, _, kind = name.rpartition(":")
        plain[word if kind in TYPES else name] = name
    if wanted is not None:
        if wanted not in plain and wanted not in source.columns:
            raise BadInput(f"{source.describe()}, expected the {what} in {wanted!r}")
        return wanted if wanted in source.columns else plain[wanted]
    others = OTHERS.get(what, "").split()
    candidates = [plain[name] for name in usual if name in plain] or [
        plain[name] for name in plain if re.sub(r"[-_ ]", "", name.lower()) in others
    ]
    if len(candidates) > 1:
        raise BadInput(
            f"{source.name} has columns {candidates} for the {what}, expected one: choose it by --{what}-column"
        )
    if not candidates and what in {"user", "item"}:
        raise BadInput(
            f"{source.describe()}, expected one for the {what}: {', '.join(usual)}, or another that --{what}-column "
            f"names{_hint(source)}"
        )
    return candidates[0] if candidates else None


def _hint(source: Source) -> str:
    """What may be wrong with the whole table where a column is missing."""
    if source.separator and len(source.columns) == 1:
        return f"; nothing is between {source.separator!r}: --delimiter names another"
    if all(re.fullmatch(r"[\d.:-]*", name) for name in source.columns):
        return "; the first line looks like a row: put a line with names above it"
    return "; --delimiter names what is between columns" if source.separator else ""


def _check_threshold(source: Source, rating: str | None, threshold: float | None, *, implicit: bool) -> None:
    if threshold is not None and not math.isfinite(threshold):
        raise BadInput(f"--threshold {threshold} found, expected a finite number")
    if rating is None and threshold is not None:
        raise BadInput(
            f"--threshold {threshold:g} found for {source.name} with columns {source.columns[:20]}, expected one "
            "with ratings: name it by --rating-column, or leave --threshold out"
        )
    if rating is not None and (threshold is None) != implicit:
        both = "both --threshold and --implicit" if implicit else "neither --threshold nor --implicit"
        raise BadInput(
            f"{source.name} has ratings in column {rating!r} and {both} was given, expected either --threshold "
            "(keep the rows rated at least that) or --implicit (keep every row)"
        )


def _refuse_opinions(source: Source, ignored: tuple[str, ...]) -> None:
    if not ignored:
        return
    sample = read_sample(source, list(ignored))
    found = {name: shown for name in ignored if (shown := _opinions(name, sample[name]))}
    if found:
        named = ", ".join(f"{name!r} ({values})" for name, values in found.items())
        raise BadInput(
            f"{source.name} has columns that could say whether a user liked an item: {named}; expected "
            f"--rating-column {next(iter(found))} with --threshold (keep the rows of at least that; true is 1), or "
            "--implicit (keep every row, whatever stands there)"
        )


def _opinions(name: str, column: pa.ChunkedArray) -> str:
    """Return some values of a column that could hold ratings, and nothing for one that could not.

    It could if its name says so and it holds numbers or few words, or if it holds few numbers on a scale.
    """
    if pa.types.is_null(column.type) or pa.types.is_nested(column.type):
        return ""
    words = {
        word.removesuffix("s") for word in re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())
    }
    values = column.unique().drop_null()
    number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type) or pa.types.is_decimal(values.type)
    few, flag = len(values) <= MOST_GRADES, pa.types.is_boolean(values.type)
    if words & set(OPINIONS.split()):
        told = number or (few and not pa.types.is_temporal(values.type))
    else:
        told = "id" not in words and few and len(values) > 1 and (flag or (number and _on_a_scale(values)))
    some = sorted(values.to_pylist())[: MOST_GRADES if number else 5] if few else values.to_pylist()[:5]
    return ", ".join(f"{one:g}" if number else str(one)[:20] for one in some) if told else ""


def _on_a_scale(values: pa.Array) -> bool:
    """Whether numbers are halves within the bounds of usual scales: 0 and 1, 1 to 5, 0 to 10, per cents."""
    numbers = np.asarray(values.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    return bool(((numbers >= LOWEST) & (numbers <= HIGHEST) & (numbers * 2 == np.round(numbers * 2))).all())
