"""Sends one email through Airflow's connection `smtp_default`."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate
from smtplib import SMTP, SMTPNotSupportedError
from ssl import SSLError
from typing import Self, cast

from airflow.providers.smtp.hooks.smtp import SmtpHook

CONNECTION = "smtp_default"
TLS_PORT = 465  # of servers that speak TLS from the start
PLAIN = "to send all in clear, also the password, set SMTP_DISABLE_TLS=true (disable_tls in the connection's extra)"


class NoTls(Exception):
    """The mail server cannot be talked to in private."""


class Mailer(SmtpHook):
    """SmtpHook handles addresses, logins and TLS; it sends only HTML, so sending is done here.

    TLS is used unless the connection's extra has `disable_tls`: from the start on port 465 and without `disable_ssl`,
    else by STARTTLS. SmtpHook would do both at once, and knows no port.
    """

    @property
    def use_ssl(self) -> bool:
        """Whether TLS is spoken from the start."""
        return super().use_ssl or (self.port == TLS_PORT and super().smtp_starttls)

    @property
    def smtp_starttls(self) -> bool:
        """Whether the connection is changed to TLS before anything is said."""
        return super().smtp_starttls and not self.use_ssl

    def get_conn(self) -> Self:
        """Connect and log in. Raises NoTls if the server offers no TLS, or shows a certificate that is not trusted."""
        try:
            super().get_conn()
        except SMTPNotSupportedError as error:
            if not self.smtp_starttls:
                raise
            self._hang_up()
            raise NoTls(f"{self.host}:{self.port} offers no STARTTLS, expected a server with TLS: {PLAIN}") from error
        except SSLError as error:
            self._hang_up()
            reason = getattr(error, "verify_message", "") or error.reason
            raise NoTls(
                f"TLS with {self.host}:{self.port} failed ({reason}), expected a valid certificate: {PLAIN}"
            ) from error
        return self

    def _hang_up(self) -> None:
        """Leave no connection behind, over which something could be sent in clear."""
        if self._smtp_client is not None:
            self._smtp_client.close()
            self._smtp_client = None

    @property
    def timeout(self) -> int:
        """Seconds; Airflow ends a callback after 50 s, and the failure must be logged before that."""
        return min(super().timeout, 15)

    def send(self, to: list[str], subject: str, text: str, markup: str, *, identity: str) -> None:
        """Send plain text with an HTML alternative; `identity` is the same when it is sent again.

        Raises ValueError without a sender, else what smtplib raises.
        """
        if not self.from_email:
            raise ValueError(f"connection {CONNECTION} has no from_email in its extra, expected the sender's address")
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = self.from_email, ", ".join(to), subject
        message["Date"], message["Message-ID"] = formatdate(), f"<{identity}@recsys.invalid>"
        message["Auto-Submitted"] = "auto-generated"  # RFC 3834: prevents automatic replies
        message.set_content(text)
        message.add_alternative(markup, subtype="html")
        cast("SMTP", self._smtp_client).send_message(message)


def send(to: list[str], subject: str, text: str, markup: str, *, identity: str) -> None:
    """Connect, send, and disconnect."""
    mailer = Mailer(CONNECTION)
    with mailer:
        mailer.send(to, subject, text, markup, identity=identity)
