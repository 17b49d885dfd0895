"""Courses under way from another system: what each line must say, what is stored, and which are here already."""

from datetime import date

import pytest

from patients.dry_runs import ImportRefused
from tests.world import LONDON, NOW, TODAY
from treatments import importing, rules
from treatments.models import Concern, Maintenance, MaintenanceRule, Override, Protocol, Series, Session
from treatments.services import series as courses

HEADINGS = (
    "course reference,patient reference,protocol,sessions,sessions done,last session,session dates,series complete,"
    "next due"
)
UNDER_WAY = "C-1,P-1,Acne scars,,2,16.2.2026,,,"
COMPLETE = "C-1,P-1,Acne scars,,3,1.9.2025,,,"


@pytest.fixture
def world(world):
    type(world.patient).objects.filter(pk=world.patient.pk).update(reference="P-1")
    return world


def a_file(*lines: str, headings: str = HEADINGS) -> bytes:
    return "\n".join([headings, *lines]).encode()


def look(*lines: str, headings: str = HEADINGS):
    return importing.dry_run(a_file(*lines, headings=headings), today=TODAY)


def take(world, *lines: str, headings: str = HEADINGS, answers=None, seen=None):
    content = a_file(*lines, headings=headings)
    return importing.take(
        content,
        answers=answers or {},
        seen=seen or importing.dry_run(content, today=TODAY).seen,
        today=TODAY,
        by=world.desk,
        now=NOW,
        zone=LONDON,
    )


def sessions() -> list[tuple]:
    return list(Session.objects.order_by("number").values_list("state", "attended_on", "day_unknown"))


def test_a_course_under_way_has_its_sessions_done_and_the_rest_to_book(world):
    done = take(world, UNDER_WAY)

    series = Series.objects.get()
    assert (done.created, done.linked, done.left_out) == (1, 0, 0)
    assert (series.patient, series.protocol, series.reference) == (world.patient, world.protocol, "C-1")
    assert (series.state, series.completed_on, series.started_by) == ("active", None, world.desk)
    assert series.terms == world.protocol.terms_for()
    assert sessions() == [
        ("attended", None, True),
        ("attended", date(2026, 2, 16), False),
        ("planned", None, False),
    ]
    assert not Maintenance.objects.exists()


def test_the_day_of_each_session_is_kept_where_the_file_has_it(world):
    take(world, 'C-1,P-1,ACNE SCARS,,2,,"12.1.2026 16/02/2026",,')

    assert [day for _state, day, _unknown in sessions()] == [date(2026, 1, 12), date(2026, 2, 16), None]
    assert Series.objects.get().started_at.date() == date(2026, 1, 12)


def test_once_the_rest_is_attended_the_series_completes_as_any(world):
    take(world, UNDER_WAY)

    courses.attend(session=Session.objects.get(number=3), on=TODAY, by=world.desk, now=NOW)

    assert (Series.objects.get().state, Series.objects.get().completed_on) == ("completed", TODAY)
    assert Maintenance.objects.get().remind_from is None


def test_a_session_on_a_day_unknown_can_be_taken_back(world):
    take(world, UNDER_WAY)

    courses.undo(session=Session.objects.get(number=1), by=world.desk, now=NOW)

    assert sessions()[0] == ("planned", None, False)


def test_a_complete_course_has_its_maintenance_by_the_rule(world):
    take(world, COMPLETE)

    series, cycle = Series.objects.get(), Maintenance.objects.get()
    assert (series.state, series.completed_on) == ("completed", date(2025, 9, 1))
    due = rules.due(series.terms.maintenance[0], date(2025, 9, 1))
    assert (cycle.state, cycle.anchor, cycle.calculated_from, cycle.calculated_by) == (
        "scheduled",
        date(2025, 9, 1),
        due.from_,
        due.by,
    )
    assert (cycle.due_from, cycle.overridden_on, cycle.remind_from) == (date(2026, 3, 1), None, date(2026, 3, 3))


