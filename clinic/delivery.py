"""How a message leaves the house, and what the provider said to it."""

import logging
import re
import smtplib
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import TracebackType
from typing import Self
from urllib.parse import quote

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _

from clinic import gsm

# The one answer by which a mail server speaks of itself and of no mail.
SHUTTING_DOWN = 421
# As a gateway says by HTTP that it took nothing and may be asked again.
HAVE_ENOUGH = (429, 503)


class Unreachable(Exception):
    """There is no connection to the provider. Nothing was handed over."""


class PutOff(Exception):
    """The provider refused it for now."""


class Closing(PutOff):
    """The provider closes, and takes nothing from anybody for now."""


class Rejected(Exception):
    """The provider refused it for good."""


class Unclear(Exception):
    """The provider's answer was lost: it may have the message or not."""


class Mailer:
    """One SMTP connection for many mails, opened when the first is due and again after it broke."""

    def __init__(self) -> None:
        self._connection = get_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._close()

    def reach(self) -> None:
        """Raises Unreachable."""
        try:
            self._connection.open()
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise Unreachable(type(error).__name__) from error

    def send(self, mail: EmailMessage) -> None:
        """Returns once the server has taken it. Raises PutOff, Rejected or Unclear."""
        try:
            self._connection.send_messages([mail])
        except smtplib.SMTPRecipientsRefused as error:
            ((code, text),) = error.recipients.values()
            raise _refusal(code, text) from error
        except smtplib.SMTPResponseException as error:
            self._close()
            raise _refusal(error.smtp_code, error.smtp_error) from error
        except (smtplib.SMTPNotSupportedError, UnicodeError) as error:
            self._close()
            raise Rejected(_("The mail server cannot write to this address.")) from error
        except (smtplib.SMTPException, OSError) as error:
            self._close()
            raise Unclear(_("The mail server's answer was lost (%s).") % type(error).__name__) from error

    def _close(self) -> None:
        with suppress(smtplib.SMTPException, OSError):
            self._connection.close()


def _refusal(code: int, text: bytes | str) -> Exception:
    said = text.decode("utf-8", "replace") if isinstance(text, bytes) else text
    if code == SHUTTING_DOWN:
        return Closing(f"{code} {said}")
    if 400 <= code < 500:
        return PutOff(f"{code} {said}")
    if 500 <= code < 600:
        return Rejected(f"{code} {said}")
    return Unclear(f"{code} {said}")


class _Listener(logging.Handler):
    """Hears from apprise, which only answers yes or no, whether there was a connection at all, and what was said."""

    # As urllib3 calls what went wrong before the first byte was handed over.
    NO_CONNECTION = ("NewConnectionError(", "ConnectTimeoutError(", "NameResolutionError(")
    # As all of its services end the line about an answer that is no yes.
    ANSWER = re.compile(r"\AFailed to send .*\berror=(\d{3,5})\.\Z", re.DOTALL)

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self._caller = threading.get_ident()
        self.no_connection = False
        self._answers: set[int] = set()

    @property
    def status(self) -> int | None:
        """The answer as a status of HTTP; none where there was none, or not one alone."""
        if len(self._answers) != 1:
            return None
        [answer] = self._answers
        # Twilio has numbers of its own: the status after 20, and 21 before what is wrong with the order.
        return {20: answer % 1000, 21: 400}.get(answer // 1000, answer)

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage() if record.thread == self._caller else ""
        if said.startswith("Socket Exception"):
            self.no_connection |= any(cause in said for cause in self.NO_CONNECTION)
        elif answer := self.ANSWER.search(said):
            self._answers.add(int(answer[1]))


@contextmanager
def _listening() -> Iterator[_Listener]:
    lines, listener = logging.getLogger("apprise"), _Listener()
    # Its lines name the number, so that nobody else may hear them.
    lines.propagate = False
    lines.setLevel(logging.DEBUG)
    lines.addHandler(listener)
    try:
        yield listener
    finally:
        lines.removeHandler(listener)
        lines.setLevel(logging.CRITICAL + 1)
        lines.propagate = True


def send_sms(*, to: str, text: str, key: str) -> None:
    """Hand `text` to the SMS gateway; `key` lets it recognise a repetition.

    Raises Unreachable, PutOff, Rejected or Unclear.

    The gateway is an address that apprise understands, with {to} in the place of the number and, where the provider
    takes one, {key} in that of its idempotency key.
    """
    if not settings.SMS_URL:
        raise Rejected(_("No gateway for text messages is configured."))
    if gsm.parts(text) > settings.SMS_PARTS:
        raise Rejected(_("The text message is too long: it would be sent in %d parts.") % gsm.parts(text))
    try:
        import apprise
    except ImportError as error:
        raise Rejected(_("Text messages need apprise: install the extra “sms”.")) from error
    gateway = apprise.Apprise()
    address = settings.SMS_URL.replace("{to}", quote(to, safe="")).replace("{key}", quote(key, safe=""))
    with _listening() as listener:
        if not gateway.add(address):
            raise Rejected(_("The address of the gateway for text messages is not understood."))
        handed_over = gateway.notify(body=text, body_format=apprise.NotifyFormat.TEXT)
    if listener.no_connection:
        raise Unreachable(_("The gateway for text messages cannot be reached."))
    if handed_over:
        return
    if listener.status in HAVE_ENOUGH:
        raise PutOff(_("The gateway for text messages takes none for now (%d).") % listener.status)
    if listener.status and 400 <= listener.status < 500:
        raise Rejected(_("The gateway for text messages refused it (%d).") % listener.status)
    # It may have gone all the same, so that it is not sent again blindly.
    raise Unclear(_("The gateway for text messages gave no clear answer."))
