"""Moving a series to the current version: what the page says, and what then happens."""

from datetime import date, timedelta
from uuid import uuid4

import pytest
import time_machine
from django.apps import apps
from django.contrib.auth.models import Permission, User
from django.urls import reverse

from clinic.models import Appointment, Message, Site
from clinic.services import booking, ripple, series_version
from tests.clinic import test_ripple
from tests.clinic.test_booking import a_visit, book
from tests.clinic.test_desk_move import said, words
from tests.clinic.test_desk_sessions import fields as shown_by
from tests.clinic.test_ripple import starts, visit
from tests.world import NOW, World, at
from treatments.models import Maintenance, MaintenanceRule, Protocol, Series, Session
from treatments.services import maintenance, moving, protocols
from treatments.services import series as courses
from treatments.services.moving import NotMovable

pytestmark = pytest.mark.django_db

DAY = date(2026, 3, 3)


# One that is booked, on Tue 3 Mar, 7 Apr and 12 May.
running = test_ripple.series


def address(series: Series) -> str:
    return reverse("desk:series-version", args=[series.pk])


def fields(page) -> dict[str, object]:
    return shown_by(page) | {"version": page.context["preview"].move.version}


@pytest.fixture
def clinician(world) -> User:
    clinician = User.objects.create_user("clinician", "clinician@example.com", is_staff=True)
    may = Permission.objects.filter(codename__in=["move_series_version", "override_window"])
    clinician.user_permissions.add(*may)
    clinician.groups.set(world.desk.groups.all())
    return clinician


@pytest.fixture
def series(world) -> Series:
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    return world.a_series()


def change(world: World, rules=None, **values) -> None:
    """The protocol as somebody saves it anew."""
    Protocol.objects.filter(pk=world.protocol.pk).update(**values)
    if rules is not None:
        world.protocol.maintenance_rules.all().delete()
        for position, rule in enumerate(rules):
            MaintenanceRule.objects.create(protocol=world.protocol, position=position, **rule)
    assert protocols.record_change(protocol=world.protocol, by=world.desk, now=NOW) is not None


def fixed(count: int) -> dict:
    return {"session_min": count, "session_max": count}


def attend(series: Series, world: World, *days: date) -> None:
    for day in days:
        session = series.sessions.filter(state="planned").order_by("number").first()
        courses.attend(session=session, on=day, by=world.desk, now=NOW)


def completed(series: Series, world: World) -> Series:
    attend(series, world, DAY, DAY + timedelta(weeks=5), DAY + timedelta(weeks=10))
    series.refresh_from_db()
    assert series.state == "completed"
    return series


def move(series: Series, by: User, version: int = 2, **values) -> Series:
    site = Site.objects.get()
    series_version.move(series=series, version=version, site=site, by=by, now=NOW, key=uuid4(), **values)
    return Series.objects.get(pk=series.pk)


def shown(series: Series):
    return series_version.preview(Series.objects.get(pk=series.pk), now=NOW)


def numbers(series: Series) -> list[tuple[int, str]]:
    return list(series.sessions.order_by("number").values_list("number", "state"))


# What it says


def test_the_page_says_what_changes_in_words_and_in_windows(series, world):
    attend(series, world, DAY)
    change(world, spacing_min=2, spacing_ideal=2, spacing_max=3)

    found = shown(series)

    assert list(map(str, found.move.differences)) == ["spacing 4–6 weeks, ideally 5 → 2–3 weeks, ideally 2"]
    second = found.sessions[0]
    assert (second.label, second.before, second.after) == (
        "Session 2",
        "Tue 31 Mar – Tue 14 Apr 2026",
        "Tue 17 Mar – Tue 24 Mar 2026",
    )
    assert Series.objects.get(pk=series.pk).protocol_version == 1


@pytest.mark.parametrize(
    ("spacing", "verdict", "hurts"),
    [
        pytest.param((5, 5, 7), "still inside", False, id="inside the new window"),
        pytest.param((1, 1, 2), "outside the new window; the visit stays where it is", True, id="outside"),
    ],
)
def test_a_booked_session_is_inside_or_outside(spacing, verdict, hurts, series, world):
    attend(series, world, DAY)
    book(world, a_visit(world, "2026-04-07 10:00", session=series.sessions.get(number=2)))
    change(world, **dict(zip(("spacing_min", "spacing_ideal", "spacing_max"), spacing, strict=True)))

    second = shown(series).sessions[0]

    assert (second.verdict, second.hurts) == (verdict, hurts)
    assert second.booked.startswith("Tue 7 Apr 2026")


