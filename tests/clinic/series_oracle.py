"""The best plan of a small series, by trying every one: slow, plain, and written apart from the planner.

Time is aware datetimes here, a day is read from the wall clock of a zone, and what is busy is a list of pairs.
"""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import pairwise
from math import inf
from zoneinfo import ZoneInfo

from treatments.rules import Window

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)


@dataclass
class Someone:
    """A practitioner, room or device; busy and working are lists of (start, end) datetimes."""

    name: str
    busy: list = field(default_factory=list)
    working: list | None = None


@dataclass
class Case:
    zone: ZoneInfo
    opening: dict[date, list]
    practitioners: list[Someone]
    rooms: list[Someone]
    devices: dict[str, list[Someone]]
    patient: Someone
    first: Window
    spacing: tuple[int, int, int]
    unit: str
    visits: list[list[tuple]]
    step: int
    wished_practitioner: str | None = None
    weekdays: frozenset[int] = frozenset()
    earliest_time: int | None = None
    latest_time: int | None = None
    only: bool = False
    pinned: dict[int, tuple] = field(default_factory=dict)

    def window_after(self, day):
        earliest, ideal, latest = (day + days * DAY for days in self.spacing)
        return Window(earliest, ideal, latest)


@dataclass(frozen=True)
class Offer:
    day: date
    start: datetime
    who: int | None
    practitioner: str | None
    room: str | None
    devices: tuple[str, ...]
    off_weekday: bool = False
    off_time: bool = False


def five_outward(start, end):
    low = start - timedelta(minutes=start.minute % 5)
    return low, end + timedelta(minutes=-end.minute % 5)


def five_inward(start, end):
    return start + timedelta(minutes=-start.minute % 5), end - timedelta(minutes=end.minute % 5)


def free(someone, start, end):
    busy = any(start < until and since < end for since, until in (five_outward(*pair) for pair in someone.busy))
    return not busy and (someone.working is None or any(a <= start and end <= b for a, b in someone.working))


def offers(case, visit, day, limits=True):
    """All that could be had on a day."""
    found = []
    for opens, closes in case.opening.get(day, []):
        start, closes = five_inward(opens, closes)
        while start + sum(minutes for minutes, *_ in visit) * MINUTE <= closes:
            found += offers_at(case, visit, day, start)
            start += case.step * MINUTE
    if case.only and limits:
        found = [offer for offer in found if not offer.off_weekday and not offer.off_time]
    return found


def offers_at(case, visit, day, start):
    held = {"practitioner": [], "room": []}
    at = start
    for minutes, practitioner, room, kind in visit:
        until = at + minutes * MINUTE
        for name, takes in (("practitioner", practitioner), ("room", room), (kind, kind is not None)):
            if takes:
                held.setdefault(name, []).append((at, until))
        at = until
    if not free(case.patient, start, at):
        return []

    def able(someone, name):
        return all(free(someone, *stretch) for stretch in held[name])

    kinds = [name for name in held if name not in ("practitioner", "room")]
    rooms = [room.name for room in case.rooms if able(room, "room")]
    devices = [[device.name for device in case.devices.get(kind, []) if able(device, kind)] for kind in kinds]
    if (held["room"] and not rooms) or not all(devices):
        return []
    local = start.astimezone(case.zone)
    clock = local.hour * 60 + local.minute
    rest = {
        "room": rooms[0] if held["room"] else None,
        "devices": tuple(some[0] for some in devices),
        "off_weekday": bool(case.weekdays) and day.weekday() not in case.weekdays,
        "off_time": (case.earliest_time is not None and clock < case.earliest_time)
        or (case.latest_time is not None and clock > case.latest_time),
    }
    if not held["practitioner"]:
        return [Offer(day, start, None, None, **rest)]
    return [
        Offer(day, start, who, someone.name, **rest)
        for who, someone in enumerate(case.practitioners)
        if able(someone, "practitioner")
    ]


def beyond(case):
    """Sessions whose window opens after the horizon, if every session before has its ideal day."""
    found, window = set(), case.first
    for i in range(len(case.visits)):
        if i in case.pinned:
            window = case.window_after(case.pinned[i][0])
            continue
        if window.earliest > max(case.opening):
            found.add(i)
        window = case.window_after(window.ideal)
    return found


def every_plan(case):
    """Yield each plan as a list of (window, offer or None, possible offers)."""
    hopeless = beyond(case)
    by_day = [{day: offers(case, visit, day) for day in case.opening} for visit in case.visits]

    def follow(i, window, counted):
        if i == len(case.visits):
            yield []
            return
        if i in case.pinned:
            choices = [Offer(case.pinned[i][0], case.pinned[i][1], -1, *case.pinned[i][2:])]
        else:
            choices = [None]
            earlier = [pin[0] for j, pin in case.pinned.items() if j < i]
            later = [pin[0] for j, pin in case.pinned.items() if j > i]
            for day, found in by_day[i].items():
                in_order = all(day > other for other in [*earlier, *counted]) and all(day < other for other in later)
                if i not in hopeless and day in window and in_order:
                    choices += found
        for choice in choices:
            day = choice.day if choice else window.ideal
            for rest in follow(i + 1, case.window_after(day), [day]):
                yield [(window, choice), *rest]

    return follow(0, case.first, [])


def objective(case, plan):
    placed = [(i, window, offer) for i, (window, offer) in enumerate(plan) if offer]
    free = [(window, offer) for i, window, offer in placed if i not in case.pinned]
    days_off = [abs((offer.day - window.ideal).days) for _, window, offer in placed]
    seen = [offer.practitioner for _, _, offer in placed if offer.practitioner is not None]
    return (
        len(plan) - len(placed),
        sum(offer.day not in window for i, window, offer in placed if i in case.pinned),
        sum(days if case.unit == "day" else round(days / 7) for days in days_off),
        sum(
            offer.practitioner not in (None, case.wished_practitioner)
            for _, offer in free
            if case.wished_practitioner is not None
        ),
        sum(one != other for one, other in pairwise(seen)),
        sum(offer.off_weekday for _, offer in free),
        sum(offer.off_time for _, offer in free),
        sum(days_off),
        [offer.start.timestamp() if offer else inf for _, offer in plan],
        [-1 if offer is None or offer.who is None else offer.who for _, offer in plan],
    )


def best_plan(case):
    return min(every_plan(case), key=lambda plan: objective(case, plan))


def reason(case, i, window):
    if i in beyond(case) or window.earliest > max(case.opening):
        return "beyond"
    if window.latest < min(case.opening):
        return "past"
    days = [day for day in case.opening if day in window]
    if any(offers(case, case.visits[i], day) for day in days):
        return "later"
    return "wishes" if any(offers(case, case.visits[i], day, limits=False) for day in days) else "full"
