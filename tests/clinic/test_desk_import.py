"""The page that imports a file: who may, what it shows, what one press does, and what it survives."""

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from clinic.models import ImportFile
from clinic.services import imports
from patients import tables
from patients.models import Patient
from tests.world import NOW

HEADINGS = "reference,given name,family name,date of birth,e-mail,phone"
FILE = f"{HEADINGS}\nP-1,Jane,Doe,3.2.1988,jane@example.com,020 7946 0018\nP-2,,Nobody,,,\n"


def url(name, *args):
    return reverse(f"desk:{name}", args=args)


@pytest.fixture
def desk(client, world, time_machine):
    time_machine.move_to(NOW, tick=False)
    world.desk.user_permissions.add(Permission.objects.get(codename="import_patients"))
    client.force_login(world.desk)
    return client


def upload(client, content, *, kind="patients", name="patients.csv"):
    content = content.encode() if isinstance(content, str) else content
    return client.post(url("import"), {"kind": kind, "file": SimpleUploadedFile(name, content)})


def said(response) -> str:
    return re.sub(r"\s+", " ", response.content.decode())


def press(client, **answers):
    seen = re.search(r'name="seen" value="(\w+)"', said(client.get(url("import-report"))))[1]
    return client.post(url("import-carry-out"), {"seen": seen, **answers}, follow=True)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("get", "import"),
        ("post", "import"),
        ("get", "import-report"),
        ("get", "import-left-out"),
        ("post", "import-carry-out"),
        ("post", "import-forget"),
    ],
)
def test_who_has_not_the_permission_may_not(client, world, method, name):
    client.force_login(world.desk)

    assert getattr(client, method)(url(name)).status_code == 403
    assert url("import") not in said(client.get(url("patient-search")))


def test_the_menu_leads_there(desk):
    assert url("import") in said(desk.get(url("patient-search")))


def test_a_file_is_shown_first_and_stored_by_one_press(desk):
    assert upload(desk, FILE).headers["Location"] == url("import-report")
    assert not Patient.objects.filter(given_name="Jane").exists()

    page = said(desk.get(url("import-report")))
    for words in (
        "2 lines",
        "read as UTF-8",
        "<dt>New</dt><dd>1</dd>",
        "+442079460018",
        "Everybody needs a given name.",
    ):
        assert words in page
    answer = said(press(desk))

    assert "1 line was taken in. 1 was left out. The file is forgotten." in answer
    jane = Patient.objects.get(given_name="Jane")
    assert (jane.reference, str(jane.phone)) == ("P-1", "+442079460018")
    assert not ImportFile.objects.exists()
    event = jane.events.get()
    assert event.pgh_context.metadata["user"] == jane.registered_by_id


def test_a_second_press_says_that_it_was_done(desk):
    upload(desk, FILE)
    seen = re.search(r'name="seen" value="(\w+)"', said(desk.get(url("import-report"))))[1]
    desk.post(url("import-carry-out"), {"seen": seen})

    answer = desk.post(url("import-carry-out"), {"seen": seen}, follow=True)

    assert "It was imported already" in said(answer)
    assert Patient.objects.filter(given_name="Jane").count() == 1


def test_who_looks_the_same_is_asked_about_and_what_was_answered_is_still_there_after_a_refusal(desk, world):
    jane = world.a_patient("Jane", "Doe")
    upload(desk, FILE)
    assert "Line 2: Jane Doe, born 03 Feb 1988" in said(desk.get(url("import-report")))

    refused = desk.post(url("import-carry-out"), {"seen": "of yesterday", "line-2": str(jane.pk)})
    page = said(refused)
    assert refused.status_code == 409
    assert "What is stored here has changed meanwhile, so nothing was imported." in page
    assert re.search(rf'value="{jane.pk}" checked', page)
    assert "1 was here already" in said(press(desk, **{"line-2": str(jane.pk)}))
    jane.refresh_from_db()
    assert jane.reference == "P-1"


def test_the_lines_left_out_come_as_a_file_with_the_reason(desk):
    upload(desk, FILE.replace("Nobody", '"=HYPERLINK(""x"")"'))

    text = desk.get(url("import-left-out")).content.decode()

    assert text.startswith("\ufeffreference,given name,family name")
    assert "'=HYPERLINK" in text
    assert "given name: Everybody needs a given name." in text
    assert "Jane" not in text


