"""The four roles: what each may do, where the rights are asked for, and how a person is given one."""

import pytest
import time_machine
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from clinic import roles
from tests.clinic.test_booking import a_visit, book

pytestmark = pytest.mark.django_db

FOUR = ["receptionist", "practitioner", "manager", "admin"]
# What is asked for, and who is answered yes. Written out, so that a slip in the table of the program is seen.
ACTIONS = {
    "register a patient": ("patients.add_patient", "receptionist practitioner manager admin"),
    "book": ("clinic.add_appointment", "receptionist practitioner manager admin"),
    "book outside the window": ("clinic.override_window", "practitioner manager admin"),
    "move a series to the current version": ("treatments.move_series_version", "practitioner manager admin"),
    "operate the sending": ("clinic.operate_sending", "manager admin"),
    "merge two records": ("patients.merge_patient", "receptionist manager admin"),
    "see the reports": ("clinic.see_reports", "manager admin"),
    "change the rota": ("clinic.change_rota", "manager admin"),
    "note who is away": ("clinic.note_absence", "receptionist manager admin"),
    "require a second factor": ("clinic.require_second_factor", "manager admin"),
    "change opening hours": ("clinic.change_openinghours", "manager admin"),
    "change a message's words": ("clinic.change_messagetemplate", "manager admin"),
    "see who looked at a record": ("patients.view_recordview", "manager admin"),
    "change a protocol": ("treatments.change_protocol", "admin"),
    "give a person a role": ("auth.change_user", "admin"),
    "look at a patient": ("patients.view_patient", "receptionist practitioner manager admin"),
    "look at a protocol": ("treatments.view_protocol", "receptionist practitioner manager admin"),
    "delete a patient": ("patients.delete_patient", ""),
    "change what was sent": ("clinic.change_message", ""),
    "take a consent back in silence": ("patients.change_consent", ""),
    "delete an account": ("auth.delete_user", ""),
}


def somebody(role: str, **values) -> User:
    user = User.objects.create_user(f"a {role}", f"{role}@example.com", is_staff=True, **values)
    user.groups.add(Group.objects.get(name=role))
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.mark.parametrize("role", FOUR)
@pytest.mark.parametrize("action", ACTIONS)
def test_a_role_may_do_what_its_work_needs_and_no_more(role, action):
    permission, those = ACTIONS[action]

    assert somebody(role).has_perm(permission) is (role in those.split())


@pytest.mark.parametrize(
    ("address", "those"),
    [
        pytest.param("desk:home", "receptionist practitioner manager admin", id="the desk"),
        pytest.param("desk:operations", "manager admin", id="the sending"),
        pytest.param("desk:second-factor", "manager admin", id="the second factor"),
        pytest.param("admin:auth_user_changelist", "admin", id="accounts"),
        pytest.param("admin:treatments_protocol_add", "admin", id="a new protocol"),
        pytest.param("admin:clinic_site_add", "manager admin", id="a new site"),
    ],
)
def test_each_page_opens_for_the_roles_that_may(world, address, those):
    opened = {role for role in FOUR if signed_in(somebody(role)).get(reverse(address)).status_code == 200}

    assert opened == set(those.split())


@pytest.mark.parametrize(
    ("rights", "looks", "changes"),
    [
        pytest.param([], False, False, id="no role"),
        pytest.param(["view_patient"], True, False, id="only to look"),
        pytest.param(["view_patient", "change_appointment"], True, True, id="to look and to change"),
    ],
)
def test_without_a_role_the_desk_is_closed_and_nobody_changes_what_they_may_only_see(world, rights, looks, changes):
    visit = book(world, a_visit(world))
    person = User.objects.create_user("p", "p@example.com", is_staff=True)
    person.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = signed_in(person)
    addresses = [reverse("desk:home"), reverse("desk:worklist-csv"), reverse("desk:appointment", args=[visit.pk])]

    answers = {client.get(address).status_code for address in addresses}
    answers.add(client.post(reverse("desk:patient-search"), {"q": "Amal"}).status_code)
    assert answers == {200 if looks else 403}
    with time_machine.travel(visit.starts_at, tick=False):
        answer = client.post(reverse("desk:appointment-arrive", args=[visit.pk]))
    visit.refresh_from_db()
    assert (answer.status_code, visit.status) == ((302, "arrived") if changes else (403, "booked"))


def test_every_right_of_the_table_exists():
    known = set(Permission.objects.filter(content_type__app_label__in=roles.APPS).values_list("codename", flat=True))

    assert set().union(*roles.ROLES.values()) - known == set()


def test_every_right_of_its_own_is_somebodys():
    """A permission that a model adds and the table forgets would be a superuser's alone."""
    added = {
        codename
        for label in ("patients", "treatments", "clinic")
        for model in apps.get_app_config(label).get_models()
        for codename, _name in model._meta.permissions
    }

    assert added
    assert added - set().union(*roles.ROLES.values()) == set()


