"""A session more or less in a running course: what the pages show, and what the last press does."""

from datetime import date
from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.models import Appointment, Message
from clinic.services import booking
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_desk_move import said, words
from tests.clinic.test_ripple import series, starts, visit  # noqa: F401
from tests.world import NOW, at
from treatments.models import Series, Session
from treatments.services import series as courses

pytestmark = pytest.mark.django_db

# Three sessions are all that the protocol of the small clinic knows.
DECIDED = {"decision_note": "Dr Fourie, one more for the cheeks"}


@pytest.fixture
def desk(client, world, series):  # noqa: F811
    Message.objects.all().delete()
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def add_address() -> str:
    return reverse("desk:session-add", args=[Series.objects.get().pk])


def drop_address(number: int) -> str:
    return reverse("desk:session-drop", args=[Session.objects.get(number=number).pk])


def fields(page) -> dict[str, object]:
    """What a browser would send back of this page."""
    context = page.context
    data = {
        "key": str(context["key"]),
        "following": context["chosen"],
        "default": context["default"],
        "seen": context["seen"],
        "telling": "1",
        "outside_reason": context["outside_reason"],
        "reason": context["reason"],
        **{f"then-{number}": code for number, code in context["then"]},
        "released": list(context["outlook"].released) if context["outlook"] else [],
    }
    for name in ("number", "pick", "decision_note"):
        if name in context:
            data[name] = context[name]
    if context["tell"] and context["tells"]:
        data["tell"] = "1"
    return data


def look(desk, address: str, **changes):
    return desk.post(address, {**fields(desk.get(address)), **changes, "look": "1"})


def press(desk, address: str, page, **changes):
    return desk.post(address, {**fields(page), **changes, "save": "1"}, follow=True)


def states() -> list[str]:
    return list(Session.objects.order_by("number").values_list("state", flat=True))