def test_what_would_be_added_and_dropped_is_said(series, world):
    change(world, **fixed(4))
    assert [(row.label, row.verdict) for row in shown(series).sessions][-1] == ("Session 4", "added, to book")

    change(world, **fixed(2))
    assert [(row.label, row.verdict) for row in shown(series).sessions][-1] == (
        "Session 3",
        "no longer part of the course",
    )


# What happens


def test_terms_and_version_are_replaced_and_appointments_stay(series, world, clinician):
    attend(series, world, DAY)
    visit = book(world, a_visit(world, "2026-04-07 10:00", session=series.sessions.get(number=2)))
    change(world, spacing_min=1, spacing_ideal=1, spacing_max=2)

    moved = move(series, clinician, outside_reason="as agreed")

    assert (moved.protocol_version, moved.terms.spacing.max) == (2, 2)
    kept = Appointment.objects.get(pk=visit.pk)
    assert (kept.starts_at, kept.status) == (visit.starts_at, "booked")
    with pytest.raises(NotMovable, match="on the current version already"):
        move(series, clinician)


@pytest.mark.parametrize(
    ("count", "attended", "after"),
    [
        pytest.param(5, 1, [(1, "attended"), *((n, "planned") for n in range(2, 6))], id="more"),
        pytest.param(2, 1, [(1, "attended"), (2, "planned")], id="fewer"),
        pytest.param(1, 2, [(1, "attended"), (2, "attended")], id="never fewer than were attended"),
    ],
)
def test_sessions_are_added_or_dropped(count, attended, after, series, world, clinician):
    attend(series, world, *(DAY + timedelta(weeks=5 * n) for n in range(attended)))
    change(world, **fixed(count))

    move(series, clinician)

    assert numbers(series) == after


def test_a_number_that_the_new_version_allows_stays(series, world, clinician):
    change(world, session_kind="range", session_min=2, session_max=6, session_typical=5)

    move(series, clinician)

    assert len(numbers(series)) == 3


def test_with_nothing_left_to_attend_the_series_is_complete(series, world, clinician):
    attend(series, world, DAY, DAY + timedelta(weeks=5))
    change(world, **fixed(2))

    moved = move(series, clinician)

    assert (moved.state, moved.completed_on) == ("completed", DAY + timedelta(weeks=5))
    assert moved.maintenance.get().state == "scheduled"


def test_a_session_that_is_booked_is_not_dropped(series, world, clinician):
    visit = book(world, a_visit(world, "2026-05-05 10:00", session=series.sessions.get(number=3)))
    change(world, **fixed(2))

    assert shown(series).refusal == (
        "Session 3 is booked, and the new version has no such session. Cancel that visit first."
    )
    with pytest.raises(NotMovable, match="Session 3 is booked"):
        move(series, clinician)
    assert (len(numbers(series)), Series.objects.get().protocol_version) == (3, 1)

    booking.cancel(appointment=visit, reason="moved", by=world.desk, now=NOW)
    move(series, clinician)
    # The cancelled visit is kept, and with it the session that it was for.
    dropped = Session.objects.get(series=series, number=3)
    assert (dropped.state, dropped.recorded_by, dropped.reason) == (
        "skipped",
        clinician,
        "Not part of version 2 of the protocol",
    )


def test_what_the_clinician_decided_stays_where_the_version_leaves_it_open(world, clinician):
    open_spacing = {f"spacing_{part}": None for part in ("min", "ideal", "max")} | {"spacing_unit": ""}
    Protocol.objects.filter(pk=world.protocol.pk).update(**open_spacing)
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    world.protocol.refresh_from_db()
    series = world.a_series(spacing=courses.Spacing(3, None, 4, "week"), decision_note="Dr Osei")
    change(world, evidence="our own")

    moved = move(series, clinician)

    assert (moved.terms.spacing.min, moved.decision_note) == (3, "Dr Osei")


def test_a_version_that_changed_since_the_page_was_shown_is_not_taken(series, world, clinician):
    change(world, spacing_max=7)
    change(world, spacing_max=8)

    with pytest.raises(NotMovable, match="changed once more"):
        move(series, clinician, version=2)


