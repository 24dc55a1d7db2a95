"""Letters as text, HTML and chat, by Jinja templates that a person can replace. Independent of Airflow.

`RECSYS_ALERT_TEMPLATES` names a folder whose files go before those beside this module. A template that cannot be used
is no reason for silence: then the built-in one is, and the message says so.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, select_autoescape
from jinja2.sandbox import ImmutableSandboxedEnvironment

from recsys.alerts.letter import Letter, line

log = logging.getLogger(__name__)
FOLDER = Path(__file__).with_name("templates")
VARIABLE = "RECSYS_ALERT_TEMPLATES"
LONGEST_SUBJECT = 200
LIMITS = {"most": 20, "most_ids": 10}  # expectations and tasks of a message, ids of an expectation


@dataclass(frozen=True)
class Message:
    """A letter in the forms that the channels send."""

    subject: str
    text: str
    html: str
    chat: str  # for Slack and the like: short, with links


def render(letter: Letter) -> Message:
    """Return the letter in every form."""
    own = os.environ.get(VARIABLE)
    if own:
        try:
            return _render(letter, [own, str(FOLDER)])
        except (TemplateError, OSError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError) as error:
            log.exception("the templates in %s=%s cannot be used", VARIABLE, own)
            gap = f"your own templates ({VARIABLE}): {type(error).__name__}: {error}"
            letter = Letter(**vars(letter) | {"gaps": [*letter.gaps, gap]})
    return _render(letter, [str(FOLDER)])


def _render(letter: Letter, folders: list[str]) -> Message:
    environment = ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(folders),
        autoescape=select_autoescape(["html.j2"], default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {"line": line, "chat": escape_chat, "left_out": left_out}
    facts: dict[str, Any] = {"letter": letter} | LIMITS
    forms = {
        name: environment.get_template(f"{name}.j2").render(facts)
        for name in ("subject.txt", "mail.txt", "mail.html", "chat.txt")
    }
    subject = line(forms["subject.txt"])[:LONGEST_SUBJECT]
    return Message(subject, forms["mail.txt"], forms["mail.html"], forms["chat.txt"].strip())


def escape_chat(value: object) -> str:
    """Return one line that Slack shows as it is: `<`, `>` and `&` begin links and mentions there."""
    return line(value).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def left_out(letter: Letter) -> list[str]:
    """Return what a message does not show: `["7 more expectations"]`."""
    counts = {"expectations": len(letter.failures), "tasks": len(letter.tasks)}
    return [f"{count - LIMITS['most']} more {what}" for what, count in counts.items() if count > LIMITS["most"]]
