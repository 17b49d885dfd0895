"""The pages behind the links in a message: axe finds nothing, from the first tap to the answer."""

import pytest

from clinic.models import ReminderStep
from tests.clinic.test_links import link as reminder  # noqa: F401 - a fixture
from tests.clinic.test_links import reminded  # noqa: F401 - a fixture
from tests.clinic.test_offers import freed  # noqa: F401 - a fixture
from tests.clinic.test_offers import link as offer  # noqa: F401 - a fixture
from tests.e2e.looking import findings

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


@pytest.fixture(autouse=True)
def steps(transactional_db):
    ReminderStep.objects.all().delete()
    ReminderStep.objects.create(subject="maintenance", offset_days=0, stale_after_days=7)


def test_a_reminder_is_answered(page, server, reminder):  # noqa: F811
    page.goto(server.url + reminder)
    found = {"the times": findings(page)}
    page.locator("main a.btn").first.click()
    page.get_by_role("button", name="Book this visit").wait_for()
    found["the question"] = findings(page)
    page.get_by_role("button", name="Book this visit").click()
    page.wait_for_load_state()
    found["booked"] = findings(page)

    assert found == {state: [] for state in found}


def test_the_desk_is_asked_to_call(page, server, reminder):  # noqa: F811
    page.goto(server.url + reminder)
    page.get_by_role("button", name="Please call me").click()
    page.wait_for_load_state()

    assert findings(page) == []


def test_an_earlier_time_is_declined(page, server, offer):  # noqa: F811
    page.goto(server.url + offer)
    found = {"the offer": findings(page)}
    page.get_by_role("button", name="Not this time").click()
    page.wait_for_load_state()
    found["declined"] = findings(page)

    assert found == {state: [] for state in found}
