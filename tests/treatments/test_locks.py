"""Of two who change one series, cycle or protocol at once, the second waits and decides by what the first left."""

from dataclasses import replace

import pytest
from dateutil.relativedelta import relativedelta

from tests.clinic.test_locks import beside
from tests.treatments.documents import FULL
from tests.world import NOW, TODAY
from treatments import library
from treatments.models import LibraryText, MaintenanceRule, Protocol, Series
from treatments.services import exchanging, moving, protocols, storing
from treatments.services import maintenance as cycles
from treatments.services import series as courses
from treatments.services.exchanging import ImportRefused, Way
from treatments.services.maintenance import MaintenanceNotPossible
from treatments.services.protocols import ProtocolNotChangeable
from treatments.services.series import SeriesNotPossible, SessionNotRecordable

pytestmark = pytest.mark.django_db(transaction=True)


def attend(series, number, world):
    return courses.attend(session=series.sessions.get(number=number), on=TODAY, by=world.desk, now=NOW)


def stop(series, world):
    return courses.stop(series=series, reason="moved away", by=world.desk, now=NOW)


@pytest.fixture
def series(world) -> Series:
    protocols.keep_before_change(protocol=world.protocol, now=NOW)
    return world.a_series()


def test_a_session_attended_in_that_moment_is_not_left_out(world, series):
    first = series.sessions.get(number=1)

    answer, _waited = beside(
        lambda: attend(series, 1, world),
        lambda: courses.skip(session=first, reason="ill", by=world.desk, now=NOW),
    )

    assert isinstance(answer, SessionNotRecordable)


def test_a_series_stopped_in_that_moment_gets_no_session_more(world, series):
    answer, _waited = beside(lambda: stop(series, world), lambda: courses.add(series=series, decision_note="Dr Osei"))

    assert isinstance(answer, SeriesNotPossible)
    assert series.sessions.count() == 3


@pytest.fixture
def cycle(world, series):
    """The first after a series that is complete."""
    for number in (1, 2, 3):
        attend(series, number, world)
    series.refresh_from_db()
    return series.maintenance.get()


def test_a_cycle_booked_in_that_moment_is_not_declined(world, cycle):
    answer, _waited = beside(
        lambda: cycles.mark_booked(cycle=cycle),
        lambda: cycles.decline(cycle=cycle, reason="no", by=world.desk, now=NOW),
    )

    assert isinstance(answer, MaintenanceNotPossible)


def test_a_cycle_booked_in_that_moment_keeps_its_series_complete(world, series, cycle):
    last = series.sessions.get(number=3)

    answer, _waited = beside(
        lambda: cycles.mark_booked(cycle=cycle), lambda: courses.undo(session=last, by=world.desk, now=NOW)
    )

    assert isinstance(answer, MaintenanceNotPossible)
    series.refresh_from_db()
    assert series.state == "completed"


def test_the_next_cycle_booked_in_that_moment_keeps_the_one_before_attended(world, cycle):
    following = cycles.attend(cycle=cycle, on=TODAY, by=world.desk, now=NOW)

    answer, _waited = beside(
        lambda: cycles.mark_booked(cycle=following),
        lambda: cycles.undo_attend(cycle=cycle, by=world.desk, now=NOW),
    )

    assert isinstance(answer, MaintenanceNotPossible)
    following.refresh_from_db()
    assert following.state == "booked"


def test_a_cycle_booked_in_that_moment_is_not_counted_anew(world, series, cycle):
    MaintenanceRule.objects.update(min=3)
    protocols.record_change(protocol=world.protocol, by=world.desk, now=NOW)

    beside(
        lambda: cycles.mark_booked(cycle=cycle),
        lambda: moving.move(series=Series.objects.get(), by=world.desk, now=NOW),
    )

    before = cycle.calculated_from
    cycle.refresh_from_db()
    assert (cycle.state, cycle.calculated_from) == ("booked", before)


def test_the_next_cycle_is_counted_by_the_rule_of_a_version_moved_to_in_that_moment(world, series, cycle):
    MaintenanceRule.objects.update(min=3)
    protocols.record_change(protocol=world.protocol, by=world.desk, now=NOW)

    following, _waited = beside(
        lambda: moving.move(series=Series.objects.get(), by=world.desk, now=NOW),
        lambda: cycles.attend(cycle=cycle, on=TODAY, by=world.desk, now=NOW),
    )

    assert following.calculated_from == TODAY + relativedelta(months=3)


@pytest.fixture
def protocol(world) -> Protocol:
    return protocols.publish(protocol=storing.create(FULL), by=world.desk, now=NOW)


def saying(minutes: int):
    """The protocol with other phases."""
    return replace(FULL, phases=tuple(replace(phase, minutes=minutes) for phase in FULL.phases))


def overwrite(protocol, minutes, world):
    return protocols.overwrite(protocol=protocol, said=saying(minutes), by=world.desk, now=NOW, origin="edited")


def test_one_change_of_a_protocol_is_one_version(world):
    def keep():
        return protocols.record_change(protocol=world.protocol, by=world.desk, now=NOW)

    assert beside(keep, keep) == (None, True)
    assert world.protocol.versions.count() == 1


def test_of_two_texts_of_a_protocol_the_second_holds_and_not_a_mixture(world, protocol):
    beside(lambda: overwrite(protocol, 50, world), lambda: overwrite(protocol, 60, world))

    assert storing.document(Protocol.objects.get(pk=protocol.pk)) == saying(60)
    assert list(protocol.versions.order_by("version").values_list("version", flat=True)) == [1, 2, 3]


def test_an_import_does_not_write_over_a_change_of_that_moment(world, protocol):
    said = saying(60)
    [entry] = exchanging.compared((said,))

    answer, _waited = beside(
        lambda: overwrite(protocol, 50, world),
        lambda: exchanging.take(
            said=(said,), ways={said.name: Way.CHANGE}, seen={said.name: entry.seen}, by=world.desk, now=NOW
        ),
    )

    assert isinstance(answer, ImportRefused)


def test_a_text_of_the_library_is_taken_over_or_passed_over_once(world):
    key, said = next(iter(library.templates().items()))
    protocol = storing.create(replace(said, evidence="older"), library_key=key)

    answer, _waited = beside(
        lambda: library.take_over(protocol=protocol, by=world.desk, now=NOW),
        lambda: library.pass_over(protocol=protocol, by=world.desk, now=NOW),
    )

    assert isinstance(answer, ProtocolNotChangeable)
    assert LibraryText.objects.get().taken
