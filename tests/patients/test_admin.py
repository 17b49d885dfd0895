"""The admin shows patients, finds them as the desk does, and changes nothing."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import User
from django.urls import reverse

from patients import services
from patients.models import RecordView

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 3, 12, tzinfo=UTC)
LISTS = ["patient", "consent", "recordview"]


@pytest.fixture
def head(client):
    user = User.objects.create_superuser("head", "head@example.org")
    client.force_login(user)
    return user


@pytest.fixture
def jane(head):
    return services.register(
        given_name="Jane",
        family_name="Müller",
        email="jane@example.org",
        language="en-gb",
        consents=[("recall", "email")],
        by=head,
        now=NOW,
    )


def test_the_admin_finds_as_the_desk_does(client, jane):
    page = client.get(reverse("admin:patients_patient_changelist"), {"q": "jnae muller"})

    assert list(page.context["cl"].queryset) == [jane]


@pytest.mark.parametrize("typed", ["", "\x00", "%", "x" * 10_000, "'"])
def test_odd_searches_are_answered(client, jane, typed):
    assert client.get(reverse("admin:patients_patient_changelist"), {"q": typed}).status_code == 200


@pytest.mark.parametrize("name", LISTS)
def test_nothing_is_added_by_the_admin(client, head, name):
    assert client.get(reverse(f"admin:patients_{name}_changelist")).status_code == 200
    assert client.get(reverse(f"admin:patients_{name}_add")).status_code == 403


def test_nothing_is_changed_or_deleted_by_the_admin(client, jane):
    one = reverse("admin:patients_patient_change", args=[jane.pk])

    assert client.post(one, {"given_name": "Eve"}).status_code == 403
    assert client.post(reverse("admin:patients_patient_delete", args=[jane.pk]), {"post": "yes"}).status_code == 403

    jane.refresh_from_db()
    assert jane.given_name == "Jane"


def test_a_look_by_the_admin_is_kept_too(client, jane, head):
    page = client.get(reverse("admin:patients_patient_change", args=[jane.pk])).content.decode()

    assert "You may e-mail me when my next maintenance is due." in page
    assert list(RecordView.objects.values_list("patient", "user", "page")) == [(jane.pk, head.pk, "admin")]
