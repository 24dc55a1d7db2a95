"""Tells and sends: every component of Airflow that has something to say comes through here.

What is told is written to the outbox and then sent at once, if the channels work. Otherwise the DAG `maintenance` and
the watchdog try again. If the outbox itself cannot be reached, the message goes out without it.
"""

from __future__ import annotations

import logging

from recsys.alerts import outbox
from recsys.alerts.channels import CHANNELS, RECIPIENTS, VARIABLE, list_channels
from recsys.alerts.letter import Letter, from_json
from recsys.alerts.news import write_recovery, write_rejection
from recsys.alerts.outbox import Note, Stored
from recsys.alerts.render import Message, render

log = logging.getLogger(__name__)


def announce(note: Note) -> None:
    """Write a message and send what is due. Whatever goes wrong is logged, and changes nothing else."""
    try:
        outbox.tell(note)
    except Exception as error:
        log.exception("message %s was not written to the outbox: it is sent without", note.key)
        _send_directly(note, error)
    else:
        send_due()


def send_due() -> tuple[int, int]:
    """Send what is due by every channel; returns how many deliveries were sent, and how many failed."""
    try:
        channels = list_channels()
        if not channels:
            log.warning("no alert was sent: %s is not set, expected email addresses, or %s", RECIPIENTS, VARIABLE)
            return 0, 0
        return outbox.deliver_due(channels, send)
    except Exception:
        log.exception("ALERT NOT SENT: it is tried again")
        return 0, 1


def send(channel: str, message: Stored) -> None:
    """Send one message by one channel. Raises what the channel raises."""
    CHANNELS[channel](render(write_letter(message)), message.key)


def write_letter(message: Stored) -> Letter:
    """Return what a message says: as it was written, or by the tables that the decision it tells of is in."""
    if "letter" in message.facts:
        return from_json(message.facts["letter"])
    return {"rejected": write_rejection, "recovered": write_recovery}[message.kind](message)


def _send_directly(note: Note, error: Exception) -> None:
    letter = from_json(note.facts["letter"])
    gap = f"the outbox ({type(error).__name__}): this message may come again"
    message = render(Letter(**vars(letter) | {"gaps": [*letter.gaps, gap]}))
    send_everywhere(message, note.key)


def send_everywhere(message: Message, key: str) -> None:
    """Send by every channel without the outbox. What fails is logged, and not tried again."""
    for channel in list_channels():
        try:
            CHANNELS[channel](message, key)
        except Exception:
            log.exception("ALERT NOT SENT by %s: %s", channel, key)
        else:
            log.info("message %s was sent by %s", key, channel)
