"""Values as text in Markdown, which Airflow shows notes, questions and documentation in. Independent of Airflow."""

from __future__ import annotations

import re

from recsys.alerts.letter import line

MARKS = re.compile(r"([\\`*_\[\]<>|#~&!])")


def escape(value: object) -> str:
    """A value as one line of Markdown that means nothing but itself: no HTML, link, picture or layout."""
    return MARKS.sub(r"\\\1", line(value))
