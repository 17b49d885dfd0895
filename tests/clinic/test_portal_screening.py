"""Questions before a visit: asked, answered, good for so many days, and seen by the practitioner."""

from datetime import date

import pytest
import time_machine
from django.db import IntegrityError, transaction

from clinic import messages
from clinic.models import Message, MessageTemplate, ReminderStep, ScreeningAnswer, Site
from clinic.services import booking, diary_view, outbox, screening
from clinic.services.screening import State
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import Protocol, ScreeningQuestion
from treatments.services import series as courses

pytestmark = pytest.mark.django_db

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
PREGNANT, MEDICINE, TRAVEL = "Are you pregnant?", "Do you take isotretinoin?", "Have you been in the sun?"


@pytest.fixture
def portal(client, world):
    Site.objects.update(phone="+44 20 7946 0100")
    client.force_login(create_account(patient=world.patient, by=world.desk, now=NOW), backend=BACKEND)
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


@pytest.fixture
def desk(world):
    from django.test import Client

    client = Client()
    client.force_login(world.desk, backend=BACKEND)
    return client


@pytest.fixture
def visit(world):
    """On Tuesday 3 March, with three questions before it."""
    for position, (text, effect, days) in enumerate(
        [(PREGNANT, "stop", 30), (MEDICINE, "ask", None), (TRAVEL, "inform", 1)]
    ):
        ScreeningQuestion.objects.create(
            protocol=world.protocol, position=position, text=text, effect=effect, days_valid=days
        )
    return book(world, a_visit(world, session=world.a_series().sessions.get(number=1)))


def answer(client, visit, *answers: str, note: str = ""):
    sent = {f"answer-{place}": said for place, said in enumerate(answers) if said}
    sent |= {"note-0": note}
    return client.post(f"/my/visits/{visit.pk}/questions/", sent, follow=True)


def words(response) -> str:
    return " ".join(response.content.decode().split())


def card(desk) -> str:
    return words(desk.get("/desk/", {"day": "2026-03-03"}))


@pytest.mark.parametrize(
    ("answers", "flag", "said"),
    [
        pytest.param(("no", "no", "no"), "", "Thank you. Your answers are with the clinic.", id="all is well"),
        pytest.param(("no", "no", "yes"), "", "Thank you. Your answers are with the clinic.", id="for information"),
        pytest.param(("no", "yes", "no"), "screening: ask", "may call you", id="to be asked"),
        pytest.param(("yes", "yes", "no"), "screening: stop", "The visit stays booked", id="the gravest counts"),
    ],
)
def test_an_answer_flags_the_visit_for_the_practitioner(portal, desk, visit, answers, flag, said):
    assert "screening missing" in card(desk)

    response = answer(portal, visit, *answers, note="since May")

    assert said in words(response)
    assert "screening missing" not in card(desk)
    for page in (card(desk), words(desk.get(f"/desk/appointments/{visit.pk}/"))):
        assert flag in page
        assert ("screening:" in page) == bool(flag)
    assert "since May" in words(desk.get(f"/desk/appointments/{visit.pk}/"))
    visit.refresh_from_db()
    assert visit.status == "booked"


def test_what_is_not_answered_is_asked_again_with_what_was_chosen(portal, visit):
    response = answer(portal, visit, "no", "", "yes")

    page = words(response)
    assert "Please choose yes or no." in page
    assert page.count("checked") == 2
    assert not ScreeningAnswer.objects.exists()


def test_the_portal_asks_until_it_is_answered(portal, visit):
    assert "Answer the questions before your visit" in words(portal.get("/my/"))

    answer(portal, visit, "no", "no", "no")

    assert "Answer the questions before your visit" not in words(portal.get("/my/"))
    assert "Answered. Thank you." in words(portal.get(f"/my/visits/{visit.pk}/"))


