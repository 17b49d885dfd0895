"""Every page of the desk, the portal and the accounts in its states: axe finds nothing, on any screen, in any light."""

from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.signals import request_started
from django.test.signals import template_rendered
from django.urls import resolve
from playwright.sync_api import Error, expect

from clinic.services import second_factor
from clinic.services.worklist_rows import TABS
from tests.e2e.every_page import KINDS, NO_PAGE, STATES, WORD, State
from tests.e2e.looking import findings
from tests.e2e.one_of_each import MORNING, describe, one_of_each, signed_in_as
from tests.test_access import URLS, signed_in
from tests.test_access import clinic as one_of_everything  # noqa: F401 - a fixture
from tests.world import NOW

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

TEMPLATES = Path(__file__).parent.parent.parent / "templates"
# The administration has tests of its own; it is Django's. What is sent by mail is no page.
NO_TEMPLATES_OF_PAGES = ("admin/", "messages/", "account/email/", "account/messages/", "mfa/messages/")
# Stands for each name in an address where only its form counts.
ANYTHING: dict[str, int] = defaultdict(lambda: 1)
OURS = {url.name: url for url in URLS if url.area != "admin"}
# The desk has the second worker of the test run to itself, so that each of the two sees all of its own templates.
AT_THE_DESK = [
    "the day",
    "the visits",
    "what became of them",
    "the patients",
    "the lists",
    "the rota",
    "without the right",
]
# Which are looked at there. How a second factor is required stands with the factor itself.
DESK_TEMPLATES = ("desk/", "partials/", "403.html", "403_csrf.html", "404.html", "500.html")
AREAS = [
    pytest.param(area, marks=pytest.mark.xdist_group("pages" if area in AT_THE_DESK else "browser"), id=area)
    for area in STATES
]
WHO = {
    "the portal": "Foreign",
    "the portal, amid a course": "Ines",
    "the portal, when something is offered": "Noor",
    "the second factor": "manager",
    "without the right": "desk",
    "a second factor is owed": "desk",
    "the links": "",
    "the entrance": "",
}


# --- Nothing is left out ----------------------------------------------------------------------------------------------


def test_every_page_has_its_states_in_the_table():
    listed = {name for pages in STATES.values() for name in pages}

    assert OURS.keys() - listed - NO_PAGE.keys() - {WORD} == set(), "Add the page to STATES, or to NO_PAGE."
    assert (listed | NO_PAGE.keys()) - OURS.keys() == set(), "There is no such page any more."
    assert {name for name in listed & NO_PAGE.keys() if any(state.status == 200 for state in states_of(name))} == set()


def states_of(name: str) -> list[State]:
    return [state for pages in STATES.values() for state in pages.get(name, [])]


def test_every_kind_of_a_page_has_its_states():
    assert KINDS.keys() == {name for name, url in OURS.items() if "kind>" in url.route and name not in NO_PAGE}
    for name, kinds in KINDS.items():
        # Their addresses are written out.
        addresses = [urlsplit(state.at.format_map(ANYTHING)).path for state in states_of(name)]
        assert set(kinds) - {resolve(address).kwargs.get("kind") for address in addresses} == set(), name


def test_every_list_of_the_worklist_has_its_states():
    asked = {state.at for state in STATES["the lists"]["desk:worklist"]}

    assert {f"?tab={tab}" for tab in TABS} - asked == set()


# --- Looked at --------------------------------------------------------------------------------------------------------

# Which templates the page on the screen was made of, and which those that were looked at; and where.
on_screen: set[str] = set()
seen: dict[str, set[str]] = {}


@pytest.fixture
def noted():
    """What is rendered by the server, which runs in this process."""

    def a_page_is_asked_for(environ, **_kwargs) -> None:
        if environ.get("HTTP_SEC_FETCH_DEST") == "document":
            on_screen.clear()

    def a_template_is_rendered(template, **_kwargs) -> None:
        on_screen.add(template.name)

    request_started.connect(a_page_is_asked_for)
    template_rendered.connect(a_template_is_rendered)
    yield
    request_started.disconnect(a_page_is_asked_for)
    template_rendered.disconnect(a_template_is_rendered)


