"""What the log says of a request: the address, but not the secrets that open something to whoever reads them.

And of a failure: where it was, but not the values that the database names when it refuses a row.
"""

import logging
import re
import sys
import traceback
from collections.abc import Iterator

import psycopg
import structlog
from django.db import Error as DjangoDatabaseError
from django_structlog.middlewares import RequestMiddleware

# The link in a reminder, a private calendar, and where the gateway for text messages calls.
SECRET = re.compile(r"(/r/|/my/calendar/|/hooks/sms/)[A-Za-z0-9_-]{8,}")


def masked(text: str) -> str:
    return SECRET.sub(r"\1…", text)


def without_values(text: str, error: BaseException | None) -> str:
    """`text` with what `error` says of itself, where the database said it: that quotes the row."""
    for one in _chain(error):
        refusal = one if isinstance(one, psycopg.Error) else one.__cause__
        by_database = isinstance(one, psycopg.Error | DjangoDatabaseError) and isinstance(refusal, psycopg.Error)
        # Without a state it comes from the driver, as when there is no connection.
        if by_database and refusal.sqlstate and str(one):
            for said in (str(one), repr(str(one))[1:-1]):
                text = text.replace(said, _in_short(refusal))
    return text


def _in_short(refusal: psycopg.Error) -> str:
    return " ".join(word for word in (refusal.sqlstate, refusal.diag.constraint_name) if word)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    met, waiting = set(), [error]
    while waiting:
        one = waiting.pop()
        if one is None or id(one) in met:
            continue
        met.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def traceback_of(exc_info) -> str:
    return without_values("".join(traceback.format_exception(*exc_info)).rstrip(), exc_info[1])


def _without_values(_logger, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Some name the error beside its traceback."""
    told = {key: repr(said) if isinstance(said, BaseException) else said for key, said in event.items()}
    exc_info = event.get("exc_info")
    at_hand = exc_info[1] if isinstance(exc_info, tuple) else exc_info
    errors = [said for said in (at_hand, sys.exception(), *event.values()) if isinstance(said, BaseException)]
    for error in errors:
        told = {key: without_values(said, error) if isinstance(said, str) else said for key, said in told.items()}
    return told | ({"exc_info": exc_info} if "exc_info" in event else {})


class RequestLog(RequestMiddleware):
    """One line when a request begins, one when it is answered."""

    @staticmethod
    def format_request(request) -> str:
        # Without what follows the question mark: forms sent by GET carry what was typed.
        return f"{request.method} {masked(request.path)}"


class WithoutSecrets(logging.Filter):
    """Django's own lines about refused and failed requests name the address too, and with the failure its values."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = masked(record.getMessage()), None
        if record.exc_info and record.exc_info[1]:
            record.msg = without_values(record.msg, record.exc_info[1])
            # What formatters print in the place of their own.
            record.exc_text = traceback_of(record.exc_info)
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
            _without_values,
            structlog.processors.ExceptionRenderer(traceback_of),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
