"""A file that takes long is seen to be under way."""

import pytest
from django.contrib.auth.models import Permission
from playwright.sync_api import expect

from tests.clinic.test_desk_import import FILE
from tests.e2e.conftest import sign_in

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

# Playwright waits for the page that is to come; what stands meanwhile is told, and pressed again, by the page itself.
WHILE_IT_IS_UNDER_WAY = """
  const form = document.querySelector("form[enctype]");
  form.addEventListener("submit", () => setTimeout(() => {
    form.querySelector("button").click();
    console.log(form.innerText);
  }), { once: true });
"""


def test_long_work_says_so_and_a_second_press_meanwhile_is_none(page, server, clinic):
    clinic.manager.user_permissions.add(Permission.objects.get(codename="import_patients"))
    sign_in(page, server, "manager@example.com")
    page.goto(f"{server.url}/desk/import/")
    page.get_by_label("File").set_input_files({"name": "p.csv", "mimeType": "text/csv", "buffer": FILE.encode()})
    held = []
    page.route(
        "**/desk/import/", lambda route: held.append(route) if route.request.method == "POST" else route.continue_()
    )
    page.evaluate(WHILE_IT_IS_UNDER_WAY)

    with page.expect_console_message() as said:
        page.get_by_role("button", name="Show what it comes to").click(no_wait_after=True)
    page.wait_for_timeout(500)

    assert len(held) == 1
    assert "Reading and comparing each line" in said.value.text
    held[0].continue_()
    expect(page.get_by_role("heading", name="What the file comes to")).to_be_visible()