@pytest.mark.parametrize(
    ("day", "lacking"),
    [
        pytest.param("2026-03-03 10:00", [], id="the day after"),
        pytest.param("2026-03-04 10:00", [TRAVEL], id="one answer is good for a day only"),
        pytest.param("2026-04-15 10:00", [PREGNANT, TRAVEL], id="long after"),
    ],
)
def test_an_answer_is_good_for_so_many_days(portal, world, visit, day, lacking):
    answer(portal, visit, "no", "no", "no")
    moved = booking.move(appointment=visit, visit=a_visit(world, day, session=visit.session), by=world.desk, now=NOW)

    asked = screening.before(moved, now=NOW)
    assert [one.question.text for one in asked if one.answer is None] == lacking
    assert screening.states([moved.pk], now=NOW) == {moved.pk: screening.state(asked)}


def test_the_latest_answer_counts_and_the_earlier_stays(portal, visit):
    answer(portal, visit, "yes", "no", "no")
    with time_machine.travel(at("2026-03-02 12:00"), tick=False):
        answer(portal, visit, "no", "no", "no")

    assert screening.state(screening.before(visit, now=NOW)) == State(answered=True)
    assert ScreeningAnswer.objects.count() == 6


# --- An answer is about the person ----------------------------------------------------------------


def another_course(world, *questions: tuple[str, str, int | None]):
    """A course of the same patient by another protocol, which asks these."""
    protocol = Protocol.objects.create(
        name=f"Scars, {[text for text, *_rest in questions]}",
        treatment=world.treatment,
        status="published",
        session_kind="fixed",
        session_min=2,
        session_max=2,
        spacing_min=4,
        spacing_ideal=5,
        spacing_max=6,
        spacing_unit="week",
    )
    for position, (text, effect, days) in enumerate(questions):
        ScreeningQuestion.objects.create(
            protocol=protocol, position=position, text=text, effect=effect, days_valid=days
        )
    choice = courses.Choice(protocol=protocol)
    return courses.start(patient=world.patient, choice=choice, by=world.desk, now=NOW)


def visit_of(world, series, day: str):
    return book(world, a_visit(world, day, session=series.sessions.get(number=1)))


def test_what_was_answered_before_one_visit_stops_every_visit_that_asks_it(portal, desk, world, visit):
    answer(portal, visit, "yes", "yes", "no")
    other = visit_of(world, another_course(world, ("  are you PREGNANT?", "stop", 30)), "2026-03-10 10:00")
    unasked = visit_of(world, another_course(world, ("Do you have a cold?", "ask", 3)), "2026-03-11 10:00")

    assert "screening: stop" in words(desk.get("/desk/", {"day": "2026-03-10"}))
    assert "stops the visit" in words(desk.get(f"/desk/appointments/{other.pk}/"))
    assert screening.states([other.pk, unasked.pk], now=NOW) == {
        other.pk: State("stop", answered=True),
        unasked.pk: State(open_from=date(2026, 3, 8)),
    }


@pytest.mark.parametrize(
    ("here", "said", "day", "expected"),
    [
        pytest.param(("ask", 30), "yes", "2026-03-10", State("stop", answered=True), id="the graver was said there"),
        pytest.param(("stop", None), "yes", "2026-03-31", State("stop", answered=True), id="while it is good there"),
        pytest.param(("stop", None), "yes", "2026-04-10", State(open=True), id="it was good for 30 days there"),
        pytest.param(("stop", 30), "no", "2026-03-10", State(answered=True), id="a no is a no"),
        pytest.param(
            ("stop", 1), "yes", "2026-03-10", State("stop", open_from=date(2026, 3, 9)), id="fresher here, and flagged"
        ),
        pytest.param(("stop", 9), "no", "2026-03-12", State(open_from=date(2026, 3, 3)), id="fresher here"),
    ],
)
def test_an_answer_from_another_course_is_never_weaker_than_there_or_here(
    portal, world, visit, here, said, day, expected
):
    answer(portal, visit, said, "no", "no")
    other = visit_of(world, another_course(world, (PREGNANT, *here)), f"{day} 10:00")

    assert screening.state(screening.before(other, now=NOW)) == expected
    assert screening.states([other.pk], now=NOW) == {other.pk: expected}


def test_what_matters_more_here_than_there_counts_here(portal, world, visit):
    answer(portal, visit, "no", "no", "yes")
    other = visit_of(world, another_course(world, (TRAVEL, "stop", 5)), "2026-03-03 14:00")

    assert screening.state(screening.before(other, now=NOW)) == State("stop", answered=True)


