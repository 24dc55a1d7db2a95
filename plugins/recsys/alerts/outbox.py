"""The outbox: messages in the metrics database, which every channel sends once, and tries again until it has.

A message is told under a key, by whoever sees first what happened; telling it again adds nothing. A sender claims a
delivery for two minutes before it sends: if it dies in between, the next one tries again, with the same Message-ID.
So a message arrives at least once, and twice only if a sender dies between sending and saying so.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from recsys.database import connect

if TYPE_CHECKING:
    from psycopg2.extensions import cursor

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=2)  # longer than any channel takes
LONGEST_WAIT = timedelta(minutes=30)  # between two tries
KEPT = timedelta(days=7)  # a message that could not be sent for so long is no longer tried
MOST = 100  # deliveries at a time

NEW = """
INSERT INTO rec.delivery (message, channel)
SELECT m.id, c FROM rec.message m, unnest(%(channels)s) AS c
WHERE m.folded_into IS NULL AND m.due_at <= now() AND m.created_at > now() - %(kept)s
AND NOT EXISTS (SELECT FROM rec.delivery d WHERE d.message = m.id)
ON CONFLICT DO NOTHING
"""
CLAIM = """
UPDATE rec.delivery SET attempts = attempts + 1, next_at = now() + %(lease)s
WHERE (message, channel) IN (
    SELECT d.message, d.channel FROM rec.delivery d JOIN rec.message m ON m.id = d.message
    WHERE d.sent_at IS NULL AND d.next_at <= now() AND d.channel = ANY(%(channels)s)
    AND m.created_at > now() - %(kept)s
    ORDER BY d.message LIMIT 1 FOR UPDATE OF d SKIP LOCKED
) RETURNING message, channel, attempts
"""
MESSAGE = "SELECT id, key, kind, dataset, dag, run, facts FROM rec.message WHERE id = %s"
DONE = "UPDATE rec.delivery SET sent_at = now(), error = NULL WHERE message = %s AND channel = %s"
FAILED = "UPDATE rec.delivery SET error = %s, next_at = now() + %s WHERE message = %s AND channel = %s"


@dataclass(frozen=True)
class Note:
    """What is told: `scope` is what it is about, and `topic` what is wrong with it."""

    key: str
    kind: str
    scope: str
    topic: str = ""
    dataset: str | None = None
    dag: str | None = None
    run: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Stored:
    """A message as it stands in the outbox."""

    id: int
    key: str
    kind: str
    dataset: str | None
    dag: str | None
    run: str | None
    facts: Mapping[str, Any]


Send = Callable[[str, Stored], None]  # channel, message; raises if it was not sent


@contextmanager
def transaction() -> Iterator[cursor]:
    """Commit at the end of the block; roll back if it raises."""
    with closing(connect(write=True)) as database, database, database.cursor() as sql:
        yield sql


def tell(note: Note) -> bool:
    """Write a message, unless its key is there or it repeats another; returns whether it will be sent for itself."""
    values = (note.key, note.kind, note.scope, note.topic, note.dataset, note.dag, note.run, json.dumps(note.facts))
    with transaction() as sql:
        sql.execute("SELECT rec.tell(%s, %s, %s, %s, %s, %s, %s, %s, '0')", values)
        ((made,),) = sql.fetchall()
        sql.execute("SELECT folded_into FROM rec.message WHERE key = %s", (note.key,))
        ((folded,),) = sql.fetchall()
    if folded is not None:
        log.warning("%s repeats message %d, which was told already", note.key, folded)
    return made is not None and folded is None


def settle(scope: str, dataset: str | None = None, dag: str | None = None, run: str | None = None) -> bool:
    """Announce that what was bad is good again; returns whether anything was bad."""
    with transaction() as sql:
        sql.execute("SELECT rec.settle(%s, %s, %s, %s, '{}', '0')", (scope, dataset, dag, run))
        ((made,),) = sql.fetchall()
    return made is not None


def complete(dag: str, run: str, facts: Mapping[str, Any]) -> None:
    """Add what Airflow knows to the message that was written with the decision of a run, if any, and make it due."""
    with transaction() as sql:
        sql.execute(
            "UPDATE rec.message m SET facts = facts || %s, due_at = now() "
            "WHERE kind IN ('rejected', 'recovered') AND dag = %s AND run = %s "
            "AND NOT EXISTS (SELECT FROM rec.delivery d WHERE d.message = m.id)",
            (json.dumps(facts), dag, run),
        )


def open_scopes(kind: str) -> list[str]:
    """Return what is bad and not yet good again."""
    with transaction() as sql:
        sql.execute("SELECT DISTINCT scope FROM rec.message WHERE kind = %s AND settled_at IS NULL ORDER BY 1", (kind,))
        return [scope for (scope,) in sql.fetchall()]


def deliver_due(channels: list[str], send: Send) -> tuple[int, int]:
    """Send what is due, in order; returns how many deliveries were sent, and how many failed and are tried again.

    A channel that fails is left alone until the next call, so that a server that is down is not asked for each message.
    """
    working, sent, failed = list(channels), 0, 0
    for _ in range(MOST):
        claimed = _claim(working)
        if claimed is None:
            break
        message, channel, attempts = claimed
        try:
            send(channel, message)
        except Exception as error:
            log.exception("message %d was not sent by %s, try %d: it is tried again", message.id, channel, attempts)
            wait = min(timedelta(minutes=2**attempts), LONGEST_WAIT)
            said = " ".join(f"{type(error).__name__}: {error}".split())[:500]
            with transaction() as sql:
                sql.execute(FAILED, (said, wait, message.id, channel))
            working.remove(channel)
            failed += 1
        else:
            with transaction() as sql:
                sql.execute(DONE, (message.id, channel))
            log.info("message %d, %s, was sent by %s", message.id, message.key, channel)
            sent += 1
    return sent, failed


def _claim(channels: list[str]) -> tuple[Stored, str, int] | None:
    known = {"channels": channels, "kept": KEPT, "lease": LEASE}
    with transaction() as sql:
        sql.execute(NEW, known)
        sql.execute(CLAIM, known)
        claimed = sql.fetchone()
        if claimed is None:
            return None
        sql.execute(MESSAGE, (claimed[0],))
        (row,) = sql.fetchall()
    return Stored(*row), claimed[1], claimed[2]