class TestAdding:
    def test_times_inside_its_window_are_offered_and_nothing_is_stored_by_looking(self, desk):
        page = desk.get(add_address())

        assert page.context["number"] == 4
        assert all(date(2026, 6, 9) <= offer.starts.date() <= date(2026, 6, 23) for offer in page.context["offers"])
        assert len(page.context["offers"]) == 5
        assert words(page) == {4: "Inside its window"}
        assert len(states()) == 3

    def test_it_is_planned_like_the_last_one(self, desk):
        best = desk.get(add_address()).context["offers"][0]

        assert (best.starts.strftime("%a %H:%M"), best.whom) == ("Tue 10:00", visit(3).practitioner.name)

    def test_one_press_adds_and_books_it_and_the_patient_hears_of_it(self, desk):
        page = desk.get(add_address())
        wanted = page.context["offers"][1]

        answer = press(desk, add_address(), page, pick=wanted.code, **DECIDED)

        assert starts()[4] == f"{wanted.starts:%Y-%m-%d %H:%M}"
        assert "Session 4 is added and booked: " in said(answer)
        assert Message.objects.get().kind == "confirmation"

    def test_it_can_be_left_to_be_booked(self, desk):
        page = look(desk, add_address(), pick="later")
        assert words(page) == {4: "To book"}

        answer = press(desk, add_address(), page, **DECIDED)

        assert states() == ["planned"] * 4
        assert 4 not in starts()
        assert "stays to be booked" in said(answer)
        assert not Message.objects.exists()

    def test_beyond_the_terms_it_needs_who_decided_and_what_was_chosen_stays(self, desk):
        page = desk.get(add_address())
        wanted = page.context["offers"][2].code
        assert page.context["said"] == "3"

        answer = press(desk, add_address(), page, pick=wanted)

        assert answer.status_code == 422
        assert "Note who decided it" in answer.context["note_problem"]
        assert answer.context["pick"] == wanted
        assert len(states()) == 3
        press(desk, add_address(), answer, **DECIDED)
        assert Series.objects.get().decision_note == DECIDED["decision_note"]
        assert len(states()) == 4

    def test_who_decided_before_stays_noted(self, desk):
        Series.objects.update(decision_note="Dr Fourie: three")
        page = look(desk, add_address(), pick="later")
        answer = press(desk, add_address(), page, decision_note="x" * 200)
        assert "Shorten it by 18 characters" in answer.context["note_problem"]

        press(desk, add_address(), page, **DECIDED)

        assert Series.objects.get().decision_note == f"Dr Fourie: three; {DECIDED['decision_note']}"

    def test_inside_the_terms_nobody_has_to_decide(self, desk):
        terms = Series.objects.get().terms_json
        Series.objects.update(terms_json=terms | {"sessions": terms["sessions"] | {"kind": "range", "max": 6}})
        page = desk.get(add_address())
        assert not page.context["needs_decision"]

        press(desk, add_address(), page)

        assert len(states()) == 4
        assert Series.objects.get().decision_note == ""

    def test_as_long_as_an_earlier_session_is_to_book_it_cannot_be_dated(self, desk, world):
        pick = desk.get(add_address()).context["offers"][0].code
        booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
        page = desk.get(add_address())
        assert "Session 3 is still to book" in page.content.decode()
        assert page.context["offers"] == []

        refused = press(desk, add_address(), page, pick=pick, **DECIDED)

        assert refused.status_code == 422
        assert "Session 3 is still to book" in refused.context["problem"]
        assert len(states()) == 3

    def test_a_time_taken_meanwhile_is_told_with_fresh_ones(self, desk, world):
        page = desk.get(add_address())
        lost = page.context["offers"][0]
        for one in (0, 1):
            other = a_visit(world, f"{lost.starts:%Y-%m-%d %H:%M}", who=one, where=one, pen=one)
            book(world, other, patient=world.a_patient())

        answer = press(desk, add_address(), page, **DECIDED)

        assert answer.status_code == 409
        assert "just been taken" in answer.context["problem"]
        assert lost.code not in [offer.code for offer in answer.context["offers"]]
        assert len(states()) == 3
        press(desk, add_address(), answer, **DECIDED)
        assert 4 in starts()

    def test_ten_presses_add_one(self, desk):
        page = desk.get(add_address())
        for _time in range(10):
            answer = press(desk, add_address(), page, **DECIDED)
            assert "Session 4 is added" in said(answer)

        assert len(states()) == 4

    def test_a_course_that_has_changed_since_it_was_shown_is_looked_at_again(self, desk):
        page = desk.get(add_address())
        courses.add(series=Series.objects.get(), **DECIDED)

        answer = press(desk, add_address(), page, key=str(uuid4()), **DECIDED)

        assert answer.status_code == 422
        assert len(states()) == 4

    def test_where_the_window_has_passed_it_needs_the_right_and_a_reason(self, desk, world):
        for number, day in enumerate(["2026-03-03", "2026-04-07"], start=1):
            booking.attend(appointment=visit(number), by=world.desk, now=at(f"{day} 12:00"))
        later = at("2026-10-05 09:00")
        with time_machine.travel(later, tick=False):
            booking.cancel(appointment=visit(3), reason="abroad", by=world.desk, now=later)
            courses.skip(session=Session.objects.get(number=3), reason="abroad", by=world.desk, now=later)
            # The course is complete by that, and goes on only in the test.
            Series.objects.update(state="active", completed_on=None)
            page = look(desk, add_address())
            assert page.context["outside"] == (4,)
            assert press(desk, add_address(), page, **DECIDED).status_code == 422
            desk.force_login(world.manager)

            press(desk, add_address(), page, outside_reason="was abroad", key=str(uuid4()), **DECIDED)

        assert visit(4).outside_window_reason == "was abroad"

    def test_a_course_that_has_ended_gets_no_other(self, desk, world):
        courses.stop(series=Series.objects.get(), reason="moved away", by=world.desk, now=NOW)

        page = desk.get(add_address())

        assert "Only a course that is under way" in page.content.decode()
        assert press(desk, add_address(), page, pick="later", number="4", **DECIDED).status_code == 422
        assert len(states()) == 3

    @pytest.mark.parametrize("number", ["", "x", "9" * 40, "３"], ids=["none", "word", "huge", "wide"])
    @pytest.mark.parametrize("pick", ["", "later", "nonsense", "1:2:3:4"], ids=["no pick", "later", "word", "code"])
    def test_what_nobody_would_send_is_answered_too(self, desk, number, pick):
        answer = desk.post(add_address(), {"number": number, "pick": pick, "save": "1", **DECIDED})

        assert answer.status_code in (409, 422)
        assert len(states()) == 3