def test_a_later_answer_says_nothing_of_a_visit_that_was_before_it(portal, world, visit):
    other = visit_of(world, another_course(world, (PREGNANT, "stop", None)), "2026-03-20 10:00")
    with time_machine.travel(at("2026-03-19 10:00"), tick=False):
        answer(portal, other, "yes")

    assert screening.state(screening.before(visit, now=at("2026-03-19 12:00"))).flag == ""


def test_the_diary_sees_an_answer_from_another_course(portal, world, visit):
    other = visit_of(world, another_course(world, (PREGNANT, "stop", 30)), "2026-03-10 10:00")
    day = date(2026, 3, 10)
    before = diary_view.fingerprint(site=world.site, first=day, last=day)
    answer(portal, visit, "yes", "no", "no")

    assert diary_view.fingerprint(site=world.site, first=day, last=day) != before
    assert other.status == "booked"


# --- Asked when it can be answered, and once ------------------------------------------------------


@pytest.fixture
def moved(world, visit):
    """On Wednesday 4 March: the question about the sun can be answered from the day before."""
    return booking.move(
        appointment=visit, visit=a_visit(world, "2026-03-04 10:00", session=visit.session), by=world.desk, now=NOW
    )


def test_what_cannot_be_answered_yet_is_not_asked_and_says_from_when(portal, desk, world, moved):
    page = words(portal.get(f"/my/visits/{moved.pk}/questions/"))
    assert page.count('name="note-') == 2
    assert f"{TRAVEL} <span" in page
    assert "you can answer it from Tuesday 3 March" in page

    said = words(answer(portal, moved, "no", "no"))

    assert "Thank you. Your answers are with the clinic." in said
    assert "1 question can be answered from Tuesday 3 March." in said
    for path in ("/my/", f"/my/visits/{moved.pk}/"):
        page = words(portal.get(path))
        assert "from Tuesday 3 March" in page
        assert "Answer the questions" not in page
    assert "screening missing" not in words(desk.get("/desk/", {"day": "2026-03-04"}))

    with time_machine.travel(at("2026-03-03 09:00"), tick=False):
        assert "Answer the questions before your visit" in words(portal.get("/my/"))
        page = words(portal.get(f"/my/visits/{moved.pk}/questions/"))
        assert page.count('name="note-') == 1, "only what is open is asked"
        desk.force_login(world.desk, backend=BACKEND)
        assert "screening missing" in words(desk.get("/desk/", {"day": "2026-03-04"}))
        sent = {"answer-2": "no", "note-2": ""}
        for _time in range(2):
            said = words(portal.post(f"/my/visits/{moved.pk}/questions/", sent, follow=True))
            assert "Thank you. Your answers are with the clinic." in said
        assert "Answer the questions" not in words(portal.get("/my/"))
        page = words(portal.get(f"/my/visits/{moved.pk}/questions/"))
        assert page.count('name="note-') == 3, "has anything changed?"


def test_where_nothing_can_be_answered_yet_it_says_from_when(portal, world):
    series = another_course(world, (TRAVEL, "ask", 1))
    other = visit_of(world, series, "2026-03-10 10:00")

    said = words(portal.get(f"/my/visits/{other.pk}/questions/", follow=True))

    assert "1 question can be answered from Monday 9 March." in said
    assert "Has anything changed?" not in said


def test_a_flag_hides_no_answer_that_has_run_out(portal, desk, world, moved):
    answer(portal, moved, "yes", "no")

    with time_machine.travel(at("2026-03-03 09:00"), tick=False):
        desk.force_login(world.desk, backend=BACKEND)
        shown = words(portal.get(f"/my/visits/{moved.pk}/"))
        assert "Your practitioner looks at your answers before the visit." in shown
        assert "Answer the questions" in shown
        for page in ("/desk/?day=2026-03-04", f"/desk/appointments/{moved.pk}/"):
            assert "screening: stop" in words(desk.get(page))
            assert "screening missing" in words(desk.get(page))


def test_a_press_with_no_question_of_the_form_is_asked_again(portal, visit):
    response = portal.post(f"/my/visits/{visit.pk}/questions/", {"answer-9": "no"})

    assert "Please choose yes or no." in words(response)
    assert not ScreeningAnswer.objects.exists()


