"""Add-ons at the desk: chosen with a series, changed for a session that is booked, and shown wherever the visit is."""

from uuid import uuid4

import pytest
import time_machine
from django.urls import reverse

from clinic.services import booking
from tests.clinic.test_add_ons import booked, minutes, takes, visit, world  # noqa: F401
from tests.clinic.test_booking import a_visit
from tests.clinic.test_desk_move import said
from tests.clinic.test_desk_series import filled, posted_back
from tests.treatments.test_add_ons import kept, offering  # noqa: F401
from tests.world import NOW

pytestmark = pytest.mark.django_db


@pytest.fixture
def desk(client, world):  # noqa: F811
    client.force_login(world.desk)
    with time_machine.travel(NOW, tick=False):
        yield client


def address(number: int) -> str:
    return reverse("desk:appointment-add-ons", args=[visit(number).pk])


def fields(page, **values) -> dict:
    context = page.context
    data = {
        "key": str(context["key"]),
        "pick": context["pick"],
        "add_ons": list(context["names"]),
        "default": context["default"],
        "seen": context["seen"],
        **{f"then-{number}": code for number, code in context["then"]},
    }
    if context["outlook"]:
        data |= {"following": context["chosen"], "released": list(context["outlook"].released)}
    return data | values


def ask(desk, number: int, **values):
    return desk.post(address(number), fields(desk.get(address(number)), **values, look="1"))


class TestABookedVisit:
    @pytest.fixture(autouse=True)
    def series(self, desk, world):  # noqa: F811
        return booked(world, {2: ["Mask"]})

    def test_the_page_shows_what_the_session_has_and_what_it_could_have(self, desk):
        page = desk.get(address(2)).content.decode()

        for words in ("Lamp", "15 minutes more", "with Lamp", "recommended", "In every session: Serum", "85 minutes"):
            assert words in page
        assert page.count("checked") >= 2

    def test_one_press_lengthens_the_visit_where_it_stands(self, desk, series):
        page = ask(desk, 2, add_ons=["Mask", "Lamp"])
        assert "85 minutes so far, 100 then" in page.content.decode()

        answer = desk.post(address(2), fields(page, save="1"), follow=True)

        assert said(answer) == "The add-ons are changed. The visit ends at 11:40 now."
        assert kept(series)[2] == ["Lamp", "Mask"]
        assert minutes(visit(2)) == 100
        assert reverse("desk:appointment-undo", args=[visit(2).pk]) in answer.content.decode()

    def test_where_the_time_after_is_taken_other_times_are_offered_and_one_is_taken(self, desk, series, world):  # noqa: F811
        after = a_visit(world, "2026-04-07 11:30")
        booking.book(patient=world.a_patient(), visit=after, by=world.desk, now=NOW, key=uuid4())

        page = ask(desk, 2, add_ons=["Mask", "Lamp"])

        assert "would take 100 minutes" in page.context["problem"]
        assert len(page.context["offers"]) == 5
        wanted = page.context["offers"][0]
        page = desk.post(address(2), fields(page, pick=wanted.code, look="1"))
        desk.post(address(2), fields(page, save="1", tell="1"))
        assert f"{visit(2).starts_at:%Y-%m-%d}" == f"{wanted.starts:%Y-%m-%d}"
        assert minutes(visit(2)) == 100
        assert "Lamp 1" in [name for name, _start, _end in takes(visit(2))]

    def test_what_the_course_does_not_offer_is_refused(self, desk, series):
        page = ask(desk, 2, add_ons=["Laser"])

        assert "“Laser” is not among the add-ons" in page.content.decode()
        assert kept(series)[2] == ["Mask"]

    def test_less_frees_the_time_after(self, desk, series):
        page = ask(desk, 2, add_ons=[])
        desk.post(address(2), fields(page, save="1", add_ons=[]))

        assert (kept(series)[2], minutes(visit(2))) == ([], 75)

    def test_a_visit_that_is_over_is_not_changed(self, desk, world):  # noqa: F811
        booking.cancel(appointment=visit(2), reason="ill", by=world.desk, now=NOW)
        cancelled = visit(1).session.series.sessions.get(number=2).appointments.get()

        page = desk.get(reverse("desk:appointment-add-ons", args=[cancelled.pk]))

        assert "cannot be done with this visit any more" in page.content.decode()

    @pytest.mark.parametrize("where", ["appointment", "patient", "day", "diary", "portal"])
    def test_the_add_ons_are_shown(self, where, desk, client, world):  # noqa: F811
        addresses = {
            "appointment": reverse("desk:appointment", args=[visit(2).pk]),
            "patient": reverse("desk:patient", args=[world.patient.pk]),
            "day": reverse("desk:home") + "?day=2026-04-07",
            "diary": reverse("desk:diary") + "?day=2026-04-07",
        }
        if where == "portal":
            user = type(world.desk).objects.create_user("amal", "amal@example.com")
            world.patient.user = user
            world.patient.save()
            client.force_login(user)
        page = client.get(addresses.get(where, reverse("portal:course"))).content.decode()

        assert "Mask" in page


class TestBookingASeries:
    def address(self, world) -> str:  # noqa: F811
        return reverse("desk:series-new", args=[world.patient.pk])

    def proposed(self, desk, world, **values) -> tuple[dict, str]:  # noqa: F811
        answers = filled(world, **values)
        page = desk.post(self.address(world), answers | {"propose": "1"}).content.decode()
        return answers | posted_back(page) | {"add-ons-shown": ["1", "2", "3"]}, page

    def test_what_is_chosen_for_all_sessions_lengthens_each(self, desk, world):  # noqa: F811
        answers, page = self.proposed(desk, world, every=["Lamp"])

        assert "90 minutes each" in page
        had = {f"had-{n}": ["Lamp"] for n in (1, 2, 3)} | {f"add-ons-{n}": ["Lamp"] for n in (1, 2, 3)}
        answer = desk.post(self.address(world), answers | had | {"every-had": ["Lamp"], "book": "1"})

        assert answer.status_code == 302
        assert [minutes(visit(n)) for n in (1, 2, 3)] == [90, 90, 90]

    def test_one_session_can_have_more_than_the_others(self, desk, world):  # noqa: F811
        answers, _page = self.proposed(desk, world)

        page = desk.post(self.address(world), answers | {"add-ons-2": ["Lamp", "Mask"], "book": "1"})

        assert page.status_code == 200, "The press only shows what the choice comes to."
        words = page.content.decode()
        assert "75–100 minutes each" in words
        assert "with Lamp, Mask, 100 minutes" in words
        again = answers | posted_back(words) | {"add-ons-2": ["Lamp", "Mask"], "had-2": ["Lamp", "Mask"]}
        desk.post(self.address(world), again | {"book": "1"})
        assert [minutes(visit(n)) for n in (1, 2, 3)] == [75, 100, 75]

    def test_a_box_for_all_that_is_ticked_later_leaves_the_rest_of_each_as_it_is(self, desk, world):  # noqa: F811
        answers, _page = self.proposed(desk, world)
        had = {"add-ons-2": ["Mask"], "had-2": ["Mask"], "every": ["Lamp"]}

        page = desk.post(self.address(world), answers | had | {"propose": "1"}).content.decode()

        assert "with Lamp, Mask, 100 minutes" in page
        assert page.count("with Lamp, 90 minutes") == 2
