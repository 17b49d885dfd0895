"""What a change of one visit does to the later ones: foreseen, chosen, and done as a whole."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, time, timedelta
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinic import walltime
from clinic.models import Appointment, Claim, Closure, Message
from clinic.ripple import effects, in_order, released, stands
from clinic.services import booking, course, outbox, ripple, sessions
from clinic.services.booking import NotBookable, NotChangeable, TimeTaken
from clinic.services.course import Order, OutsideWindow
from clinic.services.ripple import Change, NotPossible
from tests.clinic.test_booking import a_visit
from tests.world import LONDON, NOW, TODAY, at
from treatments import rules
from treatments.models import Series
from treatments.services import series as courses
from treatments.terms import Spacing

WEEKS = Spacing(4, 5, 6, "week")
MONDAY = date(2026, 3, 2)


def after(spacing=WEEKS):
    return lambda day: rules.window_after(spacing, day)


def week(n: int) -> date:
    return MONDAY + timedelta(weeks=n)


def standing(days, *, anchor=None, today=MONDAY):
    return stands(days, anchor=anchor, window_after=after(), today=today)


# --- The pure part ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "anchor", "places"),
    [
        pytest.param({1: week(0), 2: week(5)}, None, ["inside", "inside"], id="the first has no window"),
        pytest.param({2: week(4), 3: week(10)}, week(0), ["inside", "inside"], id="both ends belong to it"),
        pytest.param({2: week(4) - timedelta(days=1)}, week(0), ["early"], id="a day too early"),
        pytest.param({2: week(6) + timedelta(days=1)}, week(0), ["late"], id="a day too late"),
        pytest.param({2: None, 3: week(8)}, week(0), ["unplaced", "inside"], id="the one before can still be early"),
        pytest.param({2: None, 3: week(7)}, week(0), ["unplaced", "early"], id="too early whatever becomes of it"),
        pytest.param({2: None, 3: week(13)}, week(0), ["unplaced", "late"], id="too late whatever becomes of it"),
        pytest.param({1: None, 2: week(1)}, None, ["unplaced", "inside"], id="after one that nothing dates"),
    ],
)
def test_where_each_session_stands(days, anchor, places):
    assert [stand.place for stand in standing(days, anchor=anchor)] == places


def test_what_is_not_placed_yet_is_not_placed_before_today():
    # In week 5 the second session can be in week 5 or 6, and the third four weeks later at the earliest.
    found = standing({2: None, 3: week(8)}, anchor=week(0), today=week(5))

    assert [stand.place for stand in found] == ["unplaced", "early"]
    assert not found[1].breaks


def test_a_window_that_counts_from_a_guess_does_not_break():
    firm, guessed = standing({2: week(9)}, anchor=week(0)), standing({2: None, 3: week(20)}, anchor=week(0))

    assert firm[0].breaks
    assert not guessed[1].breaks


def test_the_effect_on_each_later_session_is_named():
    before = standing({2: week(5), 3: week(10), 4: week(15), 5: week(20), 6: None}, anchor=week(0))
    changed = standing({2: week(6), 3: week(10), 4: week(16), 5: None, 6: None}, anchor=week(0))

    found = effects(before, changed, since=3)

    assert [effect.change for effect in found] == ["unchanged", "inside", "unplaced", "unplaced"]


def test_those_that_no_longer_fit_are_released_and_no_others():
    days = {2: week(6), 3: week(9), 4: week(14), 5: week(30)}

    assert released(days, since=2, anchor=week(0), window_after=after(), today=MONDAY) == (3, 5)


@pytest.mark.parametrize(
    ("days", "anchor", "ordered"),
    [
        pytest.param({2: week(1), 3: week(2)}, week(0), True, id="one after the other"),
        pytest.param({2: week(2), 3: week(2)}, None, False, id="two on one day"),
        pytest.param({2: week(3), 3: None, 4: week(2)}, None, False, id="the wrong way round"),
        pytest.param({2: week(0)}, week(0), False, id="on the day of the one attended"),
    ],
)
def test_sessions_follow_one_another(days, anchor, ordered):
    assert in_order(days, anchor=anchor) is ordered


def _ways(numbers, days, day, spacing, today) -> Iterator[tuple]:
    """Every way to place the sessions without a day inside their windows: by trying all days."""
    if not numbers:
        yield ()
        return
    number, *rest = numbers
    window = rules.window_after(spacing, day)
    if days[number] is not None:
        for tail in _ways(rest, days, days[number], spacing, today):
            yield (days[number] in window, *tail)
        return
    first, last = max(window.earliest, today), max(window.latest, today)
    for offset in range((last - first).days + 1):
        for tail in _ways(rest, days, first + timedelta(days=offset), spacing, today):
            yield (True, *tail)


@given(
    gaps=st.lists(st.one_of(st.none(), st.integers(1, 12)), min_size=1, max_size=4),
    least=st.integers(1, 4),
    more=st.integers(0, 3),
    passed=st.integers(0, 12),
)
def test_a_session_is_outside_exactly_where_no_way_to_place_those_before_lets_it_be_inside(gaps, least, more, passed):
    spacing = Spacing(least, None, least + more, "day")
    days, day = {}, MONDAY
    for number, gap in enumerate(gaps, start=2):
        day += timedelta(days=gap or least)
        days[number] = None if gap is None else day
    today = MONDAY + timedelta(days=passed)

    found = stands(days, anchor=MONDAY, window_after=after(spacing), today=today)

    ways = list(_ways(list(days), days, MONDAY, spacing, today))
    for place, stand in enumerate(found):
        possible = any(way[place] for way in ways)
        assert (stand.place in ("early", "late")) is not possible


# --- Looked at and done -----------------------------------------------------------------------


@pytest.fixture
def series(world) -> Series:
    """Sessions on Tue 3 Mar, 7 Apr and 12 May at 10:00, five weeks apart, each the ideal day after the one before."""
    left = course.new_course(patient=world.patient, choice=world.choice())
    order = Order(site=world.site, first_day=date(2026, 3, 3))
    proposal = course.propose(course=left, order=order, now=NOW)
    pinned = {}
    for number, day in enumerate([date(2026, 3, 3), date(2026, 4, 7), date(2026, 5, 12)], start=1):
        pinned[number] = course.choice_at(proposal, number, day, time(10))
    order = replace(order, pinned=pinned)
    return course.book_new(
        patient=world.patient, choice=world.choice(), order=order, by=world.desk, now=NOW, key=uuid4()
    )


def visit(number: int) -> Appointment:
    return Appointment.objects.live().select_related("session", "site", "patient").get(session__number=number)


def to(number: int, when: str, *, now=NOW) -> Change:
    """A move of that session to a time on the site's clock."""
    moment = at(when).astimezone(LONDON)
    proposal = ripple.options(ripple.scene_of(visit(number)), now=now, until=moment.date())
    return Change(kind="move", choice=course.choice_at(proposal, number, moment.date(), moment.time()))


