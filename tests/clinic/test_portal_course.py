"""What a patient sees of the course: the next visit, what is due after it, and nothing of anybody else."""

from datetime import date

import pytest
import time_machine
from django.contrib.auth.models import User

from clinic.models import Site
from clinic.services import booking
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at
from treatments.models import Maintenance
from treatments.services import maintenance as cycles

pytestmark = pytest.mark.django_db

MY = "/my/"


@pytest.fixture
def portal(client, world):
    Site.objects.update(phone="+44 20 7946 0100", address="1 Quay Street\nHarbour")
    world.site.refresh_from_db()
    client.force_login(
        create_account(patient=world.patient, by=world.desk, now=NOW),
        backend="allauth.account.auth_backends.AuthenticationBackend",
    )
    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        yield client


def text(client) -> str:
    """The page's words, each run of blanks as one."""
    response = client.get(MY)
    assert response.status_code == 200
    return " ".join(response.content.decode().split())


def sessions(series):
    return list(series.sessions.order_by("number"))


def attended(world, session, start):
    visit = book(world, a_visit(world, start, session=session))
    return booking.attend(appointment=visit, by=world.desk, now=at(start[:11] + "18:00"))


def test_the_next_visit_is_the_first_answer(portal, world):
    one, two, _three = sessions(world.a_series())
    book(world, a_visit(world, "2026-04-07 14:30", session=two, who=1))
    book(world, a_visit(world, "2026-03-03 14:30", session=one))

    page = text(portal)

    answer = page[page.index("Your next visit") : page.index("</section>")]
    for words in ("Tue 3 Mar 2026, 14:30", "session 1", "with Ada, at Harbour Clinic", "1 Quay Street<br>Harbour"):
        assert words in answer
    assert "Your visit on Tue 7 Apr 2026, 14:30" in answer


def test_a_session_without_a_date_is_said_with_its_days_and_whom_to_call(portal, world):
    one, *_rest = sessions(world.a_series())
    book(world, a_visit(world, "2026-03-03 14:30", session=one))

    page = text(portal)

    # Four to six weeks after Tuesday 3 March.
    assert "Session 2: to be booked, best between Tue 31 Mar 2026 and Tue 14 Apr 2026" in page
    assert "the clinic will call you" in page
    assert 'href="tel:+442079460100"' in page


@pytest.mark.parametrize(
    ("today", "said", "meaning"),
    [
        pytest.param("2026-03-05", "Maintenance: due on Thu 3 Sep 2026", "Nothing to do yet", id="ahead"),
        pytest.param("2026-09-03", "Maintenance is due now, by Thu 3 Sep 2026", "It is time now", id="on its day"),
        pytest.param("2026-09-04", "Maintenance was due by Thu 3 Sep 2026", "This day has passed", id="overdue"),
    ],
)
def test_after_the_series_the_maintenance_date_is_said_with_what_it_means(portal, world, today, said, meaning):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")

    with time_machine.travel(at(f"{today} 10:00"), tick=False):
        page = text(portal)

    assert "No visit is booked" in page
    assert said in page
    assert meaning in page


@pytest.mark.parametrize(
    ("next_visit", "where"),
    [
        pytest.param("2026-09-15 10:00", "Before your next visit", id="the visit is later than that"),
        pytest.param("2026-09-08 10:00", "After it", id="the visit is sooner than that"),
    ],
)
def test_what_is_due_now_stands_with_its_button_before_or_after_the_next_visit(portal, world, next_visit, where):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")
    Maintenance.objects.update(calculated_by="2026-09-11")
    book(world, a_visit(world, next_visit))

    with time_machine.travel(at("2026-09-04 10:00"), tick=False):
        page = text(portal)

    said = page.index("Maintenance is due now, by Fri 11 Sep 2026")
    headings = ("Before your next visit", "Your next visit<", "After it")
    assert max((page.rfind(heading, 0, said), heading) for heading in headings)[1] == where
    assert f'href="/my/maintenance/{Maintenance.objects.get().pk}/book/"' in page[said : said + 250]


def test_what_comes_is_listed_by_day(portal, world):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")
    book(world, a_visit(world, "2026-08-03 10:00"))
    book(world, a_visit(world, "2026-10-05 10:00"))

    page = text(portal)

    assert page.index("Maintenance: due on Thu 3 Sep 2026") < page.index("Your visit on Mon 5 Oct 2026")


def test_a_span_of_days_is_said_from_one_to_the_other(portal, world):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")
    Maintenance.objects.update(calculated_by="2026-10-03")

    assert "Maintenance: due between Thu 3 Sep 2026 and Sat 3 Oct 2026" in text(portal)


