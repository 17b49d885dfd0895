"""What the desk records of a visit: done, or refused in words; and the visit's own page."""

from dataclasses import replace

import pytest
import time_machine
from django.urls import reverse

from clinic.models import Appointment
from clinic.services import booking
from patients.models import RecordView
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_desk_move import fields
from tests.world import NOW, at
from treatments.models import Series

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(at("2026-03-03 10:40"), tick=False):
        yield client


@pytest.fixture
def visit(world):
    world.protocol.no_show = "repeat"
    world.protocol.save()
    return book(world, a_visit(world, session=world.a_series().sessions.get(number=1)))


def act(desk, visit, action, **kwargs):
    return desk.post(reverse(f"desk:appointment-{action}", args=[visit.pk]), kwargs.pop("data", {}), **kwargs)


def said(response) -> str:
    return " ".join(str(message) for message in response.context["messages"])


def status(visit) -> str:
    return Appointment.objects.get(pk=visit.pk).status


@pytest.mark.parametrize(
    ("action", "becomes", "answer"),
    [
        pytest.param("arrive", "arrived", "Amal Osei is here, 40 min late.", id="arrived"),
        pytest.param("attend", "fulfilled", "Amal Osei: attended.", id="attended"),
        pytest.param(
            "no-show", "no_show", "Amal Osei did not come. The session is to be booked again.", id="did not come"
        ),
    ],
)
def test_a_press_records_it_and_comes_back_to_where_it_was(desk, world, visit, action, becomes, answer):
    response = act(desk, visit, action, data={"back": "/desk/?day=2026-03-03"}, follow=True)

    assert status(visit) == becomes
    assert response.redirect_chain == [(f"/desk/?day=2026-03-03#visit-{visit.pk}", 302)]
    assert said(response) == answer
    assert Appointment.objects.get(pk=visit.pk).status_by == world.desk


@pytest.mark.parametrize("action", ["arrive", "attend", "no-show"])
def test_the_second_of_two_presses_is_told_what_is_recorded_already(desk, visit, action):
    act(desk, visit, action)

    response = act(desk, visit, action, follow=True)

    assert response.status_code == 200
    assert "already recorded" in said(response)


@pytest.mark.parametrize(
    ("before", "action", "answer"),
    [
        pytest.param(booking.no_show, "arrive", "already recorded as: did not come", id="arrived after a no-show"),
        pytest.param(booking.attend, "no-show", "already recorded as: attended", id="no-show after attendance"),
        pytest.param(booking.attend, "arrive", "already recorded as: attended", id="arrived after attendance"),
    ],
)
def test_what_another_did_in_between_is_said(desk, world, visit, before, action, answer):
    before(appointment=visit, by=world.manager, now=at("2026-03-03 10:30"))

    assert answer in said(act(desk, visit, action, follow=True))


def test_with_htmx_the_answer_is_the_row_alone_and_what_is_to_be_said(desk, visit):
    response = act(desk, visit, "arrive", headers=HTMX)

    page = response.content.decode()
    assert page.strip().startswith(f'<li class="day-visit day-visit-arrived" id="visit-{visit.pk}">')
    assert page.count("<li") == 1
    assert 'hx-swap-oob="innerHTML"' in page
    assert "Amal Osei is here, 40 min late." in page
    assert "<html" not in page


def test_with_htmx_a_refusal_shows_the_row_as_it_is_now(desk, world, visit):
    booking.attend(appointment=visit, by=world.manager, now=at("2026-03-03 10:30"))

    page = act(desk, visit, "arrive", headers=HTMX).content.decode()

    assert "day-visit-fulfilled" in page
    assert "already recorded as: attended" in page


@pytest.mark.parametrize("action", ["arrive", "attend", "no-show"])
def test_looking_changes_nothing(desk, visit, action):
    desk.get(reverse(f"desk:appointment-{action}", args=[visit.pk]), follow=True)

    assert status(visit) == "booked"


@pytest.mark.parametrize("action", ["arrive", "attend", "no-show", "change/cancel"])
@pytest.mark.parametrize("pk", [1, 10**30], ids=["no such visit", "no such number"])
def test_a_visit_that_is_not_there_is_not_found(desk, action, pk):
    assert desk.post(f"/desk/appointments/{pk}/{action}/", {"reason": "ill"}).status_code == 404


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)", "", "desk"]
)
def test_nobody_is_sent_to_another_place(desk, visit, back):
    response = act(desk, visit, "arrive", data={"back": back})

    assert response["Location"] == f"{reverse('desk:appointment', args=[visit.pk])}#visit-{visit.pk}"


def test_with_the_last_session_the_answer_says_what_follows(desk, world):
    series = world.a_series(count=1, decision_note="Dr Roe")
    last = book(world, a_visit(world, session=series.sessions.get()))

    answer = said(act(desk, last, "attend", follow=True))

    assert Series.objects.get(pk=series.pk).state == "completed"
    assert answer == "Amal Osei: attended. The series is complete. Maintenance is due from Thu 3 Sep 2026."


def cancel(desk, visit, reason: str):
    """Open the question, and press as it stands."""
    address = reverse("desk:appointment-change", args=[visit.pk, "cancel"])
    page = desk.get(address)
    return desk.post(address, {**fields(page), "reason": reason, "save": "1"}, follow=True)


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        pytest.param("   ", "Note why it is cancelled.", id="none"),
        pytest.param("x" * 201, "Say it in 200 characters at most.", id="too long"),
    ],
)
def test_cancelling_needs_a_reason_beside_whose_box_it_is_said(desk, visit, reason, said):
    response = cancel(desk, visit, reason)

    page = response.content.decode()
    assert response.status_code == 422
    assert f'id="reason-problem">{said}<' in page
    assert reason.strip() in page
    assert status(visit) == "booked"


