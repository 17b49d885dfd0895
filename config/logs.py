"""What the log says of a request: the address, but not the secrets that open something to whoever reads them."""

import logging
import re

import structlog
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


def configure() -> None:
    """Lines as JSON, through the standard logging, so that one level and one filter hold for all.

    A failure is told by a plain traceback: the richer kinds print every variable, and with them who the patient is.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_logger_name,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso"),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
