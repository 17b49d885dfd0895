"""What travels between clinics: the file, its faults, its schema, and what an import does."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import pytest
from django.contrib.auth.models import Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from hypothesis import HealthCheck, given, settings
from hypothesis.extra.django import TestCase

from tests.treatments.documents import BARE, FULL, whole_documents
from treatments import exchange, library, schema, words
from treatments.models import AddOn, Override, Protocol, ProtocolVersion, Treatment
from treatments.services import exchanging, protocols, storing
from treatments.services.exchanging import ImportRefused, Way

NOW = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
SCHEMA = Path(__file__).parents[2] / "static/schema/protocols.schema.json"
IMPORT = "admin:treatments_protocol_import"


def file_of(*documents) -> str:
    return exchange.written(documents)


def changed(path: str, value: object, document=FULL) -> str:
    """A file in which one value, named as the import names it, is another."""
    data = json.loads(file_of(document))
    at = data["protocols"][0]
    *steps, last = path.replace("[", ".[").split(".")
    for step in steps:
        at = at[int(step[1:-1])] if step.startswith("[") else at[step]
    if last.startswith("["):
        at[int(last[1:-1])] = value
    elif value is MISSING:
        del at[last]
    else:
        at[last] = value
    return json.dumps(data)


MISSING = object()


def is_valid(content: str) -> bool:
    known = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return jsonschema.Draft202012Validator(known).is_valid(json.loads(content))


@pytest.fixture
def editor(db):
    editor = User.objects.create_user("editor", "editor@example.com", is_staff=True, first_name="Eva")
    editor.user_permissions.add(*Permission.objects.filter(codename__in=["change_protocol", "view_protocol"]))
    return editor


@pytest.fixture
def reader(db):
    reader = User.objects.create_user("reader", "reader@example.com", is_staff=True)
    reader.user_permissions.add(Permission.objects.get(codename="view_protocol"))
    return reader


def stored_nothing() -> tuple[int, ...]:
    return tuple(model.objects.count() for model in (Protocol, ProtocolVersion, Treatment, AddOn, Override))


# The file


class RoundTrip(TestCase):
    @settings(max_examples=60, suppress_health_check=list(HealthCheck))
    @given(document=whole_documents())
    def test_any_template_is_the_same_after_export_import_and_export(self, document):
        written = file_of(document)
        file = exchange.parsed(written.encode())
        assert file.problems == ()

        protocol = storing.create(file.documents[0])

        assert exchanging.exported(Protocol.objects.filter(pk=protocol.pk)) == written
        assert is_valid(written)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(one=whole_documents(), other=whole_documents())
def test_two_templates_differ_in_words_exactly_where_they_differ(one, other):
    assert words.differences(one, one) == []
    assert bool(words.differences(one, other)) == (one != other)
    assert words.differences(one, replace(one, overrides=other.overrides)) != [] or one.overrides == other.overrides


@pytest.mark.django_db
@pytest.mark.parametrize("document", [FULL, BARE], ids=["everything", "nothing"])
def test_a_file_says_everything_to_the_last_null(document):
    protocol = storing.create(document)
    data = json.loads(exchanging.exported(Protocol.objects.all()))

    assert storing.document(protocol) == document
    (row,) = data["protocols"]
    assert list(row) == list(type(document).__dataclass_fields__)
    for override in row["overrides"]:
        assert list(override) == list(type(FULL.overrides[0]).__dataclass_fields__)


LEFT_OUT = {
    # What a clinic decides for itself, and keys.
    "id", "status", "version", "confirmed_by_clinician", "library_key", "position", "protocol", "override",
}  # fmt: skip


@pytest.mark.parametrize("relation", [None, *sorted(
    each.get_accessor_name() for each in Protocol._meta.related_objects
    if each.get_accessor_name() not in ("series", "versions", "library_texts", "events")
)])  # fmt: skip
def test_no_column_of_a_protocol_is_forgotten(relation):
    """A new column has to be in the file, or among what is left out on purpose."""
    model = Protocol if relation is None else Protocol._meta.get_field(relation).related_model
    known = set(_keys(FULL.to_json()))
    renamed = {
        "occupies_practitioner": "practitioner", "occupies_room": "room", "add_on": "name",
        "session_kind": "kind", "session_min": "min", "session_max": "max", "session_typical": "typical",
        "session_text": "text", "spacing_min": "min", "spacing_ideal": "ideal", "spacing_max": "max",
        "spacing_unit": "unit",
    }  # fmt: skip
    columns = {field.name for field in model._meta.get_fields() if field.concrete} - LEFT_OUT
    if relation == "phases":
        columns -= {"treatment"}

    assert {renamed.get(name, name) for name in columns} - known == set()


def _keys(data):
    if isinstance(data, dict):
        for key, value in data.items():
            yield key
            yield from _keys(value)
    elif isinstance(data, list):
        for item in data:
            yield from _keys(item)


# What is refused, by the import and by the schema

REFUSED_BY_BOTH = [
    pytest.param("name", MISSING, "protocols[0].name: is missing", id="no name"),
    pytest.param("name", "", "must be text, or null", id="an empty name"),
    pytest.param("name", " \t", "must be text, or null", id="a name of blanks"),
    pytest.param("name", None, "protocols[0].name: must be text, not null", id="a name that nobody said"),
    pytest.param("name", "x" * 201, "at most 200 characters", id="a name that is too long"),
    pytest.param("name", "a\x00b", "cannot be stored", id="NUL"),
    pytest.param("name", "a\ud800b", "cannot be stored", id="half a character"),
    pytest.param("name", ["x"], "must be text, not a list", id="a list for a text"),
    pytest.param("sessions", None, "protocols[0].sessions: must be an object, not null", id="no sessions"),
    pytest.param("sessions.kind", "some", "must be one of fixed, range, words", id="an unknown word"),
    pytest.param("sessions.kind", [], "must be one of fixed, range, words", id="a list for a word"),
    pytest.param("sessions.kind", {}, "must be one of fixed, range, words", id="an object for a word"),
    pytest.param("sessions.min", 0, "from 1 to 60, not 0", id="no session"),
    pytest.param("sessions.max", 61, "from 1 to 60, not 61", id="more sessions than a series has"),
    pytest.param("spacing.min", "four", "protocols[0].spacing.min: must be a whole number, not 'four'", id="a word"),
    pytest.param("spacing.min", 4.5, "must be a whole number, not 4.5", id="a fraction"),
    pytest.param("spacing.min", True, "must be a whole number, not true", id="true is no number"),
    pytest.param("spacing.min", 10**30, "from 1 to 32767", id="a number that is too large"),
    pytest.param("spacing.min", -1, "from 1 to 32767", id="a number below zero"),
    pytest.param("spacing.unit", "year", "must be one of day, week, month", id="an unknown unit"),
    pytest.param("spacing.often", 1, "protocols[0].spacing.often: is not known here", id="an unknown key"),
    pytest.param("off_label", 1, "must be true or false, not 1", id="a number for yes or no"),
    pytest.param("off_label", None, "must be true or false, not null", id="neither yes nor no"),
    pytest.param("areas", "cheeks", "must be a list, not 'cheeks'", id="a text for a list"),
    pytest.param("areas", ["x"] * 201, "more than 200 entries", id="too many rows"),
    pytest.param("areas[0]", None, "areas[0]: must be text", id="a row that is null"),
    pytest.param("indications", ["scars", "scars"], "names the same twice", id="a concern twice"),
    pytest.param("phases[1].minutes", 0, "phases[1].minutes: must be a whole number from 1", id="a phase of no time"),
    pytest.param("maintenance[1].times_per_year", 366, "from 1 to 365", id="more than daily"),
    pytest.param("overrides[0].spacing.min", "four", "protocols[0].overrides[0].spacing.min: must be", id="in depth"),
    pytest.param("overrides[0].depth_min_mm", 0, "above 0", id="no depth"),
    pytest.param("overrides[0].depth_min_mm", 100, "below 100 mm", id="a depth that is no needle's"),
    pytest.param("overrides[0].depth_min_mm", "1.5", "must be a number, not '1.5'", id="a depth in quotes"),
    pytest.param("overrides[0].replaces", ["price"], "replaces[0]: must be one of sessions", id="replaces the unknown"),
    pytest.param("overrides[0]", [], "overrides[0]: must be an object, not a list", id="a list for an override"),
]
# JSON Schema sees one value at a time.
REFUSED_BY_THE_IMPORT = [
    pytest.param("sessions.min", 6, "sessions.min: must be given and below max", id="a range that is none"),
    pytest.param("sessions.kind", "fixed", "the same as max", id="a fixed number with two numbers"),
    pytest.param("sessions.kind", "open_ended", "must be fixed or range", id="open-ended with numbers"),
    pytest.param("sessions.typical", 7, "must lie between", id="typical beyond the range"),
    pytest.param("spacing.min", 7, "spacing.min: must not be above max", id="minimum above maximum"),
    pytest.param("spacing.ideal", 7, "spacing.ideal: must lie between", id="ideal above maximum"),
    pytest.param("spacing.max", 30, "only 400 days are planned ahead", id="beyond what is planned"),
    pytest.param("phases[0].room", False, "phases[0]: takes neither", id="a phase that takes nothing"),
    pytest.param("maintenance[0].min", 13, "min: must not be above max", id="maintenance out of order"),
    pytest.param("maintenance[0].min", None, "min: must be given where max is", id="a maximum alone"),
    pytest.param("maintenance[0].unit", None, "must be day, week or month", id="a number without its unit"),
    pytest.param("maintenance[1].times_per_year", None, "must be given", id="so many times, and no number"),
    pytest.param("maintenance[0].kind", "none", "must be another", id="none needed, with numbers"),
    pytest.param("care[0].unit", None, "with its unit", id="an offset without its unit"),
    pytest.param("milestones[0].min_days", 31, "must not be above max_days", id="days out of order"),
    pytest.param("overrides[0].depth_min_mm", 3, "must not be above depth_max_mm", id="depths out of order"),
    pytest.param("overrides[0].depth_min_mm", 1.234, "at most two decimals", id="a depth finer than is kept"),
    pytest.param("overrides[1].name", "Deep needling", "is the name of another override", id="one name twice"),
    pytest.param("overrides[1].spacing", {"min": 1, "max": 1, "ideal": 2, "unit": "week"}, "ideal", id="inside"),
    pytest.param("overrides[1].anaesthesia", "none", "not among what this override replaces", id="says what it keeps"),
    pytest.param("overrides[0].sessions", None, "is replaced, so it must be given", id="replaces by nothing"),
    pytest.param(
        "overrides[1]",
        {"name": "Other", "concerns": ["acne scars"], "depth_min_mm": 2.5},
        "“Other” fits the same case equally well as “Deep needling”",
        id="two for the same case",
    ),
    pytest.param(
        "overrides[1]",
        {"name": "Other", "replaces": ["add_ons"], "add_ons": [{"name": "PRP", "role": "optional"}]},
        "overrides[1].add_ons[0]: takes another time or device",
        id="one add-on, told in two ways",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "refusal"), REFUSED_BY_BOTH)
def test_what_the_import_refuses_the_schema_refuses(path, value, refusal):
    content = changed(path, value)

    assert refusal in "\n".join(map(str, exchange.parsed(content).problems))
    assert not is_valid(content)


@pytest.mark.parametrize(("path", "value", "refusal"), REFUSED_BY_THE_IMPORT)
def test_what_contradicts_itself_is_refused_where_it_does(path, value, refusal):
    assert refusal in "\n".join(map(str, exchange.parsed(changed(path, value)).problems))


def test_all_faults_of_a_file_are_named_at_once():
    data = json.loads(file_of(FULL, replace(FULL, name="Other")))
    data["protocols"][0]["spacing"]["min"] = "four"
    data["protocols"][1]["phases"][0]["minutes"] = None
    data["protocols"][1]["care"][0]["when"] = "while"

    assert [problem.path for problem in exchange.parsed(json.dumps(data)).problems] == [
        "protocols[0].spacing.min",
        "protocols[1].phases[0].minutes",
        "protocols[1].care[0].when",
    ]


HOSTILE = {
    "nothing": (b"", "There is nothing in it"),
    "blanks": (b" \n ", "There is nothing in it"),
    "not JSON": (b"PK\x03\x04", "line 1, column 1"),
    "cut off": (file_of(FULL)[:400].encode(), "This is not JSON: line"),
    "not UTF-8": (b"\xff\xfe\x00", "not a text file in UTF-8"),
    "deep": (b"[" * 200_000, "nested too deeply"),
    "deep objects": (b'{"a":' * 100_000, "nested too deeply"),
    "large": (b'"' + b"x" * 1_000_001 + b'"', "larger than 1000 kB"),
    "NaN": (changed("spacing.min", 4).replace('"min": 4', '"min": NaN').encode(), "NaN is not a number"),
    "infinity": (b"[Infinity]", "Infinity is not a number"),
    "a number of 5,000 digits": (b"[" + b"9" * 5000 + b"]", "too long to be read"),
    "an exponent without end": (b"[1e99999999999999999999999]", "too long to be read"),
    "a key twice": (b'{"format": 1, "format": 2}', "“format” twice"),
    "a list": (b"[]", "not a file of protocols"),
    "a text": (b'"course-of-treatment/protocols"', "not a file of protocols"),
    "null": (b"null", "not a file of protocols"),
    "another program's": (b'{"format": "x"}', "not a file of protocols"),
    "a later version": (file_of(BARE).replace('"format_version": 1', '"format_version": 2').encode(), "version 2"),
    "no protocols": (b'{"format": "course-of-treatment/protocols", "format_version": 1}', "no protocol in the file"),
    "the same name twice": (file_of(BARE, BARE).encode(), "is the name of another protocol in this file"),
    "a key beside": (
        file_of(BARE).replace('"format":', '"patients": [], "format":').encode(),
        "patients: is not known",
    ),
    "protocols that are none": (file_of(BARE)[:60].encode() + b'"protocols": [1, null, "x", []]}', ""),
}


@pytest.mark.parametrize(("content", "sentence"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_file_gets_a_sentence(content, sentence, editor, client):
    client.force_login(editor)
    before = stored_nothing()

    response = client.post(reverse(IMPORT), {"file": SimpleUploadedFile("p.json", content)})

    assert response.status_code == 422
    assert "Nothing was stored" in response.content.decode()
    assert sentence in "\n".join(response.context["problems"])
    assert stored_nothing() == before


# The schema


def test_the_published_schema_is_the_one_the_import_reads_by():
    assert SCHEMA.read_text(encoding="utf-8") == schema.written(), "Run python -m treatments.schema."
    jsonschema.Draft202012Validator.check_schema(schema.schema())


@pytest.mark.parametrize("path", sorted(library.FILES.glob("*.json")), ids=lambda path: path.stem)
def test_each_built_in_template_is_valid_and_written_as_an_export(path):
    content = path.read_text(encoding="utf-8")

    assert is_valid(content)
    assert exchange.written(exchange.parsed(content).documents) == content


@pytest.mark.django_db
def test_each_export_is_valid():
    library.load()
    storing.create(FULL)
    content = exchanging.exported(Protocol.objects.all())

    assert is_valid(content)
    assert len(json.loads(content)["protocols"]) == 16


def test_the_schema_is_public(client):
    from django.contrib.staticfiles import finders

    assert finders.find("schema/protocols.schema.json")


# The import


def test_a_dry_run_stores_nothing_and_the_second_press_does(editor, client):
    client.force_login(editor)
    before = stored_nothing()

    page = client.post(reverse(IMPORT), {"content": file_of(FULL)})
    assert page.status_code == 200
    assert stored_nothing() == before
    assert "Adds the treatment “Microneedling”." in page.content.decode()

    (row,) = page.context["entries"]
    answer = client.post(
        reverse(IMPORT),
        {"content": page.context["content"], "seen-0": row["entry"].seen, "way-0": "new", "confirm": "1"},
    )

    assert answer.status_code == 302
    protocol = Protocol.objects.get()
    assert storing.document(protocol) == FULL
    assert (protocol.status, protocol.version, protocol.confirmed_by_clinician) == ("draft", 1, False)


def test_a_text_that_came_through_a_text_field_is_the_same(editor, client):
    """Line ends become CR LF on the way, and a line end inside a text is escaped in JSON."""
    client.force_login(editor)
    document = replace(BARE, evidence="one\nline\r\nand another")
    content = file_of(document).replace("\n", "\r\n")
    seen = exchanging.compared((document,))[0].seen

    client.post(reverse(IMPORT), {"content": content, "seen-0": seen, "way-0": "new", "confirm": "1"})

    assert storing.document(Protocol.objects.get()) == document


@pytest.fixture
def ours(editor):
    protocol = storing.create(replace(FULL, spacing=replace(FULL.spacing, min=3)))
    return protocols.publish(protocol=protocol, by=editor, now=NOW)


def take(way, *documents, by, seen=None):
    entries = exchanging.compared(documents)
    return exchanging.take(
        said=documents,
        ways={document.name: way for document in documents},
        seen=seen or {entry.said.name: entry.seen for entry in entries},
        by=by,
        now=NOW,
    )


def test_a_name_that_exists_is_offered_as_a_copy_first_and_says_what_would_change(ours, editor):
    (entry,) = exchanging.compared((FULL,))

    assert entry.ways == (Way.COPY, Way.CHANGE, Way.SKIP)
    assert list(map(str, entry.differences)) == [
        "spacing 3–6 weeks, ideally 5 ± 3 days → 4–6 weeks, ideally 5 ± 3 days"
    ]


def test_as_a_copy_it_stands_beside_ours(ours, editor):
    (taken,) = take(Way.COPY, FULL, by=editor)

    assert (taken.name, taken.status) == ("Copy of Scars, our way", "draft")
    assert storing.document(ours).spacing.min == 3


def test_as_a_change_it_is_a_new_version_of_ours(ours, editor):
    Protocol.objects.filter(pk=ours.pk).update(confirmed_by_clinician=True)

    take(Way.CHANGE, FULL, by=editor)

    ours.refresh_from_db()
    assert (ours.version, ours.status, ours.confirmed_by_clinician) == (2, "published", False)
    assert storing.document(ours) == FULL
    assert [(row.version, row.origin) for row in ours.versions.order_by("version")] == [(1, "edited"), (2, "imported")]


def test_what_is_the_same_is_left_alone(ours, editor):
    same = storing.document(ours)

    assert exchanging.compared((same,))[0].ways == (Way.SKIP,)
    with pytest.raises(ImportRefused, match="Say what is to become"):
        take(Way.CHANGE, same, by=editor)


def test_a_change_since_the_dry_run_is_not_overwritten(ours, editor):
    seen = {FULL.name: exchanging.compared((FULL,))[0].seen}
    Protocol.objects.filter(pk=ours.pk).update(evidence="changed meanwhile")

    with pytest.raises(ImportRefused, match="changed these protocols meanwhile"):
        take(Way.CHANGE, FULL, by=editor, seen=seen)


def test_all_of_a_file_or_nothing(ours, editor):
    before = stored_nothing()

    with pytest.raises(ImportRefused):
        take(Way.NEW, replace(BARE, treatment="Never seen"), FULL, by=editor)

    assert stored_nothing() == before


def test_the_clinics_own_add_ons_stay_as_they_are(editor):
    AddOn.objects.create(name="PRP", extra_minutes=40)

    (entry,) = exchanging.compared((FULL,))
    take(Way.NEW, FULL, by=editor)

    assert "The add-on “PRP” is described otherwise here. Your clinic's own description stays." in entry.notices
    assert AddOn.objects.get(name="PRP").extra_minutes == 40


def test_readers_export_and_only_editors_import(reader, editor, client):
    protocol = storing.create(FULL)
    client.force_login(reader)

    response = client.get(reverse("admin:treatments_protocol_export", args=[protocol.pk]))
    assert response.content.decode() == file_of(FULL)
    assert response["Content-Disposition"] == 'attachment; filename="scars-our-way.json"'
    assert client.get(reverse("admin:treatments_protocol_export_all")).content.decode() == file_of(FULL)
    assert client.get(reverse(IMPORT)).status_code == 403
    assert client.post(reverse(IMPORT), {"content": file_of(FULL)}).status_code == 403

    client.force_login(User.objects.create_user("nobody", "nobody@example.com", is_staff=True))
    assert client.get(reverse("admin:treatments_protocol_export", args=[protocol.pk])).status_code == 403
    assert client.get(reverse("admin:treatments_protocol_export_all")).status_code == 403