def test_a_next_due_of_the_file_counts_and_says_who_brought_it(world):
    take(world, COMPLETE + "1.5.2026")

    cycle = Maintenance.objects.get()
    assert (cycle.due_from, cycle.due_by, cycle.calculated_from) == (
        date(2026, 5, 1),
        date(2026, 5, 1),
        date(2026, 3, 1),
    )
    assert (cycle.overridden_by, cycle.overridden_at) == (world.desk, NOW)
    assert cycle.override_reason


def test_a_course_ended_early_leaves_out_what_was_not_attended(world):
    take(world, "C-1,P-1,Acne scars,,2,16.2.2026,,yes,")

    assert [state for state, _day, _unknown in sessions()] == ["attended", "attended", "skipped"]
    assert Maintenance.objects.get().anchor == date(2026, 2, 16)


def test_it_is_stored_as_the_services_would_have_left_it(world):
    """The same course lived through here, and imported: the rows are the same but for the marks of the import."""
    lived = world.a_series(world.a_patient())
    days = [date(2025, 7, 1), date(2025, 8, 1), date(2025, 9, 1)]
    for session, day in zip(lived.sessions.all(), days, strict=True):
        courses.attend(session=session, on=day, by=world.desk, now=NOW)
    take(world, 'C-1,P-1,Acne scars,,3,,"1.7.2025 1.8.2025 1.9.2025",,')
    imported = Series.objects.get(reference="C-1")

    assert imported.pk != lived.pk

    def rows(series):
        own = {"id", "patient_id", "series", "series_id", "reference", "started_at", "remind_from"}
        lived.refresh_from_db()
        every = [series, *series.sessions.all(), *series.maintenance.all()]
        return [{k: v for k, v in row.__dict__.items() if k not in own and not k.startswith("_")} for row in every]

    assert rows(imported) == rows(lived)


def test_a_cycle_that_the_clinician_decides_waits(world):
    MaintenanceRule.objects.all().delete()
    MaintenanceRule.objects.create(protocol=world.protocol, position=1, kind="individual")

    take(world, COMPLETE)

    assert Maintenance.objects.get().state == "waiting"


@pytest.mark.parametrize(
    ("line", "title", "words"),
    [
        pytest.param(
            "C,P-9,Acne scars,,2,16.2.2026,,,",
            "patient reference",
            "No patient has this reference",
            id="no such patient",
        ),
        pytest.param("C,,Acne scars,,2,16.2.2026,,,", "patient reference", "Say whose course", id="nobody's"),
        pytest.param(
            "C,P-1,Acne scar,,2,16.2.2026,,,", "protocol", "Did you mean “Acne scars”?", id="a slip in the name"
        ),
        pytest.param("C,P-1,Botox,,2,16.2.2026,,,", "protocol", "There is no such protocol", id="no such protocol"),
        pytest.param("C,P-1,,,2,16.2.2026,,,", "protocol", "There is no such protocol", id="no protocol"),
        pytest.param(
            "C,P-1,Acne scars,,4,16.2.2026,,,", "sessions done", "(4) than the course has (3)", id="too many done"
        ),
        pytest.param(
            "C,P-1,Acne scars,,,16.2.2026,,,",
            "sessions done",
            "how many sessions were attended",
            id="not said how many",
        ),
        pytest.param("C,P-1,Acne scars,,-1,16.2.2026,,,", "sessions done", "from 0 to 60", id="less than none"),
        pytest.param("C,P-1,Acne scars,,٢,16.2.2026,,,", "sessions done", "from 0 to 60", id="other digits"),
        pytest.param(
            f"C,P-1,Acne scars,,{'9' * 4999},16.2.2026,,,", "sessions done", "from 0 to 60", id="a huge number"
        ),
        pytest.param("C,P-1,Acne scars,0,0,,,,", "sessions", "from 1 to 60", id="a course of nothing"),
        pytest.param(
            "C,P-1,Acne scars,5,2,16.2.2026,,,",
            "decided by",
            "Note who decided it",
            id="another number than the protocol's",
        ),
        pytest.param(
            "C,P-1,Acne scars,,2,3.3.2026,,,", "last session", "still to come", id="the last session is tomorrow"
        ),
        pytest.param(
            "C,P-1,Acne scars,,2,,,,", "last session", "Give the day of the last session", id="no last session"
        ),
        pytest.param("C,P-1,Acne scars,,0,16.2.2026,,,", "sessions done", "none was done", id="a day, but none done"),
        pytest.param("C,P-1,Acne scars,,2,,1.2.2026,,", "session dates", "1 days for 2 sessions", id="too few days"),
        pytest.param(
            "C,P-1,Acne scars,,2,,2.2.2026 1.2.2026,,",
            "session dates",
            "the first session first",
            id="days out of order",
        ),
        pytest.param("C,P-1,Acne scars,,2,,1.2.2026 1.2.2026,,", "session dates", "each day once", id="a day twice"),
        pytest.param("C,P-1,Acne scars,,2,,1.2.2026 soon,,", "session dates", "“soon”", id="a day that is none"),
        pytest.param(
            "C,P-1,Acne scars,,2,3.2.2026,1.2.2026 2.2.2026,,", "last session", "another day", id="two last sessions"
        ),
        pytest.param(
            "C,P-1,Acne scars,,0,,,yes,", "series complete", "No session was attended", id="complete without a session"
        ),
        pytest.param(
            "C,P-1,Acne scars,,3,16.2.2026,,no,", "series complete", "so it is complete", id="all done and not complete"
        ),
        pytest.param("C,P-1,Acne scars,,2,16.2.2026,,soon,", "series complete", "yes or no", id="neither yes nor no"),
        pytest.param("C,P-1,Acne scars,,2,16.2.2026,,,1.9.2026", "next due", "under way", id="due while under way"),
        pytest.param(
            "C,P-1,Acne scars,,3,16.2.2026,,,16.2.2026",
            "next due",
            "not after the last session",
            id="due before the end",
        ),
        pytest.param(
            "C,P-1,Acne scars,,3,16.2.2026,,,1.1.2050", "next due", "ten years ahead", id="due in another life"
        ),
    ],
)
def test_what_is_wrong_is_said_by_line_and_column(world, line, title, words):
    problems = look(UNDER_WAY, line).problems

    assert [(problem.line, problem.title) for problem in problems] == [(3, title)]
    assert words in problems[0].reason