@pytest.fixture
def everything(world, request, clock) -> dict[str, object]:
    describe(world)
    names = one_of_each(request.getfixturevalue("one_of_everything"))
    clock.move_to(MORNING)
    return names


def looked_at(page, server, area: str, names: dict[str, object]) -> list[str]:
    """What is wrong with each state of the area."""
    page.emulate_media(color_scheme="light", reduced_motion="reduce")
    page.set_default_timeout(10_000)
    wrong = []
    for name, states in STATES[area].items():
        for place, state in enumerate(states, start=1):
            at = state.at.format_map(names)
            address = at if at.startswith("/") else OURS[name].path() + at
            found = wrong_with(page, server.url + address, name, state)
            seen.setdefault(area, set()).update(on_screen)
            wrong += [f"{name} {place}: {each}" for each in found]
    return wrong


def wrong_with(page, address: str, name: str, state: State) -> list[str]:
    answers = []
    page.on("response", lambda answer: answers.append(answer) if answer.request.is_navigation_request() else None)
    try:
        page.goto(address)
        if state.act is not None:
            state.act(page)
        page.wait_for_load_state()
        expect(page.locator("body")).to_contain_text(state.reads, ignore_case=True)
    except (AssertionError, Error) as error:
        shown = " ".join(page.locator("body").inner_text().split())
        return [f"not reached: {str(error).splitlines()[0]} The page says: {shown[:1000]}"]
    status, where = answers[-1].status, resolve(urlsplit(page.url).path).view_name if state.status == 200 else name
    expected = {200, 422, 409} if state.status == 200 else {state.status}
    if status not in expected or where != name:
        return [f"answered {status} by {where}"]
    return findings(page)


@pytest.mark.parametrize("area", AREAS)
def test_axe_finds_nothing(page, server, everything, noted, area):
    if area == "a second factor is owed":
        second_factor.decide(required=True, by=User.objects.get(username="admin"), now=NOW)
    if name := WHO.get(area, "admin"):
        session = signed_in_as(name).cookies["sessionid"].value
        page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])

    wrong = looked_at(page, server, area, everything)

    assert not wrong, "\n".join(wrong)


@pytest.mark.xdist_group("pages")
def test_every_template_of_the_desk_was_looked_at():
    missing = unseen(AT_THE_DESK, is_of_the_desk)
    assert not missing, "\n".join(missing)


@pytest.mark.xdist_group("browser")
def test_every_template_of_all_others_was_looked_at():
    others = STATES.keys() - AT_THE_DESK
    missing = unseen(others, lambda name: not is_of_the_desk(name) and not name.startswith(NO_TEMPLATES_OF_PAGES))
    assert not missing, "\n".join(missing)


def is_of_the_desk(name: str) -> bool:
    return name.startswith(DESK_TEMPLATES) and name != "desk/second_factor.html"


def unseen(areas, concerns) -> list[str]:
    if areas := set(areas) - seen.keys():
        pytest.skip(f"Not looked at in this run: {', '.join(sorted(areas))}")
    names = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*") if path.is_file()}
    return sorted(filter(concerns, names - set.union(*seen.values())))


@pytest.mark.xdist_group("pages")
def test_axe_finds_nothing_where_there_is_nothing_yet(page, server, clock):
    """A fresh installation, before its first site."""
    admin = User.objects.create_superuser("admin", "admin@example.com", "x")
    session = signed_in(admin).cookies["sessionid"].value
    page.context.add_cookies([{"name": "sessionid", "value": session, "url": server.url}])
    names = ("home", "diary", "waiting", "patient-search", "worklist", "rota", "import", "operations")

    wrong = {
        name: wrong_with(page, server.url + OURS[name].path(), name, State())
        for name in (f"desk:{each}" for each in names)
    }

    assert {name: found for name, found in wrong.items() if found} == {}