@pytest.mark.parametrize("status", ["draft", "retired"])
def test_a_series_is_not_moved_to_what_is_not_published(status, series, world, clinician):
    change(world, spacing_max=7)
    Protocol.objects.filter(pk=world.protocol.pk).update(status=status)

    with pytest.raises(NotMovable, match="not published"):
        move(series, clinician)


# Maintenance

SIX = {"kind": "every", "min": 6, "unit": "month"}
FOUR = {"kind": "every", "min": 4, "unit": "month"}
FACIAL = {"kind": "per_year", "times_per_year": 12}


def test_a_cycle_that_is_scheduled_is_counted_anew_by_the_rule_that_took_its_place(series, world, clinician):
    completed(series, world)
    change(world, rules=[FACIAL, FOUR])

    (row,) = shown(series).maintenance
    assert (row.before, row.after) == ("Thu 12 Nov 2026", "Sat 12 Sep 2026")
    move(series, clinician)

    cycle = Maintenance.objects.get(series=series, cycle=1, rule=1)
    assert (cycle.due_from, cycle.state) == (date(2026, 9, 12), "scheduled")
    assert Series.objects.get().terms.maintenance[cycle.rule].min == 4
    # The rule that is new opens its first cycle.
    assert Maintenance.objects.get(series=series, rule=0).due_from == date(2026, 6, 12)


HELD = {
    "overridden": lambda cycle, world: maintenance.override(
        cycle=cycle, due_on=date(2026, 10, 1), reason="Dr Osei", by=world.desk, now=NOW
    ),
    "deferred": lambda cycle, world: maintenance.defer(cycle=cycle, until=date(2027, 1, 1), reason="abroad"),
    "booked": lambda cycle, world: maintenance.mark_booked(cycle=cycle),
    "declined": lambda cycle, world: maintenance.decline(cycle=cycle, reason="no", by=world.desk, now=NOW),
}


@pytest.mark.parametrize("hold", HELD.values(), ids=HELD.keys())
def test_what_somebody_decided_or_booked_keeps_its_dates(hold, series, world, clinician):
    completed(series, world)
    hold(series.maintenance.get(), world)
    before = Maintenance.objects.values().get()
    change(world, rules=[FOUR])

    assert shown(series).maintenance == ()
    move(series, clinician)

    assert Maintenance.objects.values().get() == before


def test_rules_that_change_places_keep_their_cycles(world, clinician):
    world.protocol.maintenance_rules.all().delete()
    for position, rule in enumerate([SIX, FACIAL]):
        MaintenanceRule.objects.create(protocol=world.protocol, position=position, **rule)
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    series = completed(world.a_series(), world)
    before = {(c.pk, series.terms.maintenance[c.rule], c.due_from) for c in series.maintenance.all()}
    change(world, rules=[FACIAL, SIX])

    moved = move(series, clinician)

    assert {(c.pk, moved.terms.maintenance[c.rule], c.due_from) for c in moved.maintenance.all()} == before
    assert sorted(moved.maintenance.values_list("rule", flat=True)) == [0, 1]


def test_a_rule_that_is_gone_stays_while_a_visit_is_open_by_it_and_says_so(series, world, clinician):
    completed(series, world)
    change(world, rules=[FACIAL])

    assert shown(series).notes == (
        "“every 6 months” is not in the new version. Visits that are open by it go on until they are declined.",
        "“12 times a year” is new and opens at once, counted from the day the series was complete.",
    )
    moved = move(series, clinician)

    cycle = moved.maintenance.get(due_from=date(2026, 11, 12))
    assert moved.terms.maintenance[cycle.rule].min == 6
    following = maintenance.attend(cycle=cycle, on=date(2026, 11, 12), by=world.desk, now=NOW)
    assert following.due_from == date(2027, 5, 12)


def test_cycles_that_were_withdrawn_do_not_come_back_by_another_rule(series, world, clinician):
    completed(series, world)
    courses.undo(session=series.sessions.get(number=3), by=world.desk, now=NOW)
    change(world, rules=[FACIAL])
    moved = move(series, clinician)

    courses.attend(session=series.sessions.get(number=3), on=DAY + timedelta(weeks=10), by=world.desk, now=NOW)

    assert [rule.kind for rule in moved.terms.maintenance] == ["per_year"]
    assert list(series.maintenance.order_by("rule").values_list("rule", "state")) == [
        (0, "scheduled"),
        (1, "withdrawn"),
    ]