def test_a_date_that_the_clinician_set_is_the_one_said(portal, world):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")
    cycles.override(
        cycle=Maintenance.objects.get(), due_on=date(2026, 7, 1), reason="thin skin", by=world.desk, now=NOW
    )

    page = text(portal)

    assert "due on Wed 1 Jul 2026" in page
    assert "thin skin" not in page


def test_what_was_done_is_listed_and_what_was_cancelled_is_not(portal, world):
    one, two, _three = sessions(world.a_series())
    with time_machine.travel(at("2026-04-20 10:00"), tick=False):
        attended(world, one, "2026-03-03 10:00")
        missed = book(world, a_visit(world, "2026-04-07 10:00", session=two))
        booking.no_show(appointment=missed, by=world.desk, now=at("2026-04-07 12:00"))
        dropped = book(world, a_visit(world, "2026-04-14 10:00", session=two))
        booking.cancel(appointment=dropped, reason="quarrelled", by=world.desk, now=at("2026-04-13 12:00"))
        page = text(portal)

    past = page[page.index("Past visits") :]
    assert "Tue 3 Mar 2026" in past
    assert "missed" in past
    assert "14 Apr" not in past
    assert "quarrelled" not in page


def test_a_visit_that_nobody_recorded_is_past_all_the_same(portal, world):
    book(world, a_visit(world, "2026-03-03 10:00"))

    with time_machine.travel(at("2026-03-03 11:15"), tick=False):
        page = text(portal)

    assert "No visit is booked" in page
    assert "Tue 3 Mar 2026" in page[page.index("Past visits") :]


def test_a_visit_under_way_is_still_the_next(portal, world):
    book(world, a_visit(world, "2026-03-03 10:00"))

    with time_machine.travel(at("2026-03-03 11:14"), tick=False):
        assert "Your next visit" in text(portal)


def test_the_times_are_the_site_s_and_the_patient_s_own_where_they_differ(portal, world):
    book(world, a_visit(world, "2026-03-03 14:30"))
    assert "by the clocks at the clinic" not in text(portal)

    world.patient.refresh_from_db()
    world.patient.time_zone = "Europe/Berlin"
    world.patient.save()

    page = text(portal)
    assert "Tue 3 Mar 2026, 14:30" in page
    assert "by the clocks at the clinic; Tue 3 Mar, 15:30 in Europe/Berlin" in page


def test_a_patient_without_anything_is_told_what_will_stand_here(portal):
    assert "When the clinic has planned a treatment with you, its dates stand here." in text(portal)


def test_a_second_series_never_hides_the_first(portal, world):
    attended(world, sessions(world.a_series(count=1, decision_note="Dr Roe"))[0], "2026-03-03 10:00")
    world.a_series()

    page = text(portal)

    assert "complete since Tue 3 Mar 2026" in page
    assert "0 of 3 done" in page


@pytest.mark.parametrize("is_staff", [True, False], ids=["staff", "an account that is nobody's"])
def test_who_is_not_a_patient_has_no_course(client, world, is_staff):
    client.force_login(
        User.objects.create_user("somebody", is_staff=is_staff), backend="django.contrib.auth.backends.ModelBackend"
    )

    assert client.get(MY).status_code == 404


def test_nothing_in_the_request_can_ask_for_another_patient(portal, world):
    other = world.a_patient("Secret", "Other")
    book(world, a_visit(world, "2026-03-05 10:00"), other)

    for query in ({"patient": other.pk}, {"pk": other.pk}, {"user": other.pk}):
        page = portal.get(MY, query).content.decode()
        assert "Secret" not in page
        assert "5 Mar" not in page


def test_the_page_is_not_kept_by_the_browser(portal):
    assert "no-store" in portal.get(MY)["Cache-Control"]


def test_the_number_of_queries_does_not_grow_with_the_course(portal, world, django_assert_num_queries):
    first = world.a_series(count=1, decision_note="Dr Roe")
    attended(world, sessions(first)[0], "2026-03-03 10:00")
    portal.get(MY)

    def queries():
        # Session, account, patient; visits; series, their sessions, their maintenance with its treatments.
        with django_assert_num_queries(7):
            portal.get(MY)

    queries()
    for day in ("2026-03-05", "2026-03-06", "2026-03-09"):
        series = world.a_series(count=1, decision_note="Dr Roe")
        attended(world, sessions(series)[0], f"{day} 10:00")
    running = world.a_series()
    for session, day in zip(sessions(running), ("2026-03-11", "2026-04-15", "2026-05-20"), strict=True):
        book(world, a_visit(world, f"{day} 10:00", session=session))
    queries()
