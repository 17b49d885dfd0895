"""How a message leaves the house, and what the provider said to it."""

import smtplib
from contextlib import suppress
from types import TracebackType
from typing import Self

from django.core.mail import EmailMessage, get_connection
from django.utils.translation import gettext as _


class Unreachable(Exception):
    """There is no connection to the provider. Nothing was handed over."""


class PutOff(Exception):
    """The provider refused it for now."""


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
    if 400 <= code < 500:
        return PutOff(f"{code} {said}")
    if 500 <= code < 600:
        return Rejected(f"{code} {said}")
    return Unclear(f"{code} {said}")


def send_sms(*, to: str, text: str, key: str) -> None:
    """Hand `text` to the SMS gateway; `key` lets it recognise a repetition. Raises PutOff, Rejected or Unclear."""
    raise Rejected(_("No gateway for text messages is configured."))
