"""Sites, people, rooms and devices in the admin; bookings there are to look at."""

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from clinic.models import Absence, Closure
from tests.clinic.test_booking import a_visit, book
from tests.world import at

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin_client(world, client):
    client.force_login(User.objects.create_superuser("admin", "admin@example.com", None))
    return client


def form_of(answer) -> dict:
    """What the page would post back, field by field."""
    context = answer.context
    forms = [context["adminform"].form]
    for inline in context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    posted = {}
    for form in forms:
        for field in form:
            value = field.value()
            widget = field.field.widget
            if hasattr(widget, "widgets"):
                parts = widget.decompress(value if value is None or hasattr(value, "hour") else None)
                posted |= {f"{field.html_name}_{i}": part or "" for i, part in enumerate(parts)}
            elif isinstance(value, list):
                posted[field.html_name] = [getattr(item, "pk", item) for item in value]
            elif value is True:
                posted[field.html_name] = "on"
            elif value is not False:
                posted[field.html_name] = "" if value is None else value
    return posted


@pytest.mark.parametrize(
    ("model", "of", "prefix", "rows"),
    [
        pytest.param("site", lambda world: world.site, "closures", Closure, id="a closure of a site"),
        pytest.param("resource", lambda world: world.practitioners[0], "absences", Absence, id="an absence"),
    ],
)
def test_times_are_those_of_the_sites_wall_clock(admin_client, world, model, of, prefix, rows):
    world.site.time_zone = "Europe/Berlin"
    world.site.save()
    url = reverse(f"admin:clinic_{model}_change", args=[of(world).pk])
    posted = form_of(admin_client.get(url)) | {
        f"{prefix}-TOTAL_FORMS": "1",
        f"{prefix}-0-starts_at_0": "2026-07-01",
        f"{prefix}-0-starts_at_1": "09:00",
        f"{prefix}-0-ends_at_0": "2026-07-01",
        f"{prefix}-0-ends_at_1": "12:00",
        f"{prefix}-0-reason": "Training",
    }

    answer = admin_client.post(url, posted)

    assert answer.status_code == 302, answer.context["errors"]
    assert rows.objects.get().starts_at == at("2026-07-01 08:00")  # in London, where Berlin has 09:00
    assert 'value="09:00:00"' in admin_client.get(url).content.decode()


@pytest.mark.parametrize("model", ["site", "resource"])
def test_a_new_one_can_be_entered(admin_client, model):
    assert admin_client.get(reverse(f"admin:clinic_{model}_add")).status_code == 200
    assert admin_client.get(reverse(f"admin:clinic_{model}_changelist")).status_code == 200


def test_bookings_are_to_look_at(admin_client, world):
    appointment = book(world, a_visit(world))
    url = reverse("admin:clinic_appointment_change", args=[appointment.pk])

    assert "Room 1" in admin_client.get(url).content.decode()
    assert admin_client.post(url, {"status": "cancelled"}).status_code == 403
    assert admin_client.get(reverse("admin:clinic_appointment_add")).status_code == 403
