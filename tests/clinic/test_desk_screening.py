"""Questions before a visit, answered at the desk: the same ones, kept under the name of whoever asked."""

import pytest
import time_machine
from django.urls import reverse

from clinic.models import ScreeningAnswer
from clinic.services import booking, screening
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_portal_screening import visit  # noqa: F401
from tests.world import NOW, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, world):
    client.force_login(world.desk)
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


def page_of(visit, name="appointment") -> str:  # noqa: F811
    return reverse(f"desk:{name}", args=[visit.pk])


def answer(desk, visit, *said: str):  # noqa: F811
    sent = {f"answer-{place}": one for place, one in enumerate(said) if one}
    return desk.post(page_of(visit, "appointment-questions"), sent, follow=True)


def test_the_page_of_the_visit_leads_to_its_questions(desk, visit):  # noqa: F811
    assert page_of(visit, "appointment-questions") in desk.get(page_of(visit)).content.decode()


def test_answers_given_at_the_desk_are_kept_as_given_to_it(desk, world, visit):  # noqa: F811
    response = answer(desk, visit, "no", "no", "no")

    assert {one.answered_by for one in ScreeningAnswer.objects.all()} == {world.desk}
    state = screening.state(screening.before(visit, now=at("2026-03-02 10:00")))
    assert (state.open, state.flag) == (False, "")
    page = response.content.decode()
    assert "Kept: what Amal Osei answered." in page
    assert "to desk@example.com at the desk" in page


def test_a_yes_that_matters_is_said_at_once(desk, visit):  # noqa: F811
    assert "needs a look before the visit" in answer(desk, visit, "yes", "no", "no").content.decode()


def test_a_question_left_out_is_named_and_nothing_is_kept(desk, visit):  # noqa: F811
    response = answer(desk, visit, "no", "", "no")

    assert response.status_code == 422
    assert "Please choose yes or no." in response.content.decode()
    assert not ScreeningAnswer.objects.exists()


def test_a_visit_that_asks_nothing_or_is_cancelled_has_nothing_to_answer(desk, world, visit):  # noqa: F811
    plain = book(world, a_visit(world, "2026-03-05 10:00"), world.a_patient())
    booking.cancel(appointment=visit, reason="ill", by=world.desk, now=NOW)

    for one in (plain, visit):
        page = desk.get(page_of(one, "appointment-questions"), follow=True).content.decode()
        assert "There is nothing to answer before this visit now." in page
