"""The worklist's pages: who may, what the address holds, what a press does, and the file."""

import csv
import re
from datetime import date
from io import StringIO

import pytest
import time_machine
from django.contrib.auth.models import User
from django.urls import reverse

from clinic.models import CallRequest, Message, Sending, WorklistHold, WorklistNote
from clinic.services import worklist
from clinic.services.worklist_rows import TABS
from patients.models import Patient
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_worklist import a_cycle, a_message, attended, note, on
from tests.world import NOW
from treatments.models import Maintenance

pytestmark = pytest.mark.django_db

LIST = "/desk/worklist/"


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def test_without_a_site_the_list_says_what_to_do(client):
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", "x"))

    page = client.get(LIST)

    assert page.status_code == 200
    assert "There is no site yet" in page.content.decode()


def row_url(kind, row, name="worklist-row") -> str:
    return reverse(f"desk:{name}", args=[kind, row.pk])


def press(client, kind, row, action, *, follow=False, **said):
    page = client.get(row_url(kind, row))
    seen = page.context[action]["seen"].value() if page.status_code == 200 else 0
    address = f"{row_url(kind, row)}?tab=due&days=28"
    return client.post(address, {"action": action, "seen": seen, **said}, follow=follow)


def one_of_each(world) -> None:
    """A row on every list."""
    a_cycle(world)
    a_cycle(world, due=date(2026, 1, 1))
    a_cycle(world, state="waiting")
    series = world.a_series()
    attended(world, series, 1, date(2026, 2, 2))
    CallRequest.objects.create(patient=world.patient, message=a_message(world), asked_at=NOW)
    a_cycle(world, state="lapsed", settled_at=NOW)


# --- The list ---------------------------------------------------------------------------------


@pytest.mark.parametrize("tab", TABS)
def test_every_list_opens_with_its_rows_and_the_counts_of_all(desk, world, tab):
    one_of_each(world)

    answer = desk.get(LIST, {"tab": tab})

    assert answer.status_code == 200
    counts = {other.name: int(count) for other, count, _address in answer.context["tabs"]}
    assert counts == {
        "to-book": 1,
        "due": 1,
        "overdue": 1,
        "decide": 1,
        "calls": 1,
        "messages": 1,
        "cancelled": 0,
        "ended": 1,
        "unfit": 0,
    }
    assert len(answer.context["rows"]) == counts[tab]


@pytest.mark.parametrize("tab", TABS)
def test_an_empty_list_says_so(desk, tab):
    assert "Nothing to do here" in desk.get(LIST, {"tab": tab}).content.decode()


def test_no_address_on_the_page_holds_a_name(desk, world):
    one_of_each(world)
    for tab in TABS:
        page = desk.get(LIST, {"tab": tab}).content.decode()
        addresses = re.findall(r'(?:href|action)="([^"]*)"', page)

        assert addresses
        assert not [address for address in addresses if "Osei" in address or "Amal" in address]


@pytest.mark.parametrize(
    "query",
    [
        "tab=x",
        "tab=due&site=x&days=x&after=x",
        "site=999999&days=999999",
        "days=-1",
        "site=9999999999999999999999",
        "tab=due&after=9999-12-31~9999999999999999999999",
        "tab=messages&after=%00~1",
        "tab=%00",
    ],
)
def test_an_odd_address_opens_the_list(desk, world, query):
    a_cycle(world)

    assert desk.get(f"{LIST}?{query}").status_code == 200
    assert desk.get(f"/desk/worklist/csv/?{query}").status_code == 200


def test_the_days_that_count_are_shown_as_chosen(desk):
    assert 'value="14" selected' in desk.get(LIST).content.decode()
    assert 'value="28" selected' in desk.get(LIST, {"days": "28"}).content.decode()
    assert 'value="14" selected' in desk.get(LIST, {"days": "x"}).content.decode()


