"""The second language: nothing that a patient reads is left in English, and dates are written as German does."""

import ast
import gettext
import io
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path

import pytest
import time_machine
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.core import mail
from django.template import engines
from django.template.base import Node
from django.templatetags.i18n import BlockTranslateNode, TranslateNode
from django.utils import translation
from django.utils.formats import date_format

from clinic import messages
from clinic.models import Message
from patients.models import Patient
from patients.services import create_account
from tests.clinic.test_booking import a_visit, book
from tests.world import NOW, at

ROOT = Path(__file__).parent.parent
CATALOGUE = ROOT / "locale/de/LC_MESSAGES/django.po"
COMPILE = "pybabel compile -D django -d locale -l de"
CONTEXT = "\x04"

# What patients read: pages, mails, sign-in, and the refusals of what they can do.
TEMPLATES = [
    path
    for folder in ("portal", "messages", "account", "mfa", "partials")
    for path in sorted((ROOT / "templates" / folder).rglob("*.*"))
    if path.suffix in (".html", ".txt")
] + [
    ROOT / "templates" / name
    for name in ("base.html", "alone.html", "403.html", "403_csrf.html", "404.html", "429.html", "500.html")
]
MODULES = [
    *sorted((ROOT / "clinic/views").glob("portal_*.py")),
    *(
        ROOT / name
        for name in (
            "clinic/accounts.py",
            "clinic/messages.py",
            "clinic/forms/portal.py",
            "clinic/forms/sign_in.py",
            "clinic/views/care_link.py",
            "clinic/forms/waiting.py",
            "clinic/views/feeds.py",
            "clinic/views/offer_link.py",
            "clinic/views/reminder_link.py",
            "clinic/views/unsubscribe.py",
            "clinic/second_factor.py",
            "clinic/services/booking.py",
            "clinic/services/course.py",
            "clinic/services/course_view.py",
            "clinic/services/feed.py",
            "clinic/services/links.py",
            "clinic/services/openings.py",
            "clinic/services/own_data.py",
            "clinic/services/portal.py",
            "clinic/services/ripple/carrying_out.py",
            "clinic/services/ripple/places.py",
            "clinic/services/screening.py",
            "clinic/services/transactions.py",
            "clinic/services/visits.py",
            "clinic/services/waiting_rows.py",
            "patients/services.py",
        )
    ),
]