# --- What a message says of it --------------------------------------------------------------------

ASKS = "There are a few questions to answer before your visit."


def remind(smtp_server, when: str) -> str:
    smtp_server.received.clear()
    outbox.run(now=at(when))
    [mail] = smtp_server.received
    return words_of(mail)


def words_of(mail) -> str:
    assert "question" not in mail["Subject"]
    return " ".join(mail.get_content().split())


@pytest.fixture
def ladder(db):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="appointment", offset_days=-1, stale_after_days=1)


def test_a_reminder_mentions_questions_while_they_are_open(portal, ladder, smtp_server, moved):
    Message.objects.all().delete()
    said = remind(smtp_server, "2026-03-03 10:00")

    assert ASKS in said
    assert f"{ASKS} Please sign in, it takes a minute: http://localhost:8000/my/" in said
    assert TRAVEL not in said


def test_a_reminder_mentions_none_once_they_are_answered(portal, ladder, smtp_server, moved):
    Message.objects.all().delete()
    with time_machine.travel(at("2026-03-03 09:00"), tick=False):
        answer(portal, moved, "no", "no", "no")

    assert ASKS not in remind(smtp_server, "2026-03-03 10:00")


@pytest.mark.parametrize(
    ("day", "asks"), [pytest.param("2026-03-09", True, id="near"), pytest.param("2026-03-10", False, id="far ahead")]
)
def test_a_confirmation_mentions_questions_when_the_visit_is_near(world, smtp_server, day, asks):
    series = another_course(world, (PREGNANT, "stop", 30))
    other = visit_of(world, series, f"{day} 07:30")
    Message.objects.all().delete()
    for about in ({"appointment": other}, {"series": series}):
        outbox.owe_confirmation(patient=world.patient, now=NOW, counts_from="request", **about)
        assert (ASKS in remind(smtp_server, "2026-03-02 08:00")) is asks
        Message.objects.all().delete()


def test_the_clinics_own_words_of_a_reminder_mention_them_too(ladder, smtp_server, moved):
    Message.objects.all().delete()
    MessageTemplate.objects.create(
        kind="visit_reminder", channel="email", language="en-gb", subject="{clinic}", text="Hi {name}"
    )

    assert remind(smtp_server, "2026-03-03 10:00").startswith(f"Hi Amal {ASKS}")


def test_a_text_message_mentions_them_where_it_stays_one_part(world):
    message = Message(kind="visit_reminder", patient=world.a_patient(phone="+447700900123"), channel="sms")
    about = messages.About(world.site, [at("2026-03-10 14:30")], questions=True)

    assert messages.sms(message, about) == (
        "Harbour: see you on Tue 10 Mar 2026, 14:30. Please answer a few questions: http://localhost:8000/my/"
    )
    world.site.short_name = "S" * 70
    assert "questions" not in messages.sms(message, about)


def test_without_questions_nothing_is_flagged_or_asked(portal, desk, world):
    visit = book(world, a_visit(world))

    assert "screening" not in card(desk)
    assert "There is nothing to answer before this visit." in words(
        portal.get(f"/my/visits/{visit.pk}/questions/", follow=True)
    )


def test_answers_never_change(portal, visit):
    answer(portal, visit, "yes", "no", "no")

    with pytest.raises(Exception, match="Cannot update or delete"), transaction.atomic():
        ScreeningAnswer.objects.update(yes=False)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        pytest.param({"effect": "maybe"}, "screening_answer_effect_known", id="effect"),
        pytest.param({"question": ""}, "screening_answer_to_a_question", id="question"),
        pytest.param({"good_until": date(2026, 3, 1)}, "screening_answer_good_from_its_day", id="good until before"),
    ],
)
def test_the_database_refuses(world, values, constraint):
    series = courses.start(patient=world.patient, choice=world.choice(), by=world.desk, now=NOW)
    good = {
        "series": series,
        "question": PREGNANT,
        "effect": "stop",
        "yes": True,
        "answered_on": date(2026, 3, 2),
        "answered_at": NOW,
        "answered_by": world.desk,
    }
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        ScreeningAnswer.objects.create(**good | values)