def test_an_admin_sees_all_of_the_administration_but_what_only_a_superuser_needs(world):
    ours = {
        model for model in admin.site._registry if model._meta.app_label in ("patients", "treatments", "clinic", "auth")
    }
    client = signed_in(somebody("admin"))
    closed = {
        model._meta.label
        for model in ours
        if client.get(reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")).status_code != 200
    }

    assert closed == set()


def test_migrating_again_makes_the_roles_what_the_table_says():
    group = Group.objects.get(name="receptionist")
    group.permissions.set([Permission.objects.get(codename="operate_sending")])
    Group.objects.get(name="manager").delete()

    call_command("migrate", verbosity=0)

    assert set(group.permissions.values_list("codename", flat=True)) == roles.ROLES["receptionist"]
    assert Group.objects.get(name="manager").permissions.filter(codename="operate_sending").exists()
    assert Group.objects.count() == 4


@pytest.mark.django_db(transaction=True)
def test_tables_that_were_emptied_have_the_roles_again():
    call_command("flush", verbosity=0, interactive=False)

    assert set(Group.objects.values_list("name", flat=True)) == set(FOUR)


# --- Giving a person a role ---------------------------------------------------------------------------------------


@pytest.fixture
def head(client):
    user = somebody("admin")
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return user


def fill_in(client, person: User | None = None, **values):
    address = reverse("admin:auth_user_change", args=[person.pk]) if person else reverse("admin:auth_user_add")
    data = {"first_name": "Ines", "last_name": "Calloway", "email": "Ines@example.org", "is_active": "on"} | values
    data["role"] = Group.objects.get(name=data["role"]).pk if data.get("role") else ""
    return client.post(address, data)


def test_an_admin_takes_somebody_on_with_a_role(client, head):
    fill_in(client, role="manager")

    person = User.objects.get(email="ines@example.org")
    assert person.is_staff
    assert not person.is_superuser
    assert not person.has_usable_password()
    assert person.has_perm("clinic.operate_sending")
    assert EmailAddress.objects.get(user=person).verified


def test_whoever_was_taken_on_signs_in_by_a_code(client, head, mailoutbox):
    fill_in(client, role="receptionist")
    newcomer = Client()
    newcomer.post(reverse("account_request_login_code"), {"email": "ines@example.org"})
    [code] = [word for word in mailoutbox[0].body.split() if "-" in word and word.isupper()]
    newcomer.post(reverse("account_confirm_login_code"), {"code": code})

    assert newcomer.get(reverse("desk:home")).status_code == 200


def test_another_role_takes_the_place_of_the_first(client, head):
    person = somebody("receptionist")
    fill_in(client, person, role="practitioner", email=person.email)

    assert [group.name for group in person.groups.all()] == ["practitioner"]
    assert User.objects.get(pk=person.pk).has_perm("clinic.override_window")


def test_who_leaves_is_shut_out_and_stays_on_record(client, head):
    person = somebody("receptionist")
    browser = signed_in(person)
    fill_in(client, person, role="receptionist", email=person.email, is_active="")

    assert browser.get(reverse("desk:home")).status_code == 302
    assert client.post(reverse("admin:auth_user_delete", args=[person.pk]), {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        pytest.param({"role": ""}, "Choose what this person does here.", id="no role"),
        pytest.param(
            {"role": "manager", "email": "desk@example.com"}, "Another account signs in with this", id="address taken"
        ),
    ],
)
def test_what_cannot_be_stored_is_said_beside_the_field(client, head, world, values, sentence):
    response = fill_in(client, **values)

    assert sentence in response.content.decode()
    assert 'value="Calloway"' in response.content.decode()
    assert not User.objects.filter(last_name="Calloway").exists()


@pytest.mark.parametrize(
    "values", [{"role": "manager"}, {"role": "admin", "is_active": ""}], ids=["another role", "shut out"]
)
def test_nobody_changes_their_own_role_or_shuts_themselves_out(client, head, values):
    response = fill_in(client, head, email=head.email, **values)

    assert "is for somebody else to change" in response.content.decode()
    head.refresh_from_db()
    assert head.is_active
    assert [group.name for group in head.groups.all()] == ["admin"]


def test_an_admin_cannot_touch_a_superuser_nor_become_one(client, head):
    chief = User.objects.create_superuser("chief", "chief@example.com", "x")

    assert fill_in(client, chief, role="receptionist", email="mine@example.com").status_code == 403
    fill_in(client, somebody("receptionist"), role="admin", email="new@example.com", is_superuser="on")
    assert not User.objects.get(email="new@example.com").is_superuser


def test_patients_who_sign_in_are_not_among_the_staff(client, head, world):
    patient = User.objects.create_user("p-1", "patient@example.com")

    assert "patient@example.com" not in client.get(reverse("admin:auth_user_changelist")).content.decode()
    assert fill_in(client, patient, role="admin").status_code == 302
    assert not User.objects.get(pk=patient.pk).is_staff


def test_a_lost_phone_is_taken_off_by_an_admin_but_not_off_a_superuser(client, head):
    person, chief = somebody("receptionist"), User.objects.create_superuser("chief", "chief@example.com", "x")
    for user in (person, chief):
        Authenticator.objects.create(user=user, type="totp", data={"secret": "x"})

    data = {"action": "take_second_factor", "_selected_action": [person.pk, chief.pk]}
    client.post(reverse("admin:auth_user_changelist"), data)

    assert list(Authenticator.objects.values_list("user", flat=True)) == [chief.pk]
