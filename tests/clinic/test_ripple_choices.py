"""Every kind of change with every choice for the sessions after it, done on one course.

Three choices are offered for each: only this one, plan the following again, leave unbooked what no longer fits. To
shift the following is offered for a move, a visit attended on another day, and other add-ons: these name a time.
Who cancels, misses, adds or drops a session or takes another version names none: there are no days to shift by.
"""

from datetime import date, time
from uuid import uuid4

import pytest

from clinic.models import Appointment
from clinic.services import booking, ripple, series_version, sessions
from clinic.services.ripple import Change, NeedsAnAnswer
from tests.clinic.test_ripple import carry_out, series, starts, to, visit  # noqa: F401
from tests.world import NOW, at
from treatments.models import Series
from treatments.services import protocols

pytestmark = pytest.mark.django_db

# As the fixture books them; the window of each is four to six weeks after the one before.
FIRST, SECOND, THIRD = "2026-03-03 10:00", "2026-04-07 10:00", "2026-05-12 10:00"
# The window of the second closes on 14 April.
TOO_LATE = at("2026-04-20 12:00")


def attend_the_first(world) -> None:
    booking.attend(appointment=visit(1), by=world.desk, now=at("2026-03-03 12:00"))


def move(world, decides, following):
    carry_out(2, to(2, "2026-04-15 10:00"), following, **decides)


def cancel(world, decides, following):
    attend_the_first(world)
    carry_out(2, Change(kind="cancel", reason="ill"), following, now=TOO_LATE, **decides)


def miss(world, decides, following):
    attend_the_first(world)
    carry_out(2, Change(kind="no_show"), following, now=TOO_LATE, **decides)


def forfeit(world, decides, following):
    attend_the_first(world)
    carry_out(2, Change(kind="no_show", forfeit=True), following, now=TOO_LATE, **decides)


def miss_where_the_terms_leave_it_open(world, decides, following):
    attend_the_first(world)
    with pytest.raises(NeedsAnAnswer, match="leave open"):
        ripple.missed(appointment=visit(2), by=world.manager, now=TOO_LATE)
    assert visit(2).status == "booked"
    carry_out(2, Change(kind="no_show"), following, now=TOO_LATE, **decides)


def attend_on_another_day(world, decides, following):
    then = ripple.place_then(ripple.scene_of(visit(1)), date(2026, 3, 16), time(9), practitioner=None, room=None)
    carry_out(1, Change(kind="attended", choice=then), following, now=at("2026-03-17 09:00"), **decides)


def take_another_version(world, decides, following):
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    world.protocol.spacing_min, world.protocol.spacing_ideal, world.protocol.spacing_max = 6, 7, 8
    world.protocol.save()
    protocols.record_change(protocol=world.protocol, by=world.manager, now=NOW)
    series_version.move(
        series=Series.objects.get(), version=2, site=world.site, following=following, now=NOW, key=uuid4(), **decides
    )


def add(world, decides, following):
    sessions.add(
        series=Series.objects.get(),
        number=4,
        site=world.site,
        decision_note="Dr Fourie",
        following=following,
        now=NOW,
        key=uuid4(),
        **decides,
    )


def drop(world, decides, following):
    attend_the_first(world)
    second = visit(2).session
    now = at("2026-03-04 09:00")
    sessions.drop(
        session=second, reason="Enough", site=world.site, following=following, now=now, key=uuid4(), **decides
    )


MISSED = [("only", {3: THIRD}, []), ("replan", {2: "2026-04-21 10:00", 3: "2026-05-26 10:00"}, [2]), ("unbook", {}, [])]
TABLE = {
    # Eight days later: the third is a day too early then, as the second itself is a day too late.
    move: [
        ("only", {2: "2026-04-15 10:00", 3: THIRD}, [2, 3]),
        ("shift", {2: "2026-04-15 10:00", 3: "2026-05-20 10:00"}, [2]),
        ("replan", {2: "2026-04-15 10:00", 3: "2026-05-20 10:00"}, [2]),
        ("unbook", {2: "2026-04-15 10:00"}, [2]),
    ],
    # What stays is outside only once the second has a day again.
    cancel: MISSED,
    miss: MISSED,
    miss_where_the_terms_leave_it_open: MISSED,
    # The third counts from the first then, whose six weeks are over.
    forfeit: [("only", {3: THIRD}, [3]), ("replan", {3: "2026-04-21 10:00"}, [3]), ("unbook", {}, [])],
    # Thirteen days late: the second is too early. Without it the third still has room.
    attend_on_another_day: [
        ("only", {1: "2026-03-16 09:00", 2: SECOND, 3: THIRD}, [2]),
        ("shift", {1: "2026-03-16 09:00", 2: "2026-04-20 10:00", 3: "2026-05-25 10:00"}, []),
        ("replan", {1: "2026-03-16 09:00", 2: "2026-04-20 09:00", 3: "2026-05-25 09:00"}, []),
        ("unbook", {1: "2026-03-16 09:00", 3: THIRD}, []),
    ],
    take_another_version: [
        ("only", {2: SECOND, 3: THIRD}, [2, 3]),
        ("replan", {2: "2026-04-21 10:00", 3: "2026-06-09 10:00"}, []),
        ("unbook", {}, []),
    ],
    # Nothing comes after it, so that nothing can be left unbooked but itself.
    add: [
        ("only", {2: SECOND, 3: THIRD}, []),
        ("replan", {2: SECOND, 3: THIRD, 4: "2026-06-16 10:00"}, []),
        ("unbook", {2: SECOND, 3: THIRD}, []),
    ],
    drop: [("only", {3: THIRD}, [3]), ("replan", {3: SECOND}, []), ("unbook", {}, [])],
}


@pytest.mark.parametrize(
    ("change", "following", "expected", "outside"),
    [pytest.param(change, *row, id=f"{change.__name__}-{row[0]}") for change, rows in TABLE.items() for row in rows],
)
def test_what_becomes_of_the_course(world, series, change, following, expected, outside):  # noqa: F811
    """`expected` are the starts, of the first where it has another; `outside` what somebody had to decide on."""
    change(world, {"by": world.manager, "outside_reason": "travelling"}, following)

    assert starts() == {1: FIRST} | expected
    decided = Appointment.objects.live().filter(outside_window_reason="travelling", outside_window_by=world.manager)
    assert sorted(decided.values_list("session__number", flat=True)) == outside


@pytest.mark.parametrize("kind", ["cancel", "no_show", "drop", "add", "terms"])
def test_nothing_is_shifted_where_there_is_no_time_to_shift_by(kind):
    assert Change(kind=kind).offers == ("only", "replan", "unbook")