def test_cancelling_leads_to_booking_the_session_again(desk, visit):
    response = cancel(desk, visit, "ill")

    cancelled = Appointment.objects.get(pk=visit.pk)
    assert (cancelled.status, cancelled.cancel_reason) == ("cancelled", "ill")
    page = response.content.decode()
    assert "Book this session again" in page
    assert reverse("desk:series-book", args=[visit.session.series_id]) in page


def test_what_was_attended_meanwhile_is_not_cancelled(desk, world, visit):
    address = reverse("desk:appointment-change", args=[visit.pk, "cancel"])
    shown = fields(desk.get(address))
    booking.attend(appointment=visit, by=world.manager, now=at("2026-03-03 10:30"))

    page = desk.post(address, {**shown, "reason": "caught a cold", "save": "1"}).content.decode()

    assert "This cannot be done with this visit any more." in page
    assert status(visit) == "fulfilled"


def test_once_it_is_booked_again_the_page_leads_there(desk, world, visit):
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)
    again = book(world, a_visit(world, "2026-03-05 10:00", session=visit.session))

    page = desk.get(reverse("desk:appointment", args=[visit.pk])).content.decode()

    assert reverse("desk:appointment", args=[again.pk]) in page
    assert "Book this session again" not in page


def test_a_cancelled_plain_visit_does_not_claim_another_plain_visit_as_its_successor(desk, world):
    plain = book(world, a_visit(world))
    booking.cancel(appointment=plain, reason="ill", by=world.desk, now=NOW)
    book(world, a_visit(world, "2026-03-05 10:00"), world.a_patient())

    response = desk.get(reverse("desk:appointment", args=[plain.pk]))

    assert response.context["booked_again"] is None


def test_the_page_says_when_where_with_whom_and_in_which_phases(desk, visit):
    page = desk.get(reverse("desk:appointment", args=[visit.pk])).content.decode()

    for words in (
        "Tue 3 Mar 2026, 10:00",
        "11:15",
        "Room 1",
        "Ada",
        "Pen 1",
        "session 1 of 3",
        "10:00–10:30",
        "Numbing",
    ):
        assert words in page


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        pytest.param("Europe/Berlin", "Tue 3 Mar, 11:00 where the patient is (Europe/Berlin)", id="an hour ahead"),
        pytest.param("Europe/Lisbon", None, id="another zone, the same time"),
        pytest.param(None, None, id="none of their own"),
    ],
)
def test_another_zone_is_named_only_where_its_clocks_differ(desk, world, visit, zone, shown):
    world.patient.time_zone = zone
    world.patient.save()

    page = desk.get(reverse("desk:appointment", args=[visit.pk])).content.decode()

    assert ("where the patient is" in page) == (shown is not None)
    assert shown is None or shown in page


def test_the_history_tells_in_words_what_happened_and_by_whom(desk, world, visit):
    world.manager.first_name, world.manager.last_name = "Mona", "Manager"
    world.manager.save()
    moved = replace(
        a_visit(world, session=visit.session), starts_at=at("2026-03-03 10:15"), practitioner=world.practitioners[1]
    )
    booking.move(appointment=visit, visit=moved, by=world.manager, now=NOW)
    booking.arrive(appointment=visit, by=world.manager, now=at("2026-03-03 10:10"))
    cancel(desk, visit, "felt unwell")

    history = desk.get(reverse("desk:appointment", args=[visit.pk])).context["history"]

    assert [(line.text, line.by) for line in history] == [
        ("Cancelled: felt unwell", "desk@example.com"),
        ("Arrived", "Mona Manager"),
        ("Practitioner: Ben instead of Ada", ""),
        ("Moved from Tue 3 Mar 2026, 10:00 to Tue 3 Mar 2026, 10:15", ""),
        ("Booked for Tue 3 Mar 2026, 10:00", "desk@example.com"),
    ]


def test_the_look_at_a_visit_is_recorded(desk, world, visit):
    desk.get(reverse("desk:appointment", args=[visit.pk]))

    assert list(RecordView.objects.values_list("patient", "user", "page")) == [
        (world.patient.pk, world.desk.pk, "desk:appointment")
    ]


def test_the_number_of_queries_does_not_grow_with_the_history(desk, world, visit, django_assert_max_num_queries):
    page = reverse("desk:appointment", args=[visit.pk])
    desk.get(page)

    def queries() -> int:
        # Session, account, second factor; the visit, the look at it, devices, events, people, places; what can be
        # undone, and what is asked before the visit; as the patient is late, what the visit holds and who comes after.
        # No more for a longer history.
        with django_assert_max_num_queries(18) as seen:
            desk.get(page)
        return len(seen)

    def move(n: int) -> None:
        other = replace(a_visit(world, session=visit.session), practitioner=world.practitioners[n % 2 - 1])
        booking.move(appointment=visit, visit=other, by=world.desk, now=NOW)

    # Once something has happened, there is something to undo, and that is looked for too.
    move(0)
    before = queries()
    for n in range(1, 5):
        move(n)

    assert queries() == before