def carry_out(number: int, change: Change, following="only", *, by, now=NOW, **values):
    return ripple.carry_out(
        appointment=visit(number), change=change, following=following, by=by, now=now, key=uuid4(), **values
    )


def starts() -> dict[int, str]:
    live = Appointment.objects.live().filter(session__isnull=False).select_related("session")
    return {a.session.number: f"{a.starts_at.astimezone(LONDON):%Y-%m-%d %H:%M}" for a in live}


def changes(outlook) -> dict[int, str]:
    return {effect.number: effect.change for effect in outlook.later}


@pytest.mark.django_db
class TestLooking:
    @pytest.mark.parametrize(
        ("when", "following", "expected"),
        [
            pytest.param("2026-04-09 10:00", "only", {3: "unchanged"}, id="two days: the next is still inside"),
            pytest.param("2026-04-14 10:00", "only", {3: "unchanged"}, id="a week: just inside"),
            pytest.param("2026-03-31 10:00", "only", {3: "unchanged"}, id="a week earlier: just inside"),
            pytest.param("2026-04-15 10:00", "only", {3: "early"}, id="eight days: too early"),
            pytest.param("2026-03-30 10:00", "only", {3: "late"}, id="eight days earlier: too late"),
            pytest.param("2026-04-15 10:00", "shift", {3: "inside"}, id="shifted along"),
            pytest.param("2026-04-15 10:00", "replan", {3: "inside"}, id="planned again"),
            pytest.param("2026-04-15 10:00", "unbook", {3: "unplaced"}, id="left unbooked"),
            pytest.param("2026-04-09 10:00", "unbook", {3: "unchanged"}, id="what still fits stays booked"),
        ],
    )
    def test_what_becomes_of_the_later_sessions(self, series, when, following, expected):
        change = to(2, when)

        assert changes(ripple.look(ripple.scene_of(visit(2)), change, following, now=NOW)) == expected

    def test_nothing_is_stored_by_looking(self, series):
        before = starts()
        ripple.look(ripple.scene_of(visit(2)), to(2, "2026-04-15 10:00"), "replan", now=NOW)

        assert starts() == before

    def test_shifting_keeps_days_time_of_day_and_practitioner(self, series):
        outlook = ripple.look(ripple.scene_of(visit(2)), to(2, "2026-04-15 14:00"), "shift", now=NOW)

        third = outlook.after.booked[3]
        assert walltime.from_minutes(third.start) == at("2026-05-20 10:00")
        assert third.practitioner == visit(3).practitioner_id

    def test_what_cannot_be_shifted_is_told(self, series):
        outlook = ripple.look(ripple.scene_of(visit(2)), to(2, "2026-04-10 10:00"), "shift", now=NOW)
        assert outlook.impossible == ()

        Closure.objects.create(
            site=visit(2).site, starts_at=at("2026-05-15 00:00"), ends_at=at("2026-05-16 00:00"), reason="Training"
        )
        outlook = ripple.look(ripple.scene_of(visit(2)), to(2, "2026-04-10 10:00"), "shift", now=NOW)

        assert outlook.impossible == (3,)

    def test_a_missed_session_leaves_the_next_too_early_once_it_cannot_be_repeated_in_time(self, series):
        missed = Change(kind="no_show")
        scene = ripple.scene_of(visit(2))

        early = ripple.look(scene, missed, "only", now=at("2026-04-07 12:00"))
        late = ripple.look(scene, missed, "only", now=at("2026-04-20 12:00"))

        assert changes(early) == {3: "inside"} or changes(early) == {3: "unchanged"}
        assert changes(late) == {3: "early"}

    def test_a_forfeited_session_makes_the_next_count_from_the_one_before(self, series):
        outlook = ripple.look(
            ripple.scene_of(visit(2)), Change(kind="no_show", forfeit=True), "only", now=at("2026-04-07 12:00")
        )

        assert changes(outlook) == {3: "late"}
        assert outlook.outside == (3,)

    def test_other_terms_are_tried_on_the_course_as_it_stands(self, world, series):
        terms = series.terms.with_spacing(Spacing(2, None, 3, "week"))
        scene = ripple.scene_of_session(series.sessions.get(number=1), site=world.site)

        outlook = ripple.look(scene, Change(kind="terms", terms=terms), "only", now=NOW)

        assert changes(outlook) == {2: "late", 3: "late"}

    @pytest.mark.parametrize("following", ["only", "replan", "unbook"])
    def test_a_single_visit_has_nothing_to_follow(self, world, following):
        alone = booking.book(patient=world.patient, visit=a_visit(world), by=world.desk, now=NOW, key=uuid4())

        scene = ripple.scene_of(alone)
        outlook = ripple.look(scene, Change(kind="cancel", reason="ill"), following, now=NOW)

        assert (outlook.later, outlook.placed) == ((), ())
        assert len(ripple.options(scene, now=NOW).alternatives(1, count=5)) == 5


