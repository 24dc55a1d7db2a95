"""Sends one email through Airflow's connection `smtp_default`."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from smtplib import SMTP
from typing import cast

from airflow.providers.smtp.hooks.smtp import SmtpHook

CONNECTION = "smtp_default"


class Mailer(SmtpHook):
    """SmtpHook handles addresses, logins and TLS; it sends only HTML, so sending is done here."""

    @property
    def timeout(self) -> int:
        """Seconds; Airflow ends a callback after 50 s, and the failure must be logged before that."""
        return min(super().timeout, 15)

    def send(self, to: list[str], subject: str, text: str, markup: str) -> None:
        """Send plain text with an HTML alternative. Raises ValueError without a sender, else what smtplib raises."""
        if not self.from_email:
            raise ValueError(f"connection {CONNECTION} has no from_email in its extra, expected the sender's address")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.from_email, ", ".join(to), subject
        message["Date"], message["Message-ID"] = formatdate(), make_msgid(domain="recsys.invalid")
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents automatic replies
        message.set_content(text)
        message.add_alternative(markup, subtype="html")
        cast("SMTP", self._smtp_client).send_message(message)


def send(to: list[str], subject: str, text: str, markup: str) -> None:
    """Connect, send, and disconnect."""
    mailer = Mailer(CONNECTION)
    with mailer:
        mailer.send(to, subject, text, markup)