class TestDropping:
    def test_it_shows_what_becomes_of_the_later_ones_and_stores_nothing(self, desk, world):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        with time_machine.travel(at("2026-03-04 09:00"), tick=False):
            page = desk.get(drop_address(2))

            # Seventy days after the first: planned again inside its window unless the desk says otherwise.
            assert page.context["chosen"] == "replan"
            assert words(page) == {2: "Left out", 3: "Inside its window"}
            only = look(desk, drop_address(2), following="only")
            assert words(only) == {2: "Left out", 3: "Too late"}
            unbooked = look(desk, drop_address(2), following="unbook")
            assert words(unbooked) == {2: "Left out", 3: "To book"}
        assert states() == ["attended", "planned", "planned"]

    @pytest.mark.parametrize(
        ("following", "third"),
        [("replan", "moved"), ("unbook", "released")],
    )
    def test_the_press_does_what_was_seen_and_undo_brings_it_back(self, desk, world, following, third):
        before = starts()
        page = look(desk, drop_address(1), following=following, reason="Two are enough")

        answer = press(desk, drop_address(1), page)

        assert states() == ["skipped", "planned", "planned"]
        assert "Session 1 is left out." in said(answer)
        assert 1 not in starts()
        cancelled = Appointment.objects.get(session__number=1)
        assert (cancelled.status, cancelled.cancel_reason) == ("cancelled", "Two are enough")
        desk.post(reverse("desk:appointment-undo", args=[cancelled.pk]))
        assert states() == ["planned"] * 3
        assert starts() == before
        assert not Message.objects.filter(state="pending").exists()

    def test_a_session_that_was_to_book_comes_back_with_the_visits_that_were_planned_again(self, desk, world):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        booking.cancel(appointment=visit(2), reason="ill", by=world.desk, now=NOW)
        before = starts()
        with time_machine.travel(at("2026-03-04 09:00"), tick=False):
            page = look(desk, drop_address(2), following="replan", reason="Two are enough")
            press(desk, drop_address(2), page)
            assert states() == ["attended", "skipped", "planned"]
            assert starts() != before

            answer = desk.post(reverse("desk:appointment-undo", args=[visit(3).pk]), follow=True)

        assert "Undone" in said(answer)
        assert states() == ["attended", "planned", "planned"]
        assert starts() == before

    def test_without_a_reason_it_is_refused_beside_the_field(self, desk):
        page = desk.get(drop_address(3))

        answer = press(desk, drop_address(3), page)

        assert answer.status_code == 422
        assert answer.context["reason_problem"] == "Note why the session is left out."
        assert states() == ["planned"] * 3

    def test_what_breaks_needs_the_right_and_a_reason(self, desk, world):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        with time_machine.travel(at("2026-03-04 09:00"), tick=False):
            page = look(desk, drop_address(2), following="only", reason="Two are enough")
            refused = press(desk, drop_address(2), page)
            assert refused.status_code == 422
            assert "Somebody who may decide" in refused.context["problem"]
            desk.force_login(world.manager)

            press(desk, drop_address(2), page, outside_reason="as agreed", key=str(uuid4()))

        assert visit(3).outside_window_reason == "as agreed"
        assert states() == ["attended", "skipped", "planned"]

    def test_the_last_open_one_completes_the_course_and_the_page_says_so(self, desk, world):
        for number, day in enumerate(["2026-03-03", "2026-04-07"], start=1):
            booking.attend(appointment=visit(number), by=world.desk, now=at(f"{day} 12:00"))
        with time_machine.travel(at("2026-04-08 09:00"), tick=False):
            page = desk.get(drop_address(3))
            assert "the course is complete" in page.content.decode()

            press(desk, drop_address(3), page, reason="Enough")

        assert Series.objects.get().completed_on == date(2026, 4, 7)

    def test_a_visit_that_has_begun_is_recorded_and_not_left_out(self, desk, world):
        with time_machine.travel(at("2026-03-03 10:30"), tick=False):
            page = desk.get(drop_address(1))

            assert "Its visit has begun" in page.content.decode()
            assert press(desk, drop_address(1), page, reason="Enough").status_code == 422
        assert states() == ["planned"] * 3

    def test_ten_presses_leave_out_one(self, desk):
        page = look(desk, drop_address(3), reason="Enough")
        for _time in range(10):
            press(desk, drop_address(3), page)

        assert states() == ["planned", "planned", "skipped"]
        assert Message.objects.filter(state="pending").count() == 1


def test_the_patients_page_leads_to_both(desk, world):
    page = desk.get(reverse("desk:patient", args=[world.patient.pk])).content.decode()

    assert add_address() in page
    assert [number for number in (1, 2, 3) if drop_address(number) in page] == [1, 2, 3]


def test_a_course_that_has_ended_offers_neither(desk, world):
    courses.stop(series=Series.objects.get(), reason="moved away", by=world.desk, now=NOW)

    page = desk.get(reverse("desk:patient", args=[world.patient.pk])).content.decode()

    assert add_address() not in page
    assert drop_address(1) not in page
