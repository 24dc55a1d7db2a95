"""The outbox with a real PostgreSQL, a real mail server, and webhooks that are real HTTP servers."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from recsys.alerts import outbox
from recsys.alerts.channels import list_channels
from recsys.alerts.letter import Letter, to_json
from recsys.alerts.outbox import Note
from recsys.alerts.post import announce, send_due

from tests.dags.mailbox import change

LETTER = Letter("scan failed", "films", "retrain_nightly", "night", "http://airflow.test/r", ["<b>Nothing</b> moved."])
NOTE = Note("k/1", "failed", "retrain_nightly/films", "scan", "films", facts={"letter": to_json(LETTER)})


class Hook(BaseHTTPRequestHandler):
    """A webhook that keeps what it gets, and answers as the server is told."""

    def do_POST(self) -> None:
        """Take a message."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        server: Any = self.server
        server.got.append(body)
        self.send_response(server.status)
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, *_: object) -> None:
        """Stay silent."""


@contextmanager
def webhook() -> Iterator[Any]:
    """An HTTP server on loopback; `got` are the bodies, `status` what it answers."""
    server: Any = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.status = [], 200
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def mailing(post: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Mail to one address."""
    monkeypatch.setenv("RECSYS_ALERT_TO", "one@example.org")
    return post


def later(dsn: str, minutes: int) -> None:
    """Let time pass for what waits."""
    change(dsn, f"UPDATE rec.delivery SET next_at = next_at - interval '{minutes} minutes'")
    change(dsn, f"UPDATE rec.message SET created_at = created_at - interval '{minutes} minutes'")


@pytest.mark.fault("F20")
def test_with_the_mail_server_down_for_an_hour_nothing_is_lost_and_nothing_comes_twice(
    mailing: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is tried less and less often; when the server is back the message comes once."""
    dsn = servers["dsn"]
    with monkeypatch.context() as down:
        nobody = {"conn_type": "smtp", "host": "127.0.0.1", "port": 1, "extra": {"from_email": "a@example.org"}}
        down.setenv("AIRFLOW_CONN_SMTP_DEFAULT", json.dumps(nobody))
        announce(NOTE)
        for _ in range(6):
            assert send_due() == (0, 0)  # it is not due yet
            later(dsn, 10)
            send_due()
    ((attempts, error, sent),) = change(dsn, "SELECT attempts, error, sent_at FROM rec.delivery")
    assert 4 <= attempts <= 7
    assert "ConnectionRefusedError" in error
    assert sent is None
    assert change(dsn, "SELECT failed_attempts, error IS NOT NULL, sent_at FROM rec.alert") == [(attempts, True, None)]
    later(dsn, 60)
    assert send_due() == (1, 0)
    later(dsn, 600)
    assert send_due() == (0, 0)
    (mail,) = mailing.arrived()
    assert mail["Subject"] == "[recsys] films: scan failed (retrain_nightly, night)"


def test_a_sender_that_died_is_followed_by_another_with_the_same_message_id(
    mailing: Any, servers: dict[str, Any]
) -> None:
    """It may have sent before it died: a mail program shows the two as one."""
    outbox.tell(NOTE)
    first = outbox._claim(["email"])
    assert first is not None
    assert outbox._claim(["email"]) is None  # claimed by the one that died
    later(servers["dsn"], 3)
    assert send_due() == (1, 0)
    announce(Note("k/2", "failed", "retrain_nightly/films", "align", facts=NOTE.facts))
    announce(NOTE)
    one, two = mailing.arrived()
    assert one["Message-ID"] != two["Message-ID"]
    change(servers["dsn"], "UPDATE rec.delivery SET sent_at = NULL, next_at = now() WHERE message = %s", first[0].id)
    send_due()
    assert [mail["Message-ID"] for mail in mailing.arrived()].count(one["Message-ID"]) == 2


def test_of_many_senders_at_once_one_sends(mailing: Any, servers: dict[str, Any]) -> None:
    """Twelve messages, eight senders: twelve mails."""
    for number in range(12):
        outbox.tell(Note(f"n/{number}", "failed", "s", f"topic {number}", facts=NOTE.facts))
    threads = [threading.Thread(target=send_due) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(mailing.arrived()) == 12
    assert change(servers["dsn"], "SELECT count(*), count(sent_at), max(attempts) FROM rec.delivery") == [(12, 12, 1)]


def test_repeats_of_one_failure_are_folded_for_a_day(mailing: Any, servers: dict[str, Any]) -> None:
    """Another failure is told, and so is the same one on the next day."""
    for number in range(5):
        announce(Note(f"a/{number}", "failed", "s", "scan", facts=NOTE.facts))
    assert len(mailing.arrived()) == 1
    announce(Note("b/1", "failed", "s", "align", facts=NOTE.facts))
    assert len(mailing.arrived()) == 2
    assert change(servers["dsn"], "SELECT topic, repeats FROM rec.alert ORDER BY topic") == [("align", 0), ("scan", 4)]
    later(servers["dsn"], 21 * 60)
    announce(Note("a/9", "failed", "s", "scan", facts=NOTE.facts))
    assert len(mailing.arrived()) == 3


def test_recovery_is_announced_once_and_the_same_failure_is_news_again(mailing: Any) -> None:
    """By whoever is first to see that all is well."""
    announce(NOTE)
    assert [outbox.settle(NOTE.scope) for _ in range(2)] == [True, False]
    send_due()
    announce(Note("k/3", "failed", NOTE.scope, NOTE.topic, facts=NOTE.facts))
    assert len(mailing.arrived()) == 3


@pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # Apprise asks for it
def test_every_channel_sends_once_and_one_that_fails_delays_no_other(
    mailing: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slack and a target of Apprise are webhooks; Slack's answers with an error first."""
    monkeypatch.setenv("RECSYS_ALERT_CHANNELS", "email, slack,apprise")
    with webhook() as slack, webhook() as other:
        url = f"http://127.0.0.1:{slack.server_port}/services"
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps({"conn_type": "slackwebhook", "password": url}))
        config = {"path": f"json://127.0.0.1:{other.server_port}/", "tag": "all"}
        monkeypatch.setenv(
            "AIRFLOW_CONN_APPRISE_DEFAULT", json.dumps({"conn_type": "apprise", "extra": {"config": config}})
        )
        slack.status = 500
        announce(NOTE)
        assert len(other.got) == len(mailing.arrived()) == 1
        slack.status, tried = 200, len(slack.got)
        later(servers["dsn"], 10)
        assert send_due() == (1, 0)
        later(servers["dsn"], 10)
        assert send_due() == (0, 0)
        assert len(slack.got) == tried + 1
        said = json.loads(slack.got[-1])["text"]
        assert said.startswith("*films: scan failed*")
        assert "&lt;b&gt;Nothing" in said
        assert "Nothing</b> moved." in json.loads(other.got[-1])["message"]
        other.status = 500
        announce(Note("k/4", "failed", "s", "t", facts=NOTE.facts))
        failed = "SELECT channel FROM rec.delivery WHERE sent_at IS NULL"
        assert change(servers["dsn"], failed) == [("apprise",)]


def test_a_channel_that_does_not_exist_is_named(mailing: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With those that do."""
    monkeypatch.setenv("RECSYS_ALERT_CHANNELS", "email,pigeon")
    with pytest.raises(ValueError, match="has pigeon, expected some of email, slack, apprise"):
        list_channels()
    announce(NOTE)  # it stays in the outbox
    monkeypatch.setenv("RECSYS_ALERT_CHANNELS", "")
    assert send_due() == (1, 0)


def test_a_message_of_a_decision_that_airflow_did_not_complete_is_sent_all_the_same(
    mailing: Any, servers: dict[str, Any]
) -> None:
    """After three minutes, by whoever sends next."""
    dsn = servers["dsn"]
    told = ("d/1", "rejected", "s", "rejected", "films", "retrain_nightly", "n", "{}", "3 minutes")
    change(dsn, "SELECT rec.tell(%s, %s, %s, %s, %s, %s, %s, %s, %s)", *told)
    assert send_due() == (0, 0)
    change(dsn, "UPDATE rec.message SET due_at = due_at - interval '3 minutes'")
    assert send_due() == (1, 0)
    (mail,) = mailing.arrived()
    assert mail["Subject"] == "[recsys] films: a model rejected (retrain_nightly, n)"


def test_old_messages_are_not_sent_when_a_channel_is_added(
    mailing: Any, servers: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It gets what comes from now on."""
    announce(NOTE)
    monkeypatch.setenv("RECSYS_ALERT_CHANNELS", "email,slack")
    assert send_due() == (0, 0)
