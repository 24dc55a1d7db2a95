"""How messages reach people: by email, Slack, or whatever Apprise knows, each through Airflow's own connections."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable

from recsys.alerts.render import Message

VARIABLE = "RECSYS_ALERT_CHANNELS"
RECIPIENTS = "RECSYS_ALERT_TO"
SECONDS = 15  # for a channel; Airflow ends a callback after 50 s


def list_channels() -> list[str]:
    """Return the channels that are switched on. Raises ValueError for one that does not exist."""
    chosen = [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()] or ["email"]
    if unknown := sorted(set(chosen) - set(CHANNELS)):
        raise ValueError(f"{VARIABLE} has {', '.join(unknown)}, expected some of {', '.join(CHANNELS)}, commas between")
    if chosen == ["email"] and not list_recipients():
        return []
    return list(dict.fromkeys(chosen))


def list_recipients() -> list[str]:
    """Return the addresses of RECSYS_ALERT_TO."""
    return [one.strip() for one in os.environ.get(RECIPIENTS, "").replace(";", ",").split(",") if one.strip()]


def send_email(message: Message, key: str) -> None:
    """Send to the addresses of RECSYS_ALERT_TO, by the connection `smtp_default`. Raises ValueError without any."""
    from recsys.alerts.mail import send  # noqa: PLC0415  takes 0.4 s, and DAG files import this module

    if not (to := list_recipients()):
        raise ValueError(f"{RECIPIENTS} is not set, expected email addresses with commas between")
    digest = hashlib.sha256(key.encode()).hexdigest()[:32]
    send(to, message.subject, message.text, message.html, identity=digest)


def send_slack(message: Message, key: str) -> None:
    """Post to the webhook of the connection `slack_default`. Raises what the webhook answers, if not ok."""
    from airflow.providers.slack.hooks.slack_webhook import SlackWebhookHook  # noqa: PLC0415

    del key
    hook = SlackWebhookHook(slack_webhook_conn_id="slack_default", timeout=SECONDS)
    hook.send(text=message.chat, unfurl_links=False, unfurl_media=False)


def send_apprise(message: Message, key: str) -> None:
    """Notify the targets of the connection `apprise_default`. Raises OSError if one did not take it.

    Airflow's hook reads the connection, but would not say whether anybody took the message.
    """
    from airflow.providers.apprise.hooks.apprise import AppriseHook  # noqa: PLC0415
    from apprise import Apprise, NotifyFormat, NotifyType  # noqa: PLC0415

    del key
    hook, targets = AppriseHook("apprise_default"), Apprise()
    hook.set_config_from_conn(hook.get_connection("apprise_default"), targets)
    if not len(targets):
        raise ValueError("the connection apprise_default has no target that Apprise knows, expected at least one")
    if not targets.notify(message.text, message.subject, NotifyType.WARNING, NotifyFormat.TEXT, tag="all"):
        raise OSError("a target of the connection apprise_default did not take the message, expected all to")


CHANNELS: dict[str, Callable[[Message, str], None]] = {
    "email": send_email,
    "slack": send_slack,
    "apprise": send_apprise,
}