def in_module(path: Path) -> Iterator[str]:
    """The strings given to gettext; of a plural its singular."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            is_gettext = node.func.id in ("_", "gettext", "gettext_lazy", "ngettext", "ngettext_lazy")
            if is_gettext and node.args and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value


def in_template(path: Path) -> Iterator[str]:
    template = engines["django"].from_string(path.read_text()).template
    for node in template.nodelist.get_nodes_by_type(Node):
        if isinstance(node, TranslateNode):
            yield str(node.filter_expression.var.literal)
        elif isinstance(node, BlockTranslateNode):
            text, _names = node.render_token_list(node.singular)
            yield " ".join(text.split()) if node.trimmed else text


def compiled() -> gettext.GNUTranslations:
    return gettext.GNUTranslations(io.BytesIO(CATALOGUE.with_suffix(".mo").read_bytes()))


def known() -> set[str]:
    """The English of every string that has a German; of a plural its singular."""
    return {key[0] if isinstance(key, tuple) else key for key, said in compiled()._catalog.items() if said}


@pytest.mark.parametrize("path", MODULES + TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_that_a_patient_reads_is_left_in_english(path):
    said = set((in_module if path.suffix == ".py" else in_template)(path))

    assert said - known() == set()


def test_the_strings_of_modules_and_templates_are_found():
    """Else the test above could not fail."""
    assert "Why? You need not say." in set(in_module(ROOT / "clinic/forms/portal.py"))
    assert {"Your next visit", "Hello %(name)s"} <= set(in_template(ROOT / "templates/portal/course.html"))
    assert "Not in any catalogue" not in known()


def test_the_compiled_catalogue_is_that_of_the_source():
    source = io.BytesIO()
    with CATALOGUE.open("rb") as file:
        write_mo(source, read_po(file, locale="de"))
    source.seek(0)

    assert compiled()._catalog == gettext.GNUTranslations(source)._catalog, COMPILE


def test_each_translation_keeps_the_places_of_its_original():
    with CATALOGUE.open("rb") as file:
        catalogue = read_po(file, locale="de")

    wrong = {message.id: errors for message, errors in catalogue.check() if message.string and any(message.string)}
    assert wrong == {}


@pytest.mark.parametrize(
    ("language", "form", "expected"),
    [
        ("de", "DATE_FORMAT", "Di., 3. März 2026"),
        ("de", "DATETIME_FORMAT", "Di., 3. März 2026, 14:30 Uhr"),
        ("de", "WEEKDAY_FORMAT", "Dienstag, 3. März"),
        ("en-gb", "DATE_FORMAT", "Tue 3 Mar 2026"),
        ("en-gb", "DATETIME_FORMAT", "Tue 3 Mar 2026, 14:30"),
        ("en-gb", "WEEKDAY_FORMAT", "Tuesday 3 March"),
    ],
)
def test_dates_are_written_as_the_language_does(language, form, expected):
    with translation.override(language):
        assert date_format(datetime(2026, 3, 3, 14, 30), form) == expected  # noqa: DTZ001 - a wall clock


# --- In use ---------------------------------------------------------------------------------------


@pytest.fixture
def patient(world) -> Patient:
    Patient.objects.filter(pk=world.patient.pk).update(language="de")
    world.patient.refresh_from_db()
    create_account(patient=world.patient, by=world.desk, now=NOW)
    world.patient.refresh_from_db()
    return world.patient


@pytest.mark.django_db
def test_the_portal_speaks_the_patient_s_language_whatever_the_browser_speaks(client, world, patient):
    visit = book(world, a_visit(world, "2026-03-10 14:30", session=world.a_series().sessions.get(number=1)))
    client.force_login(patient.user, backend="allauth.account.auth_backends.AuthenticationBackend")

    with time_machine.travel(at("2026-03-02 10:00"), tick=False):
        course = client.get("/my/", headers={"accept-language": "en"}).content.decode()
        own = client.get(f"/my/visits/{visit.pk}/", headers={"accept-language": "en"}).content.decode()

    for words in ('<html lang="de">', "Guten Tag Amal", "Ihr nächster Termin", "Di., 10. März 2026, 14:30 Uhr"):
        assert words in course
    assert "Bis Mo., 9. März 2026, 14:30 Uhr können Sie ihn hier ändern." in own


@pytest.mark.django_db
def test_mails_speak_the_patient_s_language(world, patient):
    visit = book(world, a_visit(world, "2026-03-10 14:30"))
    subject, text = messages.words(Message.objects.get(), messages.About(world.site, [visit.starts_at]))

    assert subject == "Harbour: Ihr Termin am Di., 10. März 2026, 14:30 Uhr ist gebucht"
    assert text.startswith("Guten Tag Amal,\n\nIhr Termin ist gebucht:\n")


@pytest.mark.django_db
def test_the_code_to_sign_in_comes_in_the_patient_s_language(client, patient, settings):
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    client.post("/accounts/login/code/", {"email": patient.email}, headers={"accept-language": "en"})

    assert mail.outbox[0].subject.strip() == "Ihr Anmeldecode"
    assert mail.outbox[0].extra_headers["Auto-Submitted"] == "auto-generated"
    assert "Ihr Code zur Anmeldung:" in mail.outbox[0].body


def test_the_sign_in_speaks_the_browser_s_language(client, db):
    page = client.get("/accounts/login/", headers={"accept-language": "de"}).content.decode()

    assert "Code senden" in page
    assert '<html lang="de">' in page


def test_a_day_alone_is_no_moment():
    with translation.override("de"):
        assert date_format(date(2026, 3, 3), "SHORT_DAY_FORMAT") == "Di., 3. März"
