"""What the log says of a request: the address, but not the secrets that open something to whoever reads them."""

import logging
import re

from django_structlog.middlewares import RequestMiddleware

# The link in a reminder, a private calendar, and where the gateway for text messages calls.
SECRET = re.compile(r"(/r/|/my/calendar/|/hooks/sms/)[A-Za-z0-9_-]{8,}")


def masked(text: str) -> str:
    return SECRET.sub(r"\1…", text)


class RequestLog(RequestMiddleware):
    """One line when a request begins, one when it is answered."""

    @staticmethod
    def format_request(request) -> str:
        # Without what follows the question mark: forms sent by GET carry what was typed.
        return f"{request.method} {masked(request.path)}"


class WithoutSecrets(logging.Filter):
    """Django's own lines about refused and failed requests name the address too."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        return True