def test_a_file_is_forgotten_when_asked_and_after_an_hour(desk, world, time_machine):
    upload(desk, FILE)
    desk.post(url("import-forget"))
    assert not ImportFile.objects.exists()

    upload(desk, FILE)
    time_machine.move_to(NOW + timedelta(hours=1), tick=False)
    assert desk.get(url("import-report")).status_code == 302
    assert imports.forget_old(now=NOW + timedelta(minutes=59)) == 0
    assert imports.forget_old(now=NOW + timedelta(hours=1)) == 1


def test_the_file_of_somebody_else_is_not_seen(desk, world, client):
    upload(desk, FILE)
    world.manager.user_permissions.add(Permission.objects.get(codename="import_patients"))
    client.force_login(world.manager)

    assert client.get(url("import-report")).status_code == 302


def test_the_empty_file_can_be_imported_and_holds_nobody(desk):
    template = desk.get(url("import-template", "patients")).content
    assert upload(desk, template).status_code == 302

    assert "Nothing can be imported" in said(desk.get(url("import-report")))
    assert desk.get(url("import-template", "horses")).status_code == 404


NOISE = bytes(range(256)) * 40


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\0", id="NUL"),
        pytest.param(b"given name\nA\0\n", id="NUL in a cell"),
        pytest.param(b"given name\n\xed\xa0\x80\n", id="a lone surrogate as UTF-8"),
        pytest.param(b"\xff\xfeg\x00\x00\xd8", id="a lone surrogate as UTF-16"),
        pytest.param(b"\xff\xfe", id="a mark and no more"),
        pytest.param(b"\xef\xbb\xbf", id="another mark and no more"),
        pytest.param(NOISE, id="every byte"),
        pytest.param(b"given name\n" + NOISE, id="every byte after a heading"),
        pytest.param(b"PK\x03\x04" + NOISE, id="a spreadsheet"),
        pytest.param(b'"' * 100_001, id="quotation marks"),
        pytest.param(b"," * 500_000, id="separators"),
        pytest.param(b"\r\n" * 500_000, id="line ends"),
        pytest.param(b"given name," * 10_000, id="headings"),
        pytest.param(b"\x1b[2J" * 1000, id="a terminal's commands"),
        pytest.param(b"+ADw-script+AD4-", id="UTF-7"),
        pytest.param(
            ("given name\n" + "𝕁\u202e<script>alert(1)</script>" * 3).encode(), id="letters that turn the line"
        ),
        pytest.param(b"given name,date of birth\nA," + b"9" * 5000, id="a huge number as a date"),
        pytest.param(b"given name,phone\nA," + b"9" * 4999, id="a huge number as a phone"),
        pytest.param(b"given name,reference\n{{7*7}}%s%(x)s{0},'; DROP TABLE patients_patient;--", id="code"),
    ],
)
@pytest.mark.parametrize("kind", ["patients", "courses", "\0"])
def test_no_file_is_too_hostile(desk, content, kind):
    response = upload(desk, content, kind=kind, name="\u202e<b>\0.csv")

    assert response.status_code in (302, 422)
    if response.status_code == 302:
        page = desk.get(url("import-report"))
        assert page.status_code == 200
        assert "<script>" not in said(page)
        assert desk.get(url("import-left-out")).status_code == 200
        assert press(desk).status_code == 200


def test_what_claims_to_be_too_large_is_refused_before_it_is_read(desk):
    response = desk.generic(
        "POST", url("import"), b"", content_type="multipart/form-data; boundary=x", CONTENT_LENGTH=str(10**9)
    )
    assert response.status_code == 413
    assert "larger than 10 MB" in said(response)


def test_what_is_too_large_is_refused_beside_the_field(desk):
    response = upload(desk, b"x" * (tables.MOST_BYTES + 1))

    assert response.status_code in (413, 422)
    assert "larger than 10 MB" in said(response)


def test_a_file_without_the_token_of_the_page_is_refused(desk, world):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(world.desk)

    assert upload(strict, FILE).status_code == 403
    assert not ImportFile.objects.exists()


def test_nothing_of_a_file_stands_in_the_log(desk, caplog):
    caplog.set_level("DEBUG")
    upload(desk, FILE)
    press(desk)

    assert "Jane" not in caplog.text
    assert "jane@example" not in caplog.text


@pytest.mark.parametrize("answer", ["create", "-1", "9" * 5000, "\0", "=1"])
def test_answers_that_make_no_sense_leave_the_line_out_or_are_taken(desk, world, answer):
    world.a_patient("Jane", "Doe")
    upload(desk, FILE)

    assert press(desk, **{"line-2": answer, "line-9999999": "create", "line-x": "1"}).status_code == 200
    assert Patient.objects.filter(given_name="Jane").count() == (2 if answer == "create" else 1)
