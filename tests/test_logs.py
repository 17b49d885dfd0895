"""What the log tells, and what it never does."""

import io
import json
import logging

import pytest
import structlog
from django.db import DataError, IntegrityError, connection, transaction

from config import logs
from patients.models import Patient
from tests.world import NOW, a_clinic


def test_a_failure_is_told_without_the_values_at_hand(caplog):
    patient = "Canary Featherstonehaugh"  # what a traceback with variables would print
    with caplog.at_level(logging.INFO):
        try:
            raise RuntimeError("it failed")
        except RuntimeError:
            structlog.get_logger("clinic").exception("request_failed", code=500)

    line = json.loads(caplog.records[-1].getMessage())
    assert line["event"] == "request_failed"
    assert "RuntimeError: it failed" in line["exception"]
    assert patient not in caplog.text


def refused_by_the_database() -> IntegrityError:
    """With a patient's words in what the database says."""
    world = a_clinic()
    row = {"email": "kanarienvogel@example.com", "notes": "Zwitscherakne\nsince May"}
    row |= {"registered_at": NOW, "registered_by": world.desk}
    with pytest.raises(IntegrityError) as error, transaction.atomic():
        Patient.objects.create(given_name="", **row)
    assert "kanarienvogel" in str(error.value), "else this test could not fail"
    return error.value


def quoted_by_the_database() -> DataError:
    word = "kanarienvogel"  # apart, because a traceback quotes the line below
    with pytest.raises(DataError) as error, transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT %s::integer", [word])
    assert "kanarienvogel" in str(error.value)
    return error.value


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fail", "named"),
    [
        pytest.param(refused_by_the_database, "23514 patient_has_a_name", id="a row"),
        pytest.param(quoted_by_the_database, "22P02", id="a value"),
    ],
)
def test_what_the_database_refused_is_told_by_name_and_never_by_value(caplog, fail, named):
    error = fail()
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    handler.addFilter(logs.WithoutSecrets())
    plain = logging.getLogger("a.library")
    plain.addHandler(handler)
    try:
        try:
            raise RuntimeError("it failed") from error
        except RuntimeError as failure:
            structlog.get_logger("clinic").exception("request_failed", code=500)
            structlog.get_logger("clinic").exception("task_failed", error=str(error))
            plain.exception("Internal Server Error: %s", "/desk/")
            # As Celery has it.
            plain.error("Task raised unexpected: %r", error, exc_info=failure)
    finally:
        plain.removeHandler(handler)

    told = text.getvalue() + "".join(r.getMessage() for r in caplog.records if r.name == "clinic")
    assert told.count(f"{type(error).__name__}: {named}") >= 3
    assert "RuntimeError: it failed" in told
    for word in ("kanarienvogel", "Zwitscherakne", "since May"):
        assert word not in told


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("/r/Zk3v9sJx0qLw7TtBn2Yy1A/", id="the link in a reminder"),
        pytest.param("/my/calendar/Zk3v9sJx0qLw7TtBn2Yy1A.ics", id="a private calendar"),
    ],
)
def test_what_opens_something_is_masked(address):
    record = logging.LogRecord("django.request", logging.WARNING, "", 1, "Not Found: %s", (address,), None)

    assert logs.WithoutSecrets().filter(record)

    assert "Zk3v9sJx0q" not in record.getMessage()
    assert record.getMessage().startswith("Not Found: /")
