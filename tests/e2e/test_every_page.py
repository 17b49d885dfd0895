"""Every page of the desk, the portal and the accounts in its states: axe finds nothing, on any screen, in any light."""

import pytest
from django.contrib.auth.models import User
from django.test import Client

from clinic.models import Absence, Closure, Site
from patients.models import Patient
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_series_version import change, fixed
from tests.clinic.test_waiting_list import a_wish
from tests.e2e.every_page import NO_PAGE, STATES
from tests.e2e.looking import findings
from tests.test_access import URLS, signed_in
from tests.test_access import clinic as one_of_everything  # noqa: F401 - a fixture
from tests.world import NOW, at
from treatments.models import ScreeningQuestion
from treatments.services import protocols

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

MORNING = at("2026-03-03 09:30")
# The administration has tests of its own; it is Django's.
OURS = {url.name: url for url in URLS if url.area != "admin"}
# Half of it for each of two workers of the test run.
SECOND_WORKER = {"the patients", "the lists"}
AREAS = [
    pytest.param(area, marks=pytest.mark.xdist_group("pages" if area in SECOND_WORKER else "browser"), id=area)
    for area in STATES
]


def test_every_page_has_its_states_in_the_table():
    listed = [name for pages in STATES.values() for name in pages] + list(NO_PAGE)

    assert OURS.keys() - set(listed) == set(), "Add the page to STATES, or to NO_PAGE where it shows none."
    assert set(listed) - OURS.keys() == set(), "There is no such page any more."
    assert len(listed) == len(set(listed)), "A page has one place."


@pytest.fixture
def everything(world, request, clock):
    """One of everything, somebody who waits, somebody away, and a visit that therefore fits no more."""
    ScreeningQuestion.objects.create(protocol=world.protocol, text="Are you pregnant?", effect="stop", position=1)
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    clinic = request.getfixturevalue("one_of_everything")
    ben = clinic.practitioners[1]
    noor = Patient.objects.get(given_name="Noor")
    book(clinic, a_visit(clinic, "2026-03-04 15:00", who=1, where=1, pen=1), noor)
    Absence.objects.create(
        resource=ben, starts_at=at("2026-03-04 13:00"), ends_at=at("2026-03-05 00:00"), reason="Training"
    )
    Closure.objects.create(
        site=clinic.site, starts_at=at("2026-04-03 00:00"), ends_at=at("2026-04-04 00:00"), reason="Good Friday"
    )
    a_wish(clinic, book(clinic, a_visit(clinic, "2026-03-12 14:00"), noor))
    # A version that the running course could move to, and a visit that the patient may still change.
    change(clinic, **fixed(4))
    Site.objects.update(change_cut_off_hours=0)
    clock.move_to(MORNING)
    return clinic


def signed_in_as(area: str) -> Client | None:
    if area == "the entrance":
        return None
    who = Patient.objects.get(given_name="Foreign").user if area == "the portal" else User.objects.get(username="admin")
    return signed_in(who)


def looked_at(page, server, pages) -> list[str]:
    """What is wrong with each state of `pages`."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_default_timeout(15_000)
    wrong = []
    for name, states in pages.items():
        for query, act in states:
            state = f"{name} {query} {act.__name__ if act else ''}".strip()
            address = query if query.startswith("/") else OURS[name].path() + query
            answer = page.goto(server.url + address)
            if answer.status != 200 or not answer.url.startswith(server.url + address.partition("?")[0]):
                wrong.append(f"{state}: answered {answer.status} at {answer.url}")
                continue
            if act is not None:
                act(page)
            wrong += [f"{state}: {each}" for each in findings(page)]
    return wrong


@pytest.mark.parametrize("area", AREAS)
def test_axe_finds_nothing(page, server, everything, area):
    if (client := signed_in_as(area)) is not None:
        session = client.cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])

    wrong = looked_at(page, server, STATES[area])

    assert not wrong, "\n".join(wrong)


def test_axe_finds_nothing_where_there_is_nothing_yet(page, server, clock):
    """A fresh installation, before its first site."""
    admin = User.objects.create_superuser("admin", "admin@example.com", "x")
    session = signed_in(admin).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
    names = ("home", "diary", "waiting", "patient-search", "worklist", "rota", "import", "operations")

    wrong = looked_at(page, server, {f"desk:{name}": [("", None)] for name in names})

    assert not wrong, "\n".join(wrong)
