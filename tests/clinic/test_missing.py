"""What stands on a card as missing, and from when."""

from datetime import date, timedelta

import pytest

from clinic.services import missing
from clinic.services.screening import State

DAY = date(2026, 3, 20)
PHASES = [{"room": True}, {"room": True, "practitioner": True}]


@pytest.mark.parametrize(
    ("ahead", "found", "said"),
    [
        pytest.param(8, State(open=True), (), id="weeks ahead the want of answers is no news"),
        pytest.param(7, State(open=True), ("screening missing",), id="a week before it is"),
        pytest.param(0, State(open=True), ("screening missing",), id="on the day"),
        pytest.param(-1, State(open=True), ("screening missing",), id="and after"),
        pytest.param(2, State(open_from=DAY), (), id="what cannot be answered yet is not missed"),
        pytest.param(60, State("stop"), ("screening: stop",), id="an answer is always news"),
        pytest.param(60, State("ask"), ("screening: ask",), id="also one that is to be asked about"),
        pytest.param(60, State("ask", open=True), ("screening: ask",), id="far ahead that alone"),
        pytest.param(
            1, State("stop", open=True), ("screening: stop", "screening missing"), id="neither hides the other"
        ),
        pytest.param(0, State(answered=True), (), id="all is well"),
        pytest.param(0, None, (), id="nothing is asked"),
    ],
)
def test_from_when_screening_is_missing(ahead, found, said):
    assert missing.screening_words(found, day=DAY, today=DAY - timedelta(days=ahead)) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param({}, (), id="nothing"),
        pytest.param({"reachable": False}, ("no phone or e-mail",), id="no way to reach them"),
        pytest.param({"practitioner": ""}, ("no practitioner",), id="nobody to treat them"),
        pytest.param({"practitioner": None, "phases": [{"room": True}]}, (), id="nobody is needed"),
        pytest.param({"room": None}, ("no room",), id="nowhere"),
        pytest.param({"room": None, "phases": []}, (), id="no room is needed"),
        pytest.param(
            {"screened": ("screening missing",), "room": ""}, ("no room", "screening missing"), id="two things"
        ),
    ],
)
def test_what_is_missing(change, said):
    whole = {"reachable": True, "practitioner": "Ada", "room": "Room 1", "phases": PHASES, "screened": ()}

    assert missing.words(**whole | change) == said
