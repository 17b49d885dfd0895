"""Versions of a protocol: kept once a change, never changed, said in words; and what the library offers."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from patients.models import Patient
from tests.treatments.documents import BARE, FULL
from treatments import library, words
from treatments.documents import Document, Override
from treatments.models import LibraryText, MaintenanceRule, Protocol, ProtocolVersion, Series
from treatments.services import protocols, storing
from treatments.services import series as courses
from treatments.services.protocols import ProtocolNotChangeable
from treatments.terms import MaintenanceRule as Rule
from treatments.terms import Phase, SessionCount, Spacing, Terms

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
LATER = datetime(2026, 4, 2, 8, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def editor():
    editor = User.objects.create_user("editor", "editor@example.com", is_staff=True, first_name="Eva")
    editor.user_permissions.add(*Permission.objects.filter(codename__in=["change_protocol", "view_protocol"]))
    return editor


@pytest.fixture
def reader():
    reader = User.objects.create_user("reader", "reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_protocol"))
    return reader


@pytest.fixture
def published(editor):
    return protocols.publish(protocol=storing.create(FULL), by=editor, now=NOW)


def kept(protocol):
    return list(protocol.versions.order_by("version").values_list("version", "origin"))


def change(protocol, **values):
    Protocol.objects.filter(pk=protocol.pk).update(**values)


def record(protocol, by):
    return protocols.record_change(protocol=protocol, by=by, now=LATER)


def url(name, protocol, *args):
    return reverse(f"admin:treatments_protocol_{name}", args=[protocol.pk, *args])


# Keeping


def test_a_draft_is_not_kept(editor):
    draft = storing.create(FULL)

    assert record(draft, editor) is None
    assert kept(draft) == []


def test_the_first_publishing_keeps_version_1(published, editor):
    assert (published.status, published.version) == ("published", 1)
    version = published.versions.get()
    assert (version.version, version.by, version.at) == (1, editor, NOW)
    assert protocols.as_kept(version) == FULL


def test_nothing_changed_is_no_version(published, editor):
    assert record(published, editor) is None
    change(published, confirmed_by_clinician=True)
    assert record(published, editor) is None
    assert kept(published) == [(1, "edited")]


CHANGES = {
    "a column": lambda p: change(p, spacing_min=3),
    "a row": lambda p: p.care_instructions.all().delete(),
    "the order of rows": lambda p: p.phases.filter(name="Numbing").update(position=9),
    "a condition of an override": lambda p: p.overrides.get(name="Mild").concerns.add(p.indications.first()),
    "an indication": lambda p: p.indications.clear(),
    "a rule of an override": lambda p: MaintenanceRule.objects.filter(override__name="Deep needling").delete(),
}


@pytest.mark.parametrize("how", CHANGES.values(), ids=CHANGES.keys())
def test_a_change_raises_the_version_and_keeps_what_it_says(how, published, editor):
    how(published)

    version = record(published, editor)

    published.refresh_from_db()
    assert (version.version, published.version) == (2, 2)
    assert protocols.as_kept(version) == storing.document(published) != FULL
    assert record(published, editor) is None


def test_a_protocol_that_was_taken_back_to_draft_goes_on_counting(published, editor):
    change(published, status="draft", spacing_min=3)
    assert record(published, editor) is None

    protocols.publish(protocol=published, by=editor, now=LATER)

    published.refresh_from_db()
    assert (published.version, kept(published)) == (2, [(1, "edited"), (2, "edited")])


def test_what_was_published_by_other_means_is_kept_before_it_is_changed(editor):
    protocol = storing.create(FULL)
    change(protocol, status="published")

    protocols.keep_before_change(protocol=protocol, now=NOW)
    change(protocol, spacing_min=3)
    record(protocol, editor)

    assert kept(protocol) == [(1, "edited"), (2, "edited")]
    assert protocols.as_kept(protocol.versions.get(version=1)) == FULL


@pytest.mark.parametrize(
    "sql",
    ["UPDATE treatments_protocolversion SET version = 9", "DELETE FROM treatments_protocolversion",
     "UPDATE treatments_librarytext SET taken = false", "DELETE FROM treatments_librarytext"],
)  # fmt: skip
def test_what_was_kept_cannot_be_changed(sql, published):
    LibraryText.objects.create(protocol=published, document={}, taken=True, at=NOW)

    with (
        pytest.raises(DatabaseError, match="Cannot update or delete"),
        transaction.atomic(),
        connection.cursor() as run,
    ):
        run.execute(sql)


def test_a_version_is_kept_once(published):
    with pytest.raises(DatabaseError, match="protocol_version_once"), transaction.atomic():
        ProtocolVersion.objects.create(protocol=published, version=1, document={}, at=NOW)


# In words

SAID = [
    pytest.param({"sessions": SessionCount("fixed", 3, 3)},
                 ["sessions 4–6, typically 5 (“or until content”) → 3"], id="count"),
    pytest.param({"spacing": Spacing(1, None, 1, "month")},
                 ["spacing 4–6 weeks, ideally 5 ± 3 days → 1 month"], id="spacing"),
    pytest.param({"spacing": None}, ["spacing 4–6 weeks, ideally 5 ± 3 days → not said"], id="spacing taken back"),
    pytest.param(
        {"maintenance": (*FULL.maintenance, Rule("individual", text="by result"))},
        ["added maintenance: the clinician decides (“by result”)"],
        id="a rule more",
    ),
    pytest.param({"maintenance": FULL.maintenance[:1]},
                 ["removed maintenance: at least 2 times a year"], id="a rule less"),
    pytest.param(
        {"phases": (replace(FULL.phases[0], minutes=40), FULL.phases[1])},
        ["phase Numbing, 30 minutes (room), numbing → Numbing, 40 minutes (room), numbing"],
        id="a longer phase",
    ),
    pytest.param(
        {"phases": (*FULL.phases, Phase("Rest", 10, False, True))},
        ["added phase: Rest, 10 minutes (room)"],
        id="a phase more",
    ),
    pytest.param({"off_label": False}, ["off-label yes → no"], id="yes and no"),
    pytest.param(
        {"overrides": (replace(FULL.overrides[0], sessions=SessionCount("fixed", 4, 4)), FULL.overrides[1])},
        ["“Deep needling”: sessions 3 → 4"],
        id="inside an override",
    ),
    pytest.param(
        {"overrides": (FULL.overrides[0], replace(FULL.overrides[1], severity="severe"))},
        ["“Mild”: applies to mild → severe"],
        id="whom an override is for",
    ),
    pytest.param({"overrides": FULL.overrides[:1]},
                 ["removed override: “Mild”: mild – spacing not said. add-on: none"], id="an override less"),
]  # fmt: skip


@pytest.mark.parametrize(("values", "said"), SAID)
def test_differences_are_said_in_words(values, said):
    assert list(map(str, words.differences(FULL, replace(FULL, **values)))) == said


@pytest.mark.parametrize("kind", [Document, Override, Terms])
def test_every_part_has_its_words(kind):
    """A part without words would change unseen."""
    said_elsewhere = {"overrides"} if kind is Document else {"concerns", "area", "depth_min_mm", "depth_max_mm"}

    assert set(kind.__dataclass_fields__) - set(words.SINGLE) - set(words.ROWS) <= said_elsewhere


def test_rows_in_another_order_are_said_to_be():
    (difference,) = words.differences(FULL, replace(FULL, phases=FULL.phases[::-1]))

    assert difference.what == "order of phase"


# Publish, retire, copy


def test_what_contradicts_itself_cannot_be_published(editor):
    mild = FULL.overrides[1]
    draft = storing.create(replace(FULL, overrides=(mild, replace(mild, name="Mild again"))))

    with pytest.raises(ProtocolNotChangeable, match="“Mild again” fits the same case equally well as “Mild”"):
        protocols.publish(protocol=draft, by=editor, now=NOW)
    assert Protocol.objects.get().status == "draft"


def test_a_copy_is_a_draft_of_the_clinics_own(editor):
    (loaded, *_rest) = library.load(now=NOW)

    first, second = protocols.copy(protocol=loaded), protocols.copy(protocol=loaded)

    assert (first.name, second.name) == (f"Copy of {loaded.name}", f"Copy of {loaded.name} 2")
    assert (first.status, first.version, first.library_key, kept(first)) == ("draft", 1, None, [])
    assert replace(storing.document(first), name=loaded.name) == storing.document(loaded)


def test_a_copy_of_the_longest_name_still_has_a_name():
    long = storing.create(replace(BARE, name="x" * 200))

    assert protocols.copy(protocol=long).name == "Copy of " + "x" * 192
    assert protocols.copy(protocol=long).name == "Copy of " + "x" * 190 + " 2"


def test_a_retired_protocol_starts_no_series_and_running_ones_stay(published, editor):
    patient = Patient.objects.create(given_name="Amal", registered_at=NOW, registered_by=editor)
    choice = courses.Choice(protocol=published)
    running = courses.start(patient=patient, choice=choice, by=editor, now=NOW)

    protocols.retire(protocol=published)

    published.refresh_from_db()
    with pytest.raises(courses.SeriesNotPossible, match="not published"):
        courses.start(patient=patient, choice=courses.Choice(protocol=published), by=editor, now=NOW)
    assert Series.objects.get(pk=running.pk).state == "active"
    with pytest.raises(ProtocolNotChangeable):
        protocols.retire(protocol=published)


# The library


@pytest.fixture
def loaded(editor):
    return {protocol.library_key: protocol for protocol in library.load(now=NOW)}


@pytest.fixture
def newer(loaded, monkeypatch):
    """The program after an upgrade that ships another text for one template."""
    shipped = dict(library.templates())
    shipped["rf-microneedling"] = replace(shipped["rf-microneedling"], sessions=SessionCount("fixed", 9, 9))
    monkeypatch.setattr(library, "templates", lambda: shipped)
    return loaded["rf-microneedling"]


def test_what_was_loaded_is_version_1_and_nothing_is_offered(loaded):
    assert {tuple(kept(protocol)) for protocol in loaded.values()} == {((1, "library"),)}
    assert library.offers(loaded.values()) == {}


def test_the_clinics_own_change_is_no_reason_to_offer(loaded, editor):
    ours = loaded["rf-microneedling"]
    change(ours, evidence="our own")

    assert library.offer(ours) is None


def test_a_newer_text_is_offered_and_not_put_over_ours(newer):
    before = storing.document(newer)

    assert library.load(now=LATER) == []

    assert storing.document(newer) == before
    assert library.offer(newer).shipped.sessions.min == 9


def test_taking_it_over_is_a_new_version_under_the_clinics_name(newer, editor):
    change(newer, name="RF, our way", confirmed_by_clinician=True)
    record(newer, editor)

    library.take_over(protocol=newer, by=editor, now=LATER)

    newer.refresh_from_db()
    assert (newer.name, newer.session_min, newer.confirmed_by_clinician) == ("RF, our way", 9, False)
    assert kept(newer) == [(1, "library"), (2, "edited"), (3, "library")]
    assert library.offer(newer) is None
    with pytest.raises(ProtocolNotChangeable, match="no newer text"):
        library.take_over(protocol=newer, by=editor, now=LATER)


def test_passing_it_over_keeps_ours_until_the_next_one(newer, editor, monkeypatch):
    before = storing.document(newer)

    library.pass_over(protocol=newer, by=editor, now=LATER)
    assert (library.offer(newer), storing.document(newer)) == (None, before)

    shipped = library.templates() | {"rf-microneedling": replace(before, sessions=SessionCount("fixed", 8, 8))}
    monkeypatch.setattr(library, "templates", lambda: shipped)
    assert library.offer(newer).shipped.sessions.min == 8


# The pages


def test_the_history_says_who_changed_what_and_when(published, editor, client):
    change(published, spacing_min=3)
    record(published, editor)
    client.force_login(editor)

    page = client.get(url("versions", published)).content.decode()

    assert "Eva" in page
    assert "spacing 4–6 weeks, ideally 5 ± 3 days → 3–6 weeks, ideally 5 ± 3 days" in page


def test_a_version_is_shown_and_compared_with_today(published, editor, client):
    change(published, session_kind="fixed", session_min=3, session_max=3, session_typical=None)
    record(published, editor)
    client.force_login(editor)

    response = client.get(url("version", published, 1))

    assert "sessions 4–6, typically 5 (“or until content”) → 3 (“or until content”)" in map(
        str, response.context["differences"]
    )
    assert dict(response.context["contents"])["treatment"] == ["Microneedling"]
    assert client.get(url("version", published, 7)).status_code == 404


def test_the_history_says_how_many_series_stay_on_a_version(published, editor, client):
    patient = Patient.objects.create(given_name="Amal", registered_at=NOW, registered_by=editor)
    for _series in range(2):
        courses.start(patient=patient, choice=courses.Choice(protocol=published), by=editor, now=NOW)
    change(published, spacing_min=3)
    record(published, editor)
    client.force_login(editor)

    rows = client.get(url("versions", published)).context["rows"]

    assert [(row["version"].version, row["running"]) for row in rows] == [(2, 0), (1, 2)]


def test_the_form_of_the_admin_keeps_a_version_once(published, client, django_user_model):
    boss = django_user_model.objects.create_superuser("boss", "boss@example.com")
    client.force_login(boss)
    page = client.get(reverse("admin:treatments_protocol_change", args=[published.pk]))
    data = form_data(page)

    answer = client.post(reverse("admin:treatments_protocol_change", args=[published.pk]), data)
    assert answer.status_code == 302, page_errors(answer)
    assert words.differences(FULL, storing.document(published)) == []
    assert kept(published) == [(1, "edited")]

    answer = client.post(
        reverse("admin:treatments_protocol_change", args=[published.pk]), data | {"evidence": "our own trial"}
    )
    assert answer.status_code == 302, page_errors(answer)
    version = published.versions.get(version=2)
    assert (version.by, protocols.as_kept(version).evidence) == (boss, "our own trial")


def form_data(page):
    """What a browser would send back for a form of the admin, unchanged."""
    data = {}
    forms = [page.context["adminform"].form]
    for inline in page.context["inline_admin_formsets"]:
        forms += [inline.formset.management_form, *inline.formset.forms]
    for form in forms:
        for field in form:
            value = field.value()
            if value is True:
                data[field.html_name] = "on"
            elif value is not None and value is not False:
                data[field.html_name] = field.field.prepare_value(value) if not isinstance(value, list) else value
    return {name: value for name, value in data.items() if value is not None}


def page_errors(page):
    forms = [
        page.context["adminform"].form,
        *(f for i in page.context["inline_admin_formsets"] for f in i.formset.forms),
    ]
    return [form.errors for form in forms if form.errors]


def test_buttons_publish_retire_copy_and_take_over(newer, editor, client):
    client.force_login(editor)
    draft = storing.create(BARE)

    client.post(url("publish", draft))
    client.post(url("retire", newer))
    client.post(url("copy", newer))
    client.post(url("library", newer), {"take": "1"})

    draft.refresh_from_db()
    newer.refresh_from_db()
    assert (draft.status, newer.status, newer.session_min) == ("published", "retired", 9)
    assert Protocol.objects.filter(name="Copy of RF microneedling", status="draft").exists()


@pytest.mark.parametrize("name", ["publish", "retire", "copy", "library"])
def test_readers_look_and_change_nothing(name, newer, reader, client):
    before = list(Protocol.objects.order_by("pk").values())
    client.force_login(reader)

    assert client.get(url("versions", newer)).status_code == 200
    assert client.get(url("version", newer, 1)).status_code == 200
    assert client.get(url(name, newer)).status_code == 405
    assert client.post(url(name, newer), {"take": "1"}).status_code == 403
    assert list(Protocol.objects.order_by("pk").values()) == before


def test_the_list_offers_the_librarys_newer_texts_in_a_constant_number_of_queries(newer, editor, client):
    client.force_login(editor)
    list_url = reverse("admin:treatments_protocol_changelist")
    with CaptureQueriesContext(
        connection,
    ) as few:
        page = client.get(list_url)
    assert page.context["library_offers"] == [newer]

    for number in range(40):
        change(storing.create(replace(BARE, name=f"Another {number}")), status="published")
    with CaptureQueriesContext(connection) as many:
        client.get(list_url)

    assert len(many) == len(few)
