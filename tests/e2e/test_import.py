"""A file that takes long is seen to be under way."""

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from tests.clinic.test_desk_import import FILE
from tests.e2e.conftest import sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]


def test_long_work_says_so_and_a_second_press_meanwhile_is_none(page, server, clinic):
    clinic.manager.user_permissions.add(Permission.objects.get(codename="import_patients"))
    sign_in(page, server, "manager@example.com")
    page.goto(f"{server.url}/desk/import/")
    page.get_by_label("File").set_input_files({"name": "p.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    held = []
    page.route(
        "**/desk/import/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    press = page.get_by_role("button", name="Show what it comes to")

    press.click(no_wait_after=True)
    expect(page.get_by_role("status").get_by_text("Reading and comparing each line")).to_be_visible()
    press.click(no_wait_after=True)

    assert len(held) == 1
    held[0].continue_()
    expect(page.get_by_role("heading", name="What the file comes to")).to_be_visible()
