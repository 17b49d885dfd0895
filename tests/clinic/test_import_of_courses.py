"""A whole clinic's courses under way come in at the desk: nobody is written to about what was due before."""

from datetime import date, timedelta

import pytest
from django.contrib.auth.models import Permission

from clinic.models import Message, ReminderStep
from clinic.services import outbox, worklist_rows
from patients.models import Consent, Patient
from tests.clinic.test_desk_import import press, said, upload, url
from tests.world import LONDON, NOW, TODAY, at
from treatments.models import Maintenance, Series

DAY = timedelta(days=1)
MANY = 1000


@pytest.fixture(autouse=True)
def steps(db):
    ReminderStep.objects.all().delete()
    for days, stale in [(-28, 20), (0, 20), (28, 20)]:
        ReminderStep.objects.create(subject="maintenance", offset_days=days, stale_after_days=stale)


@pytest.fixture
def desk(client, world, time_machine):
    time_machine.move_to(NOW, tick=False)
    world.desk.user_permissions.add(Permission.objects.get(codename="import_patients"))
    client.force_login(world.desk)
    return client


def take_in(desk, kind: str, rows: list[str]):
    assert upload(desk, "\n".join(rows), kind=kind).status_code == 302
    return said(press(desk))


def patients(count: int) -> list[str]:
    headings = "reference,given name,family name,e-mail,consent recall email,consent date"
    return [headings, *(f"P-{n},Given{n},Family{n},p{n}@example.com,yes,1.6.2025" for n in range(count))]


def courses(due: list[date]) -> list[str]:
    headings = "course reference,patient reference,protocol,sessions done,last session,next due"
    return [headings, *(f"C-{n},P-{n},Acne scars,3,1.2.2022,{day:%d.%m.%Y}" for n, day in enumerate(due))]


def test_a_thousand_overdue_courses_send_nothing_and_the_next_step_is_sent(desk, world, smtp_server):
    # Due on every day from three years ago up to today: all that any step could ever be owed for.
    due = [TODAY - (n % 1095) * DAY for n in range(MANY)]
    assert f"{MANY} lines were taken in" in take_in(desk, "patients", patients(MANY))
    assert f"{MANY} lines were taken in" in take_in(desk, "courses", courses(due))
    assert Consent.objects.filter(purpose="recall", granted=True).count() == MANY

    assert outbox.run(now=at(f"{TODAY} 09:00")) == {}
    assert (Message.objects.count(), smtp_server.received) == (0, [])
    counts = worklist_rows.counts(worklist_rows.Filters(), zone=LONDON, now=NOW, unfit={})
    assert counts["overdue"] + counts["due"] == MANY

    # The step four weeks after comes day by day, for whom it comes, and for nobody else; yesterday's never.
    for ahead in (1, 2, 3):
        today = TODAY + ahead * DAY
        assert outbox.run(now=at(f"{today} 09:00"))["sent"] == 1
        assert smtp_server.recipients()[-1] == f"p{28 - ahead}@example.com"


def test_what_is_due_later_is_reminded_of_as_if_it_had_always_been_here(desk, world, smtp_server):
    take_in(desk, "patients", patients(1))
    take_in(desk, "courses", courses([date(2026, 5, 4)]))

    days = [TODAY + n * DAY for n in range(100)]
    sent = [f"{day}" for day in days if outbox.run(now=at(f"{day} 09:00"))["sent"]]

    assert sent == ["2026-04-06", "2026-05-04", "2026-06-01"]


def test_a_course_under_way_stands_on_the_worklist_to_be_booked(desk, world):
    take_in(desk, "patients", patients(1))
    row = "P-0,Acne scars,2,16.2.2026"
    page = upload(desk, f"patient reference,protocol,sessions done,last session\n{row}", kind="courses")
    report = said(desk.get(page.headers["Location"]))
    assert "session 3 to book, Mon 16 Mar 2026 to Mon 30 Mar 2026" in report
    press(desk)

    listed = worklist_rows.page(
        worklist_rows.TABS["to-book"], worklist_rows.Filters(days=30), by=world.desk, zone=LONDON, now=NOW, unfit={}
    )
    assert [row.patient for row in listed.rows] == ["Given0 Family0"]
    series = Series.objects.get()
    record = said(desk.get(url("patient", series.patient_id)))
    assert "day not known" in record
    assert series.events.get().pgh_context.metadata["user"] == world.desk.pk
    assert desk.get(url("series-book", series.pk)).status_code == 200


def test_a_course_of_nobody_here_is_left_out_with_the_reason(desk):
    upload(desk, "patient reference,protocol,sessions done\nP-0,Acne scars,0", kind="courses")

    assert "No patient has this reference. Import the patients first." in said(desk.get(url("import-report")))
    assert "No patient has this reference" in desk.get(url("import-left-out")).content.decode()
    assert not Maintenance.objects.exists()
    assert Patient.objects.filter(reference="P-0").count() == 0