def test_a_list_costs_the_same_number_of_queries_however_long_it_is(desk, world, django_assert_max_num_queries):
    for n in range(12):
        a_cycle(world, world.a_patient(f"P{n}"))

    # Eight of them read the rota and what is booked ahead, whatever stands on the list.
    with django_assert_max_num_queries(26):
        assert len(desk.get(LIST, {"tab": "due"}).context["rows"]) == 12


# --- One row ----------------------------------------------------------------------------------


def test_opening_a_row_shows_others_that_somebody_is_at_it(desk, client, world):
    cycle = a_cycle(world)

    answer = desk.post(row_url("maintenance", cycle, "worklist-take"), follow=True)

    assert "You are on it until 08:10" in answer.content.decode()
    client.force_login(world.manager)
    assert "desk@example.com is on it" in client.get(LIST, {"tab": "due"}).content.decode()
    assert "desk@example.com is on it until 08:10" in client.get(row_url("maintenance", cycle)).content.decode()


def test_looking_at_a_row_takes_nothing(desk, world):
    cycle = a_cycle(world)

    desk.get(row_url("maintenance", cycle))
    desk.get(row_url("maintenance", cycle, "worklist-take"))

    assert not WorklistHold.objects.exists()


def test_what_somebody_else_is_at_is_refused_until_it_is_taken_over(desk, world):
    cycle = a_cycle(world)
    worklist.take(subject=on("maintenance", cycle), by=world.manager, now=NOW)

    refused = press(desk, "maintenance", cycle, "call", outcome="reached", text="wants June")
    assert refused.status_code == 422
    assert "manager@example.com is on it" in refused.content.decode()
    assert "wants June" in refused.content.decode()
    assert not WorklistNote.objects.exists()

    desk.post(row_url("maintenance", cycle, "worklist-take"), {"over": "1"})
    assert press(desk, "maintenance", cycle, "call", outcome="reached").status_code == 302


def test_what_somebody_else_did_meanwhile_is_told(desk, world):
    cycle = a_cycle(world)
    seen = desk.get(row_url("maintenance", cycle)).context["call"]["seen"].value()
    note(world, on("maintenance", cycle), "no_answer", by=world.manager)

    answer = desk.post(row_url("maintenance", cycle), {"action": "call", "outcome": "reached", "seen": seen})

    assert "manager@example.com has dealt with this meanwhile" in answer.content.decode()
    assert WorklistNote.objects.count() == 1


def test_book_takes_the_row_and_leads_to_where_it_is_booked(desk, world):
    cycle, session = a_cycle(world), world.a_series().sessions.get(number=1)

    to_cycle = desk.post(row_url("maintenance", cycle, "worklist-take"), {"book": "1"})
    to_session = desk.post(row_url("session", session, "worklist-take"), {"book": "1"})

    assert to_cycle["Location"] == f"/desk/patients/{world.patient.pk}/visits/new/?maintenance={cycle.pk}"
    assert to_session["Location"] == reverse("desk:series-book", args=[session.series_id])
    assert WorklistHold.objects.count() == 2


def test_what_waits_for_the_clinician_leads_to_the_decision(desk, world):
    cycle = a_cycle(world, state="waiting")

    answer = desk.post(row_url("maintenance", cycle, "worklist-take"), {"book": "1"})

    assert answer["Location"] == reverse("desk:maintenance-decide", args=[cycle.pk])


@pytest.mark.parametrize(
    ("action", "said", "words"),
    [
        pytest.param("call", {"outcome": "reached"}, "It comes back on Mon 9 Mar 2026", id="reached"),
        pytest.param("call", {"outcome": "no_answer"}, "It comes back on Wed 4 Mar 2026", id="no answer"),
        pytest.param("call", {"outcome": "call_back", "until": "2026-03-20"}, "Fri 20 Mar 2026", id="call back"),
        pytest.param("snooze", {"until": "2026-04-01"}, "Wed 1 Apr 2026", id="later"),
        pytest.param("snooze", {"until": "+2w"}, "Mon 16 Mar 2026", id="later, in words"),
        pytest.param("decline", {"text": "too dear"}, "Kept: Amal Osei does not want it.", id="declined"),
    ],
)
def test_what_was_done_is_said_and_the_list_comes_back_as_it_was(desk, world, action, said, words):
    answer = press(desk, "maintenance", a_cycle(world), action, **said)

    assert answer["Location"] == f"{LIST}?tab=due&days=28"
    page = desk.get(answer["Location"]).content.decode()
    assert words in page
    assert "Nothing to do here" in page