@pytest.mark.parametrize(
    ("rules_of_it", "words"),
    [
        pytest.param([], "no maintenance that could be due", id="none"),
        pytest.param(["every", "every"], "several kinds of maintenance", id="two"),
    ],
)
def test_a_next_due_that_belongs_to_no_one_rule_is_refused(world, rules_of_it, words):
    MaintenanceRule.objects.all().delete()
    for position, kind in enumerate(rules_of_it, start=1):
        MaintenanceRule.objects.create(protocol=world.protocol, position=position, kind=kind, min=6, unit="month")

    [problem] = look(COMPLETE + "1.5.2026").problems

    assert words in problem.reason


def test_where_the_protocol_leaves_the_interval_open_the_file_must_say_it_and_who_decided(world):
    Protocol.objects.update(spacing_min=None, spacing_ideal=None, spacing_max=None, spacing_unit="")
    headings = "patient reference,protocol,sessions done,last session,interval,decided by"
    start = "P-1,Acne scars,2,16.2.2026"

    def wrong(cells):
        return [(problem.title, problem.reason) for problem in look(f"{start},{cells}", headings=headings).problems]

    assert wrong(",")[0][0] == "interval"
    assert "how far apart" in wrong(",")[0][1]
    assert wrong("4-6 weeks,")[0][0] == "decided by"
    for odd in ("6-4 weeks", "4-6", "often", "0-6 weeks", "4-999 weeks", "4-6 years"):
        assert "4-6 weeks" in wrong(f"{odd},Dr Ada")[0][1]
    take(world, f"{start},4 – 6 Wochen,Dr Ada", headings=headings)
    spacing = Series.objects.get().terms.spacing
    assert (spacing.min, spacing.max, spacing.unit, Series.objects.get().decision_note) == (4, 6, "week", "Dr Ada")