@pytest.mark.django_db
class TestDoing:
    def test_only_this_one(self, world, series):
        carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)

        assert starts() == {1: "2026-03-03 10:00", 2: "2026-04-09 11:00", 3: "2026-05-12 10:00"}
        assert Claim.objects.count() == 9

    def test_the_following_are_shifted_along(self, world, series):
        carry_out(1, to(1, "2026-03-05 10:00"), "shift", by=world.desk)

        assert starts() == {1: "2026-03-05 10:00", 2: "2026-04-09 10:00", 3: "2026-05-14 10:00"}

    def test_shifting_by_a_whole_gap_passes_over_the_patients_own_visits(self, world, series):
        carry_out(1, to(1, "2026-04-07 10:00"), "shift", by=world.desk)

        assert starts() == {1: "2026-04-07 10:00", 2: "2026-05-12 10:00", 3: "2026-06-16 10:00"}

    def test_the_following_are_planned_again(self, world, series):
        carry_out(2, to(2, "2026-04-15 10:00"), "replan", by=world.manager, outside_reason="travelling")

        third = visit(3)
        assert timedelta(days=28) <= third.starts_at - visit(2).starts_at <= timedelta(days=43)
        assert third.practitioner == visit(2).practitioner

    def test_what_no_longer_fits_is_left_unbooked_with_the_reason(self, world, series):
        third = visit(3)
        carry_out(2, to(2, "2026-04-15 10:00"), "unbook", by=world.manager, outside_reason="travelling")

        third.refresh_from_db()
        assert (third.status, third.cancel_reason) == ("cancelled", "No longer fits after a change of session 2")
        assert third.session.state == "planned"

    def test_outside_the_window_needs_the_right_and_a_reason(self, world, series):
        change = to(2, "2026-04-15 10:00")
        with pytest.raises(OutsideWindow, match="may decide"):
            carry_out(2, change, by=world.desk, outside_reason="travelling")
        with pytest.raises(OutsideWindow, match="Note the reason") as refusal:
            carry_out(2, change, by=world.manager)
        assert refusal.value.numbers == (2, 3)
        carry_out(2, change, by=world.manager, outside_reason="travelling")

        kept = Appointment.objects.values_list("session__number", "outside_window_reason", "outside_window_by")
        assert sorted(kept) == [
            (1, "", None),
            (2, "travelling", world.manager.pk),
            (3, "travelling", world.manager.pk),
        ]

    def test_what_was_decided_before_is_not_asked_again(self, world, series):
        carry_out(3, to(3, "2026-06-01 10:00"), by=world.manager, outside_reason="travelling")

        carry_out(2, to(2, "2026-04-08 10:00"), by=world.desk)

        assert visit(3).outside_window_reason == "travelling"

    def test_another_hour_of_the_day_that_was_decided_on_is_not_asked_of_again(self, world, series):
        carry_out(3, to(3, "2026-06-01 10:00"), by=world.manager, outside_reason="travelling")

        carry_out(3, to(3, "2026-06-01 14:00"), by=world.desk)

        assert starts()[3] == "2026-06-01 14:00"
        assert (visit(3).outside_window_reason, visit(3).outside_window_by) == ("travelling", world.manager)

    def test_what_lies_inside_its_window_again_is_not_called_outside_any_more(self, world, series):
        carry_out(2, to(2, "2026-04-15 10:00"), by=world.manager, outside_reason="travelling")
        assert visit(3).outside_window_reason == "travelling"

        carry_out(2, to(2, "2026-04-08 10:00"), by=world.desk)

        assert (visit(3).outside_window_reason, visit(3).outside_window_by) == ("", None)

    def test_one_lost_time_refuses_the_whole(self, world, series):
        change = to(2, "2026-04-15 10:00")
        shown = ripple.look(ripple.scene_of(visit(2)), change, "shift", now=NOW)
        before = starts()
        for n in range(2):
            rival = a_visit(world, "2026-05-20 10:00", who=n, where=n, pen=n)
            booking.book(patient=world.a_patient(), visit=rival, by=world.desk, now=NOW, key=uuid4())

        with pytest.raises(TimeTaken) as refusal:
            carry_out(2, change, "shift", by=world.manager, outside_reason="x", picks=shown.after.booked)

        assert refusal.value.lost == (3,)
        assert starts() == before

    def test_a_shift_that_is_not_possible_is_refused(self, world, series):
        with pytest.raises(NotPossible) as refusal:
            # By two days: the third would be on a Saturday.
            carry_out(2, to(2, "2026-04-10 10:00"), "shift", by=world.desk, now=_closed_on(world, "2026-05-15"))

        assert refusal.value.numbers == (3,)

    def test_the_others_are_shifted_and_what_is_not_free_is_left_to_book(self, world, series):
        _closed_on(world, "2026-05-14")
        outlook = ripple.look(ripple.scene_of(visit(1)), to(1, "2026-03-05 10:00"), "shift_unbook", now=NOW)
        assert (outlook.stuck, outlook.impossible, outlook.released) == ((3,), (), (3,))

        carry_out(1, outlook.change, "shift_unbook", by=world.desk)

        assert starts() == {1: "2026-03-05 10:00", 2: "2026-04-09 10:00"}
        gone = Appointment.objects.get(session__number=3)
        assert gone.cancel_reason == "No longer fits after a change of session 1"
        assert gone.session.state == "planned"

    def test_the_others_are_shifted_and_what_is_not_free_is_planned_again(self, world, series):
        _closed_on(world, "2026-05-14")

        carry_out(1, to(1, "2026-03-05 10:00"), "shift_replan", by=world.desk)

        assert {n: start for n, start in starts().items() if n < 3} == {1: "2026-03-05 10:00", 2: "2026-04-09 10:00"}
        third = walltime.day_of(visit(3).starts_at, LONDON)
        assert date(2026, 5, 7) <= third <= date(2026, 5, 21)
        assert third != date(2026, 5, 14)

    @pytest.mark.parametrize("following", ["shift_unbook", "shift_replan"])
    def test_where_everything_is_free_both_do_what_shifting_does(self, world, series, following):
        carry_out(1, to(1, "2026-03-05 10:00"), following, by=world.desk)

        assert starts() == {1: "2026-03-05 10:00", 2: "2026-04-09 10:00", 3: "2026-05-14 10:00"}

    def test_what_was_to_book_is_planned_with_the_others_only_where_that_is_asked_for(self, world, series):
        booking.cancel(appointment=visit(3), reason="ill", by=world.desk, now=NOW)
        scene, change = ripple.scene_of(visit(1)), to(1, "2026-03-05 10:00")

        only_booked = ripple.look(scene, change, "replan", now=NOW)
        all_of_it = ripple.look(scene, change, "replan", now=NOW, open_too=True)

        assert (sorted(only_booked.after.booked), only_booked.placed) == ([1, 2], ())
        assert (sorted(all_of_it.after.booked), all_of_it.placed) == ([1, 2, 3], (3,))

    def test_sessions_stay_in_their_order(self, world, series):
        with pytest.raises(NotBookable, match="follow one another"):
            carry_out(2, to(2, "2026-05-13 10:00"), by=world.manager, outside_reason="x")

    def test_ten_presses_move_once(self, world, series):
        change, key, second = to(2, "2026-04-09 11:00"), uuid4(), visit(2)
        for _press in range(10):
            ripple.carry_out(appointment=second, change=change, by=world.desk, now=NOW, key=key)

        second.refresh_from_db()
        assert second.sequence == 1

    def test_attended_sessions_do_not_move(self, world, series):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        with pytest.raises(NotChangeable):
            carry_out(1, to_anywhere(world), by=world.manager, outside_reason="x", now=at("2026-03-04 09:00"))

    def test_a_no_show_is_repeated_and_the_following_planned_again(self, world, series):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        missed = visit(2)
        now = at("2026-04-07 12:00")

        carry_out(2, Change(kind="no_show"), "replan", by=world.desk, now=now)

        missed.refresh_from_db()
        assert missed.status == "no_show"
        # Not on the day itself, though Ada is free: the patient does not come on it.
        assert visit(2).starts_at >= at("2026-04-08 00:00")
        assert timedelta(days=27) <= visit(3).starts_at - visit(2).starts_at <= timedelta(days=43)

    def test_a_cancelled_visit_planned_again_does_not_come_back_to_the_time_it_gives_up(self, world, series):
        had = visit(2).starts_at

        outlook = ripple.look(ripple.scene_of(visit(2)), Change(kind="cancel", reason="ill"), "replan", now=NOW)

        assert walltime.from_minutes(outlook.after.booked[2].start) >= had + timedelta(hours=12)

    def test_a_forfeited_session_is_skipped_and_what_follows_is_decided(self, world, series):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))
        forfeit = Change(kind="no_show", forfeit=True)
        with pytest.raises(OutsideWindow):
            carry_out(2, forfeit, by=world.desk, now=at("2026-04-07 12:00"))

        carry_out(2, forfeit, "unbook", by=world.desk, now=at("2026-04-07 12:00"))

        assert list(series.sessions.values_list("number", "state")) == [
            (1, "attended"),
            (2, "skipped"),
            (3, "planned"),
        ]
        assert starts() == {1: "2026-03-03 10:00"}

    def test_attended_on_another_day_moves_the_visit_there_and_the_windows_with_it(self, world, series):
        scene = ripple.scene_of(visit(1))
        on = ripple.place_then(scene, date(2026, 3, 16), time(9), practitioner=None, room=None)
        change = Change(kind="attended", choice=on)
        now = at("2026-03-17 09:00")
        assert changes(ripple.look(scene, change, "only", now=now)) == {2: "early", 3: "unchanged"}

        carry_out(1, change, "replan", by=world.desk, now=now)

        first = series.sessions.get(number=1)
        assert (first.state, first.attended_on) == ("attended", date(2026, 3, 16))
        assert visit(1).status == "fulfilled"
        assert date(2026, 4, 13) <= walltime.day_of(visit(2).starts_at, LONDON) <= date(2026, 4, 27)

    def test_nothing_is_attended_on_a_day_to_come(self, world, series):
        scene = ripple.scene_of(visit(1))
        on = ripple.place_then(scene, date(2026, 3, 5), time(10), practitioner=None, room=None)
        with pytest.raises(NotChangeable, match="still ahead"):
            carry_out(1, Change(kind="attended", choice=on), by=world.desk, now=at("2026-03-04 12:00"))

    def test_nor_at_a_time_to_come_of_the_same_day(self, world, series):
        on = ripple.place_then(ripple.scene_of(visit(1)), date(2026, 3, 3), time(17, 15), practitioner=None, room=None)
        with pytest.raises(NotChangeable, match="still ahead"):
            carry_out(1, Change(kind="attended", choice=on), by=world.desk, now=at("2026-03-03 14:31"))

    def test_a_session_is_dropped_and_the_following_planned_again(self, world, series):
        booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))

        sessions.drop(
            session=series.sessions.get(number=2),
            reason="Enough after five",
            site=world.site,
            following="replan",
            by=world.desk,
            now=at("2026-03-04 09:00"),
            key=uuid4(),
        )

        assert series.sessions.get(number=2).state == "skipped"
        assert date(2026, 3, 31) <= walltime.day_of(visit(3).starts_at, LONDON) <= date(2026, 4, 14)

    def test_a_session_is_added_and_planned_after_the_last(self, world, series):
        sessions.add(
            series=series,
            number=4,
            site=world.site,
            decision_note="Dr Fourie",
            following="replan",
            by=world.desk,
            now=NOW,
            key=uuid4(),
        )

        assert date(2026, 6, 9) <= walltime.day_of(visit(4).starts_at, LONDON) <= date(2026, 6, 23)
        assert starts()[3] == "2026-05-12 10:00"


