"""A manager requires a second factor of all staff: who has none sets one up, and gets nothing else until then."""

import re
from datetime import timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.contrib.auth.models import Group, User
from django.db import ProgrammingError, transaction
from django.test import Client
from django.urls import reverse

from clinic.models import SecondFactorRule
from clinic.services import second_factor
from patients.services import create_account
from tests.clinic.test_roles import signed_in
from tests.world import NOW

pytestmark = pytest.mark.django_db

PASSWORD = "a-password-for-tests"
SET_UP = reverse("mfa_activate_totp")


@pytest.fixture
def manager(world) -> User:
    world.manager.groups.add(Group.objects.get(name="manager"))
    return world.manager


@pytest.fixture
def required(manager):
    second_factor.decide(required=True, by=manager, now=NOW)


def sign_in(user: User, *, password: str = PASSWORD) -> Client:
    user.set_password(password)
    user.save()
    user.emailaddress_set.update_or_create(email=user.email, defaults={"verified": True, "primary": True})
    client = Client()
    client.post(reverse("account_login"), {"login": user.email, "password": password})
    return client


def code_of(secret: str) -> str:
    """What the app on the phone shows now."""
    return format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))


def set_up(client: Client):
    """By the form, as a person does: the password once more, the key off the page, the code of the app."""
    page = client.get(reverse("desk:home"), follow=True)
    if "password" in page.context["form"].fields:
        page = client.post(page.redirect_chain[-1][0], {"password": PASSWORD, "next": SET_UP}, follow=True)
    secret = re.search(r'id="authenticator_secret"[^>]*value="([A-Z2-7]+)"', page.content.decode())[1]
    return client.post(SET_UP, {"code": code_of(secret)}, follow=True)


def test_until_somebody_requires_it_it_is_left_to_each(world):
    assert sign_in(world.desk).get(reverse("desk:home")).status_code == 200


def test_who_has_none_is_led_to_set_one_up_and_is_in(world, required):
    client = sign_in(world.desk)
    page = client.get(reverse("desk:home"), follow=True)
    assert "asks everybody who works here for a second factor" in page.content.decode()

    codes = set_up(client)

    assert "For the day your phone is lost" in codes.content.decode()
    assert len(re.findall(r"<li><code>", codes.content.decode())) == 10
    assert client.get(reverse("desk:home")).status_code == 200
    assert Authenticator.objects.filter(user=world.desk, type="totp").exists()


def test_a_wrong_code_is_refused_beside_the_field_and_lets_nobody_in(world, required):
    client = sign_in(world.desk)
    client.get(reverse("desk:home"), follow=True)
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})
    client.get(SET_UP)

    response = client.post(SET_UP, {"code": "000000"})

    assert "This code is not correct." in response.content.decode()
    assert client.get(reverse("desk:home")).status_code == 302


@pytest.mark.parametrize(
    "address",
    ["desk:home", "desk:diary", "desk:patient-search", "admin:index", "account_change_password", "mfa_index", "home"],
)
def test_nothing_else_is_reached(world, required, address):
    response = signed_in(world.desk).get(reverse(address))

    assert (response.status_code, response["Location"]) == (302, SET_UP)


def test_nor_by_posting_nor_from_a_page_that_was_open(world, required):
    client = signed_in(world.desk)

    assert client.post(reverse("desk:patient-new"), {"given_name": "A", "language": "de"})["Location"] == SET_UP
    piece = client.get(reverse("desk:patient-search"), headers={"HX-Request": "true"})
    assert (piece.status_code, piece["HX-Redirect"]) == (200, SET_UP)
    assert client.post(reverse("account_logout")).status_code == 302
    assert client.get(reverse("desk:home"))["Location"].startswith("/accounts/login/")


def test_a_superuser_is_asked_too_and_a_patient_is_not(world, required):
    chief = User.objects.create_superuser("chief", "chief@example.com", "x")
    create_account(patient=world.patient, by=world.desk, now=NOW)
    world.patient.refresh_from_db()

    assert signed_in(chief).get(reverse("admin:index"))["Location"] == SET_UP
    assert signed_in(world.patient.user).get(reverse("portal:course")).status_code == 200


def test_recovery_codes_alone_are_no_second_factor(world, required):
    Authenticator.objects.create(user=world.desk, type="recovery_codes", data={"seed": "x", "used_mask": 0})

    assert signed_in(world.desk).get(reverse("desk:home"))["Location"] == SET_UP


def test_who_has_one_notices_nothing_and_cannot_take_it_off(world, required):
    Authenticator.objects.create(user=world.desk, type="totp", data={"secret": "x"})
    client = signed_in(world.desk)

    assert client.get(reverse("desk:home")).status_code == 200
    client.post(reverse("mfa_deactivate_totp"))
    assert Authenticator.objects.filter(user=world.desk).exists()


def test_whoever_switches_it_on_without_one_sets_up_theirs_and_is_not_locked_out(manager):
    client = sign_in(manager)
    page = client.get(reverse("desk:second-factor")).content.decode()
    assert "2 people have none" in page
    assert "You are one of them" in page

    assert client.post(reverse("desk:second-factor-require")).status_code == 302
    set_up(client)

    page = client.get(reverse("desk:second-factor")).content.decode()
    assert "Required of everybody who works here" in page


def test_who_signs_in_without_a_password_sets_it_up_long_after_signing_in_too(world, required, time_machine):
    time_machine.move_to(NOW)
    world.desk.emailaddress_set.create(email=world.desk.email, verified=True, primary=True)
    client = signed_in(world.desk)
    time_machine.move_to(NOW + timedelta(hours=1))

    # By a code, as the sign-in was.
    page = client.get(reverse("desk:home"), follow=True)
    assert (page.status_code, page.request["PATH_INFO"]) == (200, reverse("account_request_reauthentication_code"))
    [(recipient, _words)] = page.context["form"].fields["recipient"].choices
    assert client.post(page.request["PATH_INFO"], {"recipient": recipient}).status_code == 302


def test_every_decision_is_kept_with_who_and_when(manager, world):
    client = signed_in(manager)
    Authenticator.objects.create(user=manager, type="totp", data={"secret": "x"})
    client.post(reverse("desk:second-factor-require"))
    client.post(reverse("desk:second-factor-require"))
    client.post(reverse("desk:second-factor-release"))

    assert [(rule.required, rule.decided_by) for rule in second_factor.decisions()] == [
        (False, manager),
        (True, manager),
    ]
    assert signed_in(world.desk).get(reverse("desk:home")).status_code == 200
    for change in (lambda row: row.delete(), lambda row: SecondFactorRule.objects.update(required=False)):
        with pytest.raises(ProgrammingError, match="Cannot update or delete"), transaction.atomic():
            change(SecondFactorRule.objects.earliest("pk"))


def test_the_desk_may_not_require_it(world):
    client = signed_in(world.desk)

    assert client.get(reverse("desk:second-factor")).status_code == 403
    assert client.post(reverse("desk:second-factor-require")).status_code == 403
    assert not SecondFactorRule.objects.exists()