def test_the_case_decides_on_the_terms_where_the_protocol_asks(world):
    rosacea = Concern.objects.create(name="Rosacea")
    override = Override.objects.create(
        protocol=world.protocol,
        name="Severe",
        severity="severe",
        replaces=["sessions"],
        session_kind="fixed",
        session_min=5,
        session_max=5,
    )
    override.concerns.add(rosacea)
    headings = "patient reference,protocol,sessions done,last session,concern,severity,area,needle depth"

    take(world, 'P-1,Acne scars,4,16.2.2026,rosacea,SEVERE,,"1,5 mm"', headings=headings)

    series = Series.objects.get()
    assert (series.concern, series.severity, f"{series.depth_mm}") == (rosacea, "severe", "1.50")
    assert series.sessions.count() == 5
    wrong = look("P-1,Acne scars,1,16.2.2026,warts,awful,nose,9", headings=headings).problems
    assert [problem.title for problem in wrong] == ["area", "concern", "needle depth", "severity"]


@pytest.mark.parametrize(
    ("status", "words"), [("draft", "is not published"), ("retired", "is not published")], ids=["draft", "retired"]
)
def test_only_a_published_protocol_makes_a_series(world, status, words):
    Protocol.objects.update(status=status)

    assert words in look(UNDER_WAY).problems[0].reason


def test_a_patient_is_found_by_an_address_that_is_theirs_alone(world):
    headings = "e-mail,protocol,sessions done,last session"
    line = "AMAL@example.com,Acne scars,2,16.2.2026"
    assert look(line, headings=headings).new == 1

    world.a_patient(email="amal@example.com")
    assert "Several patients" in look(line, headings=headings).problems[0].reason
    assert "No patient" in look(line.replace("AMAL", "nobody"), headings=headings).problems[0].reason


@pytest.mark.parametrize(
    ("second", "words"),
    [
        pytest.param("C-1,P-1,Acne scars,,0,,,,", "Line 2 has the same reference", id="the same reference"),
        pytest.param(
            ",P-1,Acne scars,,0,,,,", "same patient and protocol as line 2", id="no reference to tell them apart"
        ),
        pytest.param("C-2,P-1,Acne scars,,0,,,,", None, id="another course of the same patient"),
    ],
)
def test_each_course_stands_in_the_file_once(world, second, words):
    run = look(UNDER_WAY, second)

    assert [words in problem.reason for problem in run.problems] == ([True] if words else [])


def test_the_same_file_twice_is_harmless(world):
    without = ",P-1,Acne scars,,2,16.2.2026,,,"
    for line in (UNDER_WAY, without):
        with_it = take(world, line)
        again = take(world, line)
        assert (again.created, again.linked) == (0, 1)
        assert with_it.created + with_it.linked == 1
    assert Series.objects.count() == 1


def test_a_series_that_is_here_is_asked_about(world):
    here = world.a_series()
    run = look(UNDER_WAY)
    assert [option.value for option in run.questions[0].options] == [str(here.pk), "create"]

    assert take(world, UNDER_WAY).left_out == 1
    assert take(world, UNDER_WAY, answers={2: str(here.pk)}).linked == 1
    here.refresh_from_db()
    assert (here.reference, here.sessions.filter(state="planned").count()) == ("C-1", 3)
    assert take(world, UNDER_WAY).linked == 1


def test_if_the_protocol_has_changed_since_nothing_is_imported(world):
    seen = look(UNDER_WAY).seen
    Protocol.objects.update(version=2)

    with pytest.raises(ImportRefused, match="has changed meanwhile"):
        take(world, UNDER_WAY, seen=seen)


def test_what_follows_is_shown_first(world):
    run = look(UNDER_WAY, COMPLETE.replace("C-1", "C-2"), "C-3,P-1,Acne scars,,0,,,,")

    assert [row[-1] for row in run.first] == [
        "session 3 to book, Mon 16 Mar 2026 to Mon 30 Mar 2026",
        "Microneedling was due Sun 1 Mar 2026",
        "session 1 to book",
    ]
    assert "In 1 course maintenance is due already" in run.notes[0]


def test_it_costs_the_same_number_of_queries_for_any_number_of_lines(world, django_assert_max_num_queries):
    for number in (2, 20):
        lines = [f"D{number}-{n},P-1,Acne scars,,1,16.2.2026,,," for n in range(number)]
        with django_assert_max_num_queries(16):
            assert look(*lines).new == number