def test_declining_a_session_says_first_what_it_stops_and_then_whose_course_it_was(desk, world):
    first = world.a_series().sessions.get(number=1)
    page = desk.get(row_url("session", first)).content.decode()
    assert page.count("Stop the course: 3 sessions will not be booked.") == 2
    answer = press(desk, "session", first, "decline", text="too dear")

    page = desk.get(answer["Location"]).content.decode()
    assert "Amal Osei does not want it: the course is stopped." in page


def test_nothing_is_chosen_before_a_call_is_logged(desk, world):
    page = desk.get(row_url("maintenance", a_cycle(world))).content.decode()

    assert not re.search(r'<input[^>]*type="radio"[^>]*checked', page)


@pytest.mark.parametrize(
    ("action", "said", "words"),
    [
        pytest.param("call", {"outcome": "call_back"}, "Choose the day to call back", id="call back without a day"),
        pytest.param("call", {"outcome": "call_back", "until": "2026-03-01"}, "a day after today", id="yesterday"),
        pytest.param("call", {"outcome": "shouted"}, "valid choice", id="no such outcome"),
        pytest.param("call", {}, "required", id="nothing"),
        pytest.param("snooze", {"until": "x"}, "Enter a day, such as", id="no date"),
        pytest.param("snooze", {"until": "2099-12-31"}, "within a year", id="far ahead"),
        pytest.param("decline", {}, "Note why", id="declined without a word"),
        pytest.param("decline", {"text": "\0"}, "Null characters", id="a control character"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_kept(desk, world, action, said, words):
    cycle = a_cycle(world)

    answer = press(desk, "maintenance", cycle, action, **said)

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not WorklistNote.objects.exists()


@pytest.mark.parametrize(
    "address",
    ["x/1/", "session/0/", "maintenance/99999999999999999999/", "message/1/", "appointment/1/take/", "patient/1/"],
)
def test_an_odd_row_is_not_found(desk, address):
    assert desk.get(f"{LIST}{address}").status_code == 404
    assert desk.post(f"{LIST}{address}").status_code == 404


@pytest.mark.parametrize("action", ["", "x", "retry"])
def test_an_unknown_press_changes_nothing(desk, world, action):
    assert desk.post(row_url("maintenance", a_cycle(world)), {"action": action, "seen": 0}).status_code == 200
    assert not WorklistNote.objects.exists()


def test_a_failed_message_is_sent_again_and_one_in_doubt_is_settled(desk, world):
    visit = book(world, a_visit(world, "2026-03-10 10:00"))
    Message.objects.all().delete()
    failed = a_message(world, appointment=visit)
    doubtful = a_message(world, state="unknown", channel="sms", handed_over=1)

    assert press(desk, "message", failed, "retry").status_code == 302
    assert "It is on its way." in desk.get(LIST).content.decode()
    page = desk.get(row_url("message", doubtful)).content.decode()
    assert "It may have arrived" in page
    assert 'value="retry"' not in page
    assert press(desk, "message", doubtful, "retry").status_code == 422
    assert press(desk, "message", doubtful, "settle", arrived="yes", text="rang").status_code == 302

    states = dict(Message.objects.values_list("pk", "state"))
    assert states == {failed.pk: "pending", doubtful.pk: "sent"}


def test_what_is_not_sent_again_says_why_and_what_waits_says_until_when(desk, world):
    visit = book(world, a_visit(world, "2026-03-10 10:00"))
    failed, gone = a_message(world, appointment=visit), a_message(world)
    Sending.objects.create(pk=1, paused_at=NOW, paused_by=world.manager)

    assert "sending is paused" in press(desk, "message", failed, "retry", follow=True).content.decode()
    answer = press(desk, "message", gone, "retry")

    assert answer.status_code == 422
    assert "It would not be sent:" in answer.content.decode()


def test_what_a_patient_answered_is_read_where_the_call_is_logged(desk, world):
    request = CallRequest.objects.create(patient=world.patient, said="Cannot come\n<b>sorry</b>", asked_at=NOW)

    assert "Answer to a text message" in desk.get(LIST, {"tab": "calls"}).content.decode()
    page = desk.get(row_url("call", request)).content.decode()

    assert "What the patient wrote" in page
    assert "Cannot come<br>&lt;b&gt;sorry&lt;/b&gt;" in page
    assert press(desk, "call", request, "call", outcome="reached").status_code == 302
    request.refresh_from_db()
    assert request.done_by == world.desk


def test_every_kind_of_row_opens(desk, world):
    one_of_each(world)
    for tab in TABS:
        for row in desk.get(LIST, {"tab": tab}).context["rows"]:
            answer = desk.get(reverse("desk:worklist-row", args=[row.kind, row.key]))
            assert answer.status_code == 200
            assert "Amal Osei" in answer.content.decode()


# --- Who may, and the file --------------------------------------------------------------------


@pytest.mark.parametrize("address", ["", "csv/", "maintenance/1/", "maintenance/1/take/"])
def test_it_is_for_staff(client, world, address):
    assert client.get(LIST + address).status_code == 302
    create_account(patient=world.patient, by=world.desk, now=NOW)
    client.force_login(User.objects.get(patient=world.patient))
    assert client.get(LIST + address).status_code == 404
    assert client.post(LIST + address).status_code == 404


def test_the_file_has_every_row_and_no_formula(desk, world):
    a_cycle(world)
    Patient.objects.filter(pk=world.patient.pk).update(given_name="=HYPERLINK(1)", phone="+447700900123")

    answer = desk.get("/desk/worklist/csv/", {"tab": "due"})

    table = list(csv.reader(StringIO(answer.content.decode("utf-8-sig"))))
    assert table[0][:3] == ["Patient", "Phone", "E-mail"]
    assert table[1][:4] == ["'=HYPERLINK(1) Osei", "'+447700900123", "amal@example.com", "Microneedling, maintenance 1"]
    assert answer["Content-Disposition"] == 'attachment; filename="worklist-due-2026-03-02.csv"'
    assert "no-store" in answer["Cache-Control"]


def test_the_file_keeps_the_filters(desk, world):
    a_cycle(world, due=date(2026, 3, 20))

    lengths = {
        days: len(desk.get("/desk/worklist/csv/", {"tab": "due", "days": days}).content.splitlines())
        for days in (7, 28)
    }

    assert lengths == {7: 1, 28: 2}
    assert Maintenance.objects.get().state == "scheduled"


# --- What ended without a visit ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("action", "state", "said"),
    [
        pytest.param("reopen", "scheduled", "Opened again.", id="opened again"),
        pytest.param("see", "lapsed", "Kept. The row has left the list.", id="seen"),
    ],
)
def test_what_has_lapsed_is_opened_again_or_seen_by_a_press(desk, world, action, state, said):
    cycle = a_cycle(world, due=date(2025, 1, 10), state="lapsed", settled_at=NOW)
    with time_machine.travel(NOW.replace(hour=9), tick=False):
        answer = press(desk, "maintenance", cycle, action, text="asks")

        assert answer.status_code == 302
        assert said in desk.get(LIST, {"tab": "ended"}).content.decode()
        cycle.refresh_from_db()
        assert cycle.state == state
        assert desk.get(LIST, {"tab": "ended"}).context["rows"] == []


def test_the_page_of_a_maintenance_that_has_ended_leads_to_opening_it_again(desk, world):
    cycle = a_cycle(world, state="declined", settled_at=NOW, reason="too dear")

    page = desk.get(reverse("desk:maintenance-decide", args=[cycle.pk])).content.decode()

    assert row_url("maintenance", cycle) in page
