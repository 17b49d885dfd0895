"""What the log tells, and what it never does."""

import json
import logging

import pytest
import structlog

from config import logs


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
