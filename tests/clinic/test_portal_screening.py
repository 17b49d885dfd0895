"""Questions before a visit: asked, answered, good for so many days, and seen by the practitioner."""

from datetime import date

import pytest
import time_machine
from django.db import IntegrityError, transaction

from clinic.models import ScreeningAnswer, Site
from clinic.services import booking, screening
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import ScreeningQuestion
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
    ("day", "state"),
    [
        pytest.param("2026-03-03 10:00", "clear", id="the day after"),
        pytest.param("2026-03-04 10:00", "missing", id="one answer is good for a day only"),
        pytest.param("2026-04-15 10:00", "missing", id="long after"),
    ],
)
def test_an_answer_is_good_for_so_many_days(portal, world, visit, day, state):
    answer(portal, visit, "no", "no", "no")
    moved = booking.move(appointment=visit, visit=a_visit(world, day, session=visit.session), by=world.desk, now=NOW)

    assert screening.state(screening.before(moved)) == state
    assert screening.states([moved.pk]) == {moved.pk: state}


def test_the_latest_answer_counts_and_the_earlier_stays(portal, visit):
    answer(portal, visit, "yes", "no", "no")
    with time_machine.travel(at("2026-03-02 12:00"), tick=False):
        answer(portal, visit, "no", "no", "no")

    assert screening.state(screening.before(visit)) == "clear"
    assert ScreeningAnswer.objects.count() == 6


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
