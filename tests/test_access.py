"""Who may open what. Every URL of the project is walked, so that a new one is covered the day it is added."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch

import pytest
from allauth.account.models import EmailAddress
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, resolve

from clinic.services import booking
from patients.models import Patient, RecordView
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

# All that somebody who has not signed in may open. Everything else is private.
PUBLIC = {
    "healthz",
    "account_login",
    "account_logout",
    "account_signup",
    "account_inactive",
    "account_request_login_code",
    "account_confirm_login_code",
    "account_email_verification_sent",
    "account_confirm_email",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key",
    "account_reset_password_from_key_done",
    "mfa_authenticate",
    "admin:login",
    # Calendar programs cannot sign in: the address itself is the secret, and answers only that patient's visits.
    "portal:feed",
    # The link in a reminder: who has it has the patient's mailbox, and it opens no more than that message was about.
    "link:due",
    "link:time",
    "link:book",
    "link:later",
    "link:call",
    "link:fresh",
    "link:care",
    "link:stop",
    "link:earlier",
    "link:earlier-take",
    "link:earlier-decline",
    "link:earlier-withdraw",
    # The gateway for text messages has a secret of its own in the address; without it there is no such page.
    "sms-hook",
    # The mail service signs in by a name and a password of its own; without it there is no such page.
    "mail-hook",
}
SIGN_IN = ("/accounts/login/", "/admin/login/")

# What stands for a parameter of an address, by the name of the URL. All of it belongs to somebody else than `Own`.
SAMPLES = {
    ("desk:patient-merge-with", "other"): lambda: Patient.objects.get(given_name="Noor").pk,
    ("desk:patient*", "pk"): lambda: Patient.objects.get(given_name="Foreign").pk,
    ("desk:series-new", "pk"): lambda: Patient.objects.get(given_name="Foreign").pk,
    ("desk:import-template", "kind"): lambda: "patients",
    ("desk:worklist-*", "kind"): lambda: "maintenance",
    ("desk:worklist-*", "pk"): lambda: apps.get_model("treatments.Maintenance").objects.earliest("pk").pk,
    ("desk:rota-visit", "pk"): lambda: apps.get_model("clinic.Appointment").objects.earliest("pk").pk,
    ("desk:rota-*", "kind"): lambda: "opening",
    ("desk:rota-change", "pk"): lambda: apps.get_model("clinic.OpeningHours").objects.earliest("pk").pk,
    ("desk:visit-new", "pk"): lambda: Patient.objects.get(given_name="Foreign").pk,
    ("desk:maintenance-decide", "pk"): lambda: apps.get_model("treatments.Maintenance").objects.earliest("pk").pk,
    ("desk:series-version", "pk"): lambda: apps.get_model("treatments.Series").objects.earliest("pk").pk,
    ("admin:treatments_protocol_version", "number"): lambda: 1,
    ("desk:series-book", "pk"): lambda: apps.get_model("treatments.Series").objects.earliest("pk").pk,
    ("desk:session-add", "pk"): lambda: apps.get_model("treatments.Series").objects.earliest("pk").pk,
    ("desk:session-drop", "pk"): lambda: apps.get_model("treatments.Session").objects.earliest("pk").pk,
    ("desk:appointment-change", "kind"): lambda: "move",
    ("desk:appointment*", "pk"): lambda: apps.get_model("clinic.Appointment").objects.earliest("pk").pk,
    # Nobody waits in this clinic, so there is none.
    ("desk:waiting-act", "pk"): lambda: 1,
    ("portal:visit*", "pk"): lambda: apps.get_model("clinic.Appointment").objects.earliest("pk").pk,
    ("portal:maintenance-book", "pk"): lambda: apps.get_model("treatments.Maintenance").objects.earliest("pk").pk,
    ("portal:feed", "secret"): lambda: "no-such-secret-in-any-row",
    ("sms-hook", "secret"): lambda: "no-such-secret",
    ("link:*", "secret"): lambda: "A" * 24,
    ("account_confirm_email", "key"): lambda: "no-such-key",
    ("account_reset_password_from_key", "uidb36"): lambda: "1",
    ("account_reset_password_from_key", "key"): lambda: "no-such-key",
    ("admin:view_on_site", "content_type_id"): lambda: 1,
    ("admin:view_on_site", "object_id"): lambda: 1,
    ("admin:app_list", "app_label"): lambda: "patients",
    ("admin:", "url"): lambda: "no-such-page",
}
# Written when somebody only looks: who is signed in, and who looked at what.
WRITTEN_BY_LOOKING = {"django_session", "patients_recordview"}


@dataclass(frozen=True)
class Url:
    name: str
    route: str

    def path(self) -> str:
        """An address that exists, with a sample in the place of each parameter."""
        # A group of a regular expression, or a converter of a route.
        text = re.sub(r"\(\?P<(\w+)>[^)]*\)", self._sample, self.route)
        text = re.sub(r"<(?:\w+:)?(\w+)>", self._sample, text)
        return "/" + text.replace("^", "").replace("$", "")

    def _sample(self, found: re.Match) -> str:
        parameter = found[1]
        for (name, of), sample in SAMPLES.items():
            if fnmatch(self.name, name) and of == parameter:
                return str(sample())
        if self.name.startswith("admin:") and parameter == "object_id":
            _admin, app, model, *_rest = self.route.split("/")
            first = apps.get_model(app, model)._default_manager.order_by("pk").first()
            return str(first.pk if first else 1)
        pytest.fail(f"Add a sample for the parameter “{parameter}” of the URL “{self.name}” ({self.route}) to SAMPLES.")

    @property
    def area(self) -> str:
        return self.name.partition(":")[0] if ":" in self.name else ""


def walk(resolver: URLResolver, namespaces: tuple[str, ...] = (), route: str = "") -> Iterator[Url]:
    for pattern in resolver.url_patterns:
        here = route + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            inside = (*namespaces, pattern.namespace) if pattern.namespace else namespaces
            yield from walk(pattern, inside, here)
        else:
            assert isinstance(pattern, URLPattern)
            yield Url(":".join((*namespaces, pattern.name or "")), here)


URLS = list(walk(get_resolver()))
# The one asynchronous page cannot be asked in a process that has a browser: its loop counts as running. The tests of
# the demo ask it from outside.
WALKED = [url for url in URLS if url.name != "healthz"]
PRIVATE = [url for url in URLS if url.name not in PUBLIC]


@pytest.fixture
def clinic(world):
    """A patient with an account, and another who has one of everything, with words that must never be seen."""
    own = world.a_patient("Own", "Account", email="own@example.com")
    create_account(patient=own, by=world.desk, now=NOW)
    Patient.objects.filter(pk=world.patient.pk).update(given_name="Foreign", family_name="Canary", notes="Canary")
    world.patient.refresh_from_db()
    create_account(patient=world.patient, by=world.desk, now=NOW)
    world.a_patient("Noor")
    running = world.a_series()
    book(world, a_visit(world, session=running.sessions.get(number=1)))
    complete = world.a_series(count=1, decision_note="Dr Canary")
    last = book(world, a_visit(world, "2026-03-04 10:00", session=complete.sessions.get()))
    booking.attend(appointment=last, by=world.desk, now=at("2026-03-04 12:00"))
    ended = book(world, a_visit(world, "2026-03-06 10:00"))
    booking.cancel(appointment=ended, reason="Canary", by=world.desk, now=NOW)
    for user in (world.desk, User.objects.create_superuser("admin", "admin@example.com", "x")):
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    return world


def signed_in(user: User | None) -> Client:
    client = Client()
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def stored() -> dict[str, str]:
    """A fingerprint of every table: each write of a row changes its place (ctid), also one that changes no value."""
    with connection.cursor() as cursor:
        tables = sorted(set(connection.introspection.table_names(cursor)) - WRITTEN_BY_LOOKING)
        cursor.execute(
            " UNION ALL ".join(
                f"SELECT '{table}', count(*) || ' ' || coalesce(md5(string_agg(ctid::text, ' ')), '') FROM \"{table}\""
                for table in tables
            )
        )
        return dict(cursor.fetchall())


def changed(before: dict[str, str]) -> list[str]:
    after = stored()
    return [table for table in before if before[table] != after[table]]


def test_the_walk_finds_the_pages_and_the_public_ones_exist():
    names = {url.name for url in URLS}

    assert {"desk:home", "portal:course", "admin:index", "home"} <= names
    assert names >= PUBLIC


def test_each_sample_leads_to_the_url_it_stands_for(clinic):
    led_astray = {url.name: url.path() for url in URLS if resolve(url.path()).route != url.route.replace("^", "")}

    assert led_astray == {}


@pytest.mark.parametrize("method", ["get", "post"])
def test_without_signing_in_every_private_url_asks_for_it_or_is_not_there(clinic, method):
    before = stored()
    answered = {}
    for url in PRIVATE:
        response = getattr(signed_in(None), method)(url.path())
        asked = response.status_code == 302 and response["Location"].startswith(SIGN_IN)
        if not asked and response.status_code != 404:
            answered[url.name] = response.status_code

    assert answered == {}
    assert changed(before) == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_patient_finds_nothing_at_the_desk_or_in_the_administration(clinic, method):
    client = signed_in(Patient.objects.get(given_name="Own").user)
    before = stored()
    answered = {}
    for url in PRIVATE:
        # Signing out is for everybody, and would end the walk.
        if url.area in ("desk", "admin") and url.name != "admin:logout":
            response = getattr(client, method)(url.path())
            sent_away = response.status_code == 302 and response["Location"].startswith(SIGN_IN)
            if not sent_away and response.status_code != 404:
                answered[url.name] = response.status_code

    assert answered == {}
    assert changed(before) == []


def test_a_patient_never_sees_anything_of_another(clinic):
    client = signed_in(Patient.objects.get(given_name="Own").user)
    shown, opened = {}, {}
    for url in WALKED:
        response = client.get(url.path())
        # But for the islands, in the list of time zones.
        if "Canary" in response.content.decode().replace("Atlantic/Canary", ""):
            shown[url.name] = response.status_code
        if url.area == "portal" and "<" in url.route and response.status_code != 404:
            opened[url.name] = response.status_code

    assert shown == {}
    assert opened == {}


def test_the_words_that_must_not_be_seen_can_be_seen_by_those_who_may(clinic):
    """Else the test above could not fail."""
    foreign = Patient.objects.get(given_name="Foreign")
    Patient.objects.filter(pk=foreign.pk).update(given_name="Canary")

    assert "Canary" in signed_in(foreign.user).get("/my/").content.decode()
    assert "Canary" in signed_in(clinic.desk).get(f"/desk/patients/{foreign.pk}/").content.decode()


@pytest.mark.parametrize("username", ["desk", "admin"])
def test_looking_changes_nothing(clinic, username):
    client = signed_in(User.objects.get(username=username))
    before = stored()
    writers, broken, opened = {}, {}, 0
    for url in WALKED:
        response = client.get(url.path())
        opened += response.status_code == 200
        if response.status_code >= 500:
            broken[url.name] = response.status_code
        if tables := changed(before):
            writers[url.name] = tables
            before = stored()

    assert writers == {}
    assert broken == {}
    assert opened > 10


def test_each_look_at_the_record_of_a_patient_is_kept(clinic):
    """A page whose address names one thing of a patient, and that shows the patient. Lists show many, and keep none."""
    client = signed_in(clinic.desk)
    clinic.desk.user_permissions.set(Permission.objects.filter(codename="move_series_version"))
    kept, shown = set(), set()
    for url in WALKED:
        if url.area == "desk" and "<" in url.route:
            response = client.get(url.path())
            if response.status_code == 200 and "Foreign Canary" in response.content.decode():
                shown.add(url.name)
                seen = RecordView.objects.filter(patient__given_name="Foreign", page=url.name, user=clinic.desk)
                kept |= {url.name} if seen.exists() else set()

    assert kept == shown
    assert {"desk:patient", "desk:appointment-move", "desk:series-book", "desk:session-drop"} <= shown


def test_a_write_is_noticed_even_where_no_value_changes(clinic):
    before = stored()
    Patient.objects.update(notes=Patient.objects.get(given_name="Foreign").notes)

    assert "patients_patient" in changed(before)


def test_a_url_with_an_unknown_parameter_asks_for_a_sample():
    with pytest.raises(pytest.fail.Exception, match="Add a sample for the parameter “token”"):
        Url("portal:new", "my/<uuid:token>/").path()


@pytest.mark.parametrize("address", ["/my/nowhere/", "/desk/nowhere/", "/nowhere/"])
def test_what_does_not_exist_is_not_found(clinic, address):
    assert signed_in(clinic.desk).get(address).status_code == 404
