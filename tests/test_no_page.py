"""What is said to show no page of its own shows none, whoever looks and whatever is pressed."""

import pytest
from django.contrib.messages import WARNING, get_messages
from django.db import transaction
from django.test import Client

from tests.e2e.every_page import NO_PAGE
from tests.e2e.one_of_each import MORNING, describe, one_of_each, signed_in_as
from tests.test_access import URLS
from tests.test_access import clinic as one_of_everything  # noqa: F401 - a fixture

pytestmark = pytest.mark.django_db

BY_NAME = {url.name: url for url in URLS}


@pytest.fixture
def names(world, request, time_machine) -> dict[str, object]:
    describe(world)
    names = one_of_each(request.getfixturevalue("one_of_everything"))
    time_machine.move_to(MORNING, tick=False)
    return names


def shows_a_page(answer) -> bool:
    """That there is nothing here, or that one may not, is said by a page of its own."""
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return is_html and bool(answer.templates) and answer.status_code not in (403, 404, 405)


def refused(answer) -> list[str]:
    return [str(said) for said in get_messages(answer.wsgi_request) if said.level >= WARNING]


def test_it_shows_none(names):
    wrong = {}
    for name, press in NO_PAGE.items():
        # Each finds the clinic as it was.
        before = transaction.savepoint()
        at = press.at.format_map(names) or BY_NAME[name].path()
        sends = {key: value.format_map(names) for key, value in (press.sends or {}).items()}
        seen = client(press.by).get(at)
        pressed = client(press.by).post(at, sends)
        if shows_a_page(seen) or shows_a_page(pressed):
            wrong[name] = "a page"
        elif press.sends is not None and (pressed.status_code >= 400 or refused(pressed)):
            wrong[name] = f"{pressed.status_code}, {refused(pressed)}: the press is not valid"
        transaction.savepoint_rollback(before)

    assert wrong == {}


def client(by: str) -> Client:
    return signed_in_as(by) if by else Client()


def test_a_page_is_noticed(names):
    """Else the test above could not fail."""
    assert shows_a_page(client("admin").get("/desk/"))
    assert not shows_a_page(client("admin").get("/nowhere/"))