def test_who_moved_it_is_kept(series, world, clinician, client):
    change(world, spacing_max=7)
    client.force_login(clinician)

    with time_machine.travel(NOW, tick=False):
        client.post(reverse("desk:series-version", args=[series.pk]), {"version": "2", "save": "1"})

    event = apps.get_model("treatments", "SeriesEvent").objects.filter(pgh_obj=series).latest("pgh_id")
    assert event.protocol_version == 2
    assert event.pgh_context.metadata["user"] == clinician.pk


# The page


def test_the_page_shows_and_the_press_moves(series, world, clinician, client):
    attend(series, world, DAY)
    change(world, **fixed(2))
    client.force_login(clinician)
    url = reverse("desk:series-version", args=[series.pk])

    with time_machine.travel(at("2026-03-04 09:00"), tick=False):
        page = client.get(url)
        assert "sessions 3 → 2" in page.content.decode()
        assert numbers(series)[-1] == (3, "planned")
        answer = client.post(url, {"version": "2", "save": "1"})

    assert answer.url == reverse("desk:patient", args=[series.patient_id])
    assert numbers(series) == [(1, "attended"), (2, "planned")]


@pytest.mark.parametrize("version", ["", "1", "x", "９", "9" * 30], ids=["none", "old", "word", "wide", "huge"])
def test_a_press_that_names_no_current_version_moves_nothing(version, series, world, clinician, client):
    change(world, spacing_max=7)
    client.force_login(clinician)

    answer = client.post(reverse("desk:series-version", args=[series.pk]), {"version": version, "save": "1"})

    assert answer.status_code == 422
    assert Series.objects.get().protocol_version == 1


def test_only_who_may_move_a_series_opens_the_page(series, world, client):
    change(world, spacing_max=7)
    client.force_login(world.desk)
    url = reverse("desk:series-version", args=[series.pk])

    assert (client.get(url).status_code, client.post(url, {"version": "2"}).status_code) == (403, 403)
    assert Series.objects.get().protocol_version == 1


def test_a_series_that_is_where_it_should_be_has_nothing_to_show(series, clinician, client):
    client.force_login(clinician)

    answer = client.get(reverse("desk:series-version", args=[series.pk]), follow=True)

    assert "on the current version already" in answer.content.decode()
    with pytest.raises(NotMovable):
        moving.plan(series)


# The visits that are booked