@pytest.mark.django_db
class TestTelling:
    @pytest.fixture(autouse=True)
    def _nothing_said_yet(self, series):
        Message.objects.all().delete()

    def said(self) -> list[tuple]:
        return [(m.kind, m.series_id is not None, m.not_before - m.owed_at) for m in Message.objects.all()]

    def test_one_visit_is_one_notice_five_minutes_later(self, world):
        carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)

        assert self.said() == [("change", False, timedelta(minutes=5))]

    def test_a_cancellation_names_the_time_that_the_patient_knows(self, world, mailoutbox):
        carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)
        carry_out(2, Change(kind="cancel", reason="ill"), by=world.desk)
        outbox.run(now=NOW + timedelta(minutes=6))

        assert [mail.subject for mail in mailoutbox] == ["Harbour: your visit on Tue 7 Apr 2026, 10:00 is cancelled"]

    def test_a_visit_that_is_booked_again_at_its_time_is_not_said_to_be_cancelled(self, world, mailoutbox):
        gone = visit(2)
        carry_out(2, Change(kind="cancel", reason="ill"), by=world.desk)
        again = a_visit(world, "2026-04-07 10:00", session=gone.session)
        booking.book(patient=world.patient, visit=again, by=world.desk, now=NOW, key=uuid4())
        outbox.run(now=NOW + timedelta(minutes=6))

        assert [mail.subject for mail in mailoutbox] == ["Harbour: your visit on Tue 7 Apr 2026, 10:00 is booked"]

    def test_and_that_of_the_visit_that_was_given_up_for_it(self, world, mailoutbox):
        carry_out(2, Change(kind="cancel", reason="ill"), "replan", by=world.desk)
        carry_out(2, Change(kind="cancel", reason="ill"), by=world.desk)
        outbox.run(now=NOW + timedelta(minutes=6))

        assert [mail.subject for mail in mailoutbox] == ["Harbour: your visit on Tue 7 Apr 2026, 10:00 is cancelled"]

    def test_a_cancellation_names_the_new_time_once_that_was_told(self, world, mailoutbox):
        carry_out(2, to(2, "2026-04-09 11:00"), by=world.desk)
        outbox.run(now=NOW + timedelta(minutes=6))
        carry_out(2, Change(kind="cancel", reason="ill"), by=world.desk, now=NOW + timedelta(minutes=7))
        outbox.run(now=NOW + timedelta(minutes=13))

        assert "Thu 9 Apr 2026, 11:00 is cancelled" in mailoutbox[-1].subject

    def test_several_visits_are_one_message(self, world):
        carry_out(1, to(1, "2026-03-05 10:00"), "shift", by=world.desk)

        assert self.said() == [("change", True, timedelta(minutes=5))]

    def test_a_dropped_session_is_one_cancellation(self, world, series):
        last = series.sessions.get(number=3)
        sessions.drop(session=last, reason="Enough", site=world.site, by=world.desk, now=NOW, key=uuid4())

        assert self.said() == [("cancellation", False, timedelta(minutes=5))]

    def test_an_added_session_is_one_confirmation(self, world, series):
        who = {"decision_note": "Dr Fourie", "by": world.desk}
        sessions.add(series=series, number=4, site=world.site, now=NOW, key=uuid4(), **who)

        assert self.said() == [("confirmation", False, timedelta(minutes=5))]

    def test_of_two_visits_given_up_the_one_that_is_left_is_not_said_to_have_moved(self, world, series, smtp_server):
        _closed_on(world, "2026-05-14")
        sessions.drop(
            session=series.sessions.get(number=1),
            reason="Two are enough",
            site=world.site,
            following="only",
            by=world.desk,
            now=NOW,
            key=uuid4(),
        )
        carry_out(2, Change(kind="cancel", reason="ill"), by=world.desk)
        Message.objects.all().delete()
        outbox.owe_series_change(series=series, counts_from="both", now=NOW)
        outbox.run(now=NOW + timedelta(minutes=6))

        text = smtp_server.received[-1].get_content()
        assert "This one is booked now:" in text
        assert "has moved" not in text

    def test_it_says_what_is_booked_then(self, world, settings):
        carry_out(2, to(2, "2026-04-15 10:00"), "unbook", by=world.manager, outside_reason="x")
        outbox.run(now=NOW + timedelta(minutes=6))

        assert Message.objects.get(kind="change").state == "sent"

    def test_nothing_is_told_where_the_desk_does_it(self, world):
        carry_out(1, to(1, "2026-03-05 10:00"), "shift", by=world.desk, tell=False)

        assert self.said() == []


def test_nothing_is_booked_of_a_series_that_was_stopped(world, series):
    for number in (2, 3):
        booking.cancel(appointment=visit(number), reason="moved away", by=world.desk, now=NOW)
    courses.stop(series=series, reason="moved away", by=world.desk, now=NOW)
    missed = at("2026-03-03 12:00")

    with pytest.raises(NotBookable, match="Nothing is left to book"):
        carry_out(1, Change(kind="no_show"), "replan", by=world.desk, now=missed)

    carry_out(1, Change(kind="no_show"), by=world.desk, now=missed)
    assert not Appointment.objects.live().exists()


def _closed_on(world, day: str):
    Closure.objects.create(
        site=world.site,
        starts_at=at(f"{day} 00:00"),
        ends_at=at(f"{day} 00:00") + timedelta(days=1),
        reason="Training",
    )
    return NOW


def to_anywhere(world) -> Change:
    day = TODAY + timedelta(days=3)
    start = walltime.to_minutes(at(f"{day} 10:00"))
    room, pen = world.rooms[0].pk, world.pens[0].pk
    return Change(kind="move", choice=course.Choice(day, start, world.practitioners[0].pk, room, (pen,)))