class TestVisits:
    """Booked on Tue 3 Mar, 7 Apr and 12 May; the new version wants two to three weeks between them."""

    @pytest.fixture
    def desk(self, client, world, clinician):
        protocols.keep_before_change(protocol=world.protocol, now=NOW)
        change(world, spacing_min=2, spacing_ideal=2, spacing_max=3)
        Message.objects.all().delete()
        client.force_login(clinician)
        with time_machine.travel(NOW, tick=False):
            yield client

    def test_the_page_shows_before_and_after_and_the_press_plans_them_again(self, running, desk):
        page = desk.get(address(running))
        assert page.context["chosen"] == "replan"
        assert words(page) == {1: "Unchanged", 2: "Inside its window", 3: "Inside its window"}

        answer = desk.post(address(running), {**fields(page), "save": "1"}, follow=True)

        assert starts() == {1: "2026-03-03 10:00", 2: "2026-03-17 10:00", 3: "2026-03-31 10:00"}
        assert Series.objects.get().protocol_version == 2
        assert "With it: session 2, 3." in said(answer)
        assert [(m.kind, m.series_id) for m in Message.objects.all()] == [("change", running.pk)]

    def test_given_up_they_say_why(self, running, desk):
        page = desk.post(address(running), {**fields(desk.get(address(running))), "following": "unbook", "look": "1"})
        assert words(page) == {1: "Unchanged", 2: "To book", 3: "To book"}

        desk.post(address(running), {**fields(page), "save": "1"})

        assert starts() == {1: "2026-03-03 10:00"}
        reasons = set(Appointment.objects.filter(status="cancelled").values_list("cancel_reason", flat=True))
        assert reasons == {"No longer fits the version of the protocol that the course was moved to"}

    def test_left_where_they_are_outside_the_windows_they_need_a_reason(self, running, desk):
        before = starts()
        page = desk.post(address(running), {**fields(desk.get(address(running))), "following": "only", "look": "1"})
        assert words(page) == {1: "Unchanged", 2: "Too late", 3: "Too late"}

        refused = desk.post(address(running), {**fields(page), "save": "1"})
        assert refused.status_code == 422
        assert "Note the reason" in refused.context["problem"]
        assert Series.objects.get().protocol_version == 1

        desk.post(address(running), {**fields(refused), "outside_reason": "travels", "save": "1"})
        assert starts() == before
        assert Series.objects.get().protocol_version == 2
        assert [visit(n).outside_window_reason for n in (1, 2, 3)] == ["", "travels", "travels"]
        assert not Message.objects.exists()

    def test_without_the_right_to_decide_that_the_press_is_refused(self, running, desk, clinician):
        clinician.user_permissions.remove(Permission.objects.get(codename="override_window"))
        page = desk.post(address(running), {**fields(desk.get(address(running))), "following": "only", "look": "1"})

        refused = desk.post(address(running), {**fields(page), "outside_reason": "travels", "save": "1"})

        assert "Somebody who may decide" in refused.context["problem"]
        assert Series.objects.get().protocol_version == 1

    def test_what_was_not_seen_is_shown_before_it_is_done(self, running, desk):
        data = {**fields(desk.get(address(running))), "following": "unbook", "save": "1"}

        assert desk.post(address(running), data).status_code == 422
        assert Series.objects.get().protocol_version == 1
        assert len(starts()) == 3

    def test_shifting_is_not_among_the_choices(self, running, desk):
        page = desk.get(address(running))

        assert [value for value, _words in page.context["choices"]] == ["only", "replan", "unbook"]

    def test_attended_ones_and_one_that_has_begun_stay(self, running, desk, world):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        with time_machine.travel(at("2026-04-07 10:30"), tick=False):
            page = desk.get(address(running))
            answer = desk.post(address(running), {**fields(page), "outside_reason": "late", "save": "1"})

        assert answer.status_code == 302
        assert starts()[1] == "2026-03-03 10:00"
        assert starts()[2] == "2026-04-07 10:00"
        assert starts()[3] == "2026-04-21 10:00"

    def test_an_added_session_is_booked_with_the_others_where_it_is_asked_for(self, running, desk, world):
        change(world, **fixed(4))
        page = desk.post(address(running), {**fields(desk.get(address(running))), "open_too": "1", "look": "1"})
        assert words(page)[4] == "Inside its window"

        desk.post(address(running), {**fields(page), "open_too": "1", "save": "1"})

        assert starts()[4] == "2026-04-14 10:00"

    def test_a_time_taken_meanwhile_refuses_the_whole(self, running, desk, world):
        page = desk.get(address(running))
        for one in (0, 1):
            other = a_visit(world, "2026-03-17 10:00", who=one, where=one, pen=one)
            book(world, other, patient=world.a_patient())

        answer = desk.post(address(running), {**fields(page), "save": "1"})

        assert answer.status_code == 409
        assert Series.objects.get().protocol_version == 1
        assert starts()[3] == "2026-05-12 10:00"

    def test_a_course_that_has_changed_since_is_looked_at_again(self, running, desk, world, monkeypatch):
        """Somebody attends between what the press has read and its lock."""
        locked = ripple.lock_course

        def attended_first(pk):
            courses.skip(session=running.sessions.get(number=3), reason="Enough", by=world.desk, now=NOW)
            return locked(pk)

        booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
        monkeypatch.setattr(ripple, "lock_course", attended_first)

        with pytest.raises(NotMovable, match="changed meanwhile"):
            move(running, world.manager)


@pytest.mark.parametrize(("may", "there"), [(True, True), (False, False)], ids=["may move", "may not"])
def test_the_patients_page_leads_there_once_there_is_a_newer_version(may, there, series, world, clinician, client):
    client.force_login(clinician if may else world.desk)
    link, page = reverse("desk:series-version", args=[series.pk]), reverse("desk:patient", args=[series.patient_id])
    assert link not in client.get(page).content.decode()

    change(world, spacing_max=7)

    assert (link in client.get(page).content.decode()) is there
