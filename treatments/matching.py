"""Which override fits a case, and which two contradict each other. Pure: values in, values out."""

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from itertools import combinations, pairwise, product


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What is known of a patient; None where it is not known."""

    concern: Hashable | None = None
    severity: str | None = None
    area: str | None = None
    depth_mm: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """When an override applies: all that it names must hold, and one that names nothing never applies.

    Any of the concerns will do. Both ends of the depth are included, and either may be open.
    """

    concerns: frozenset[Hashable] = frozenset()
    severity: str = ""
    area: str = ""
    depth_min_mm: Decimal | None = None
    depth_max_mm: Decimal | None = None

    @property
    def named(self) -> frozenset[str]:
        """The kinds of condition that are named; how many decides between overrides that fit."""
        depth = self.depth_min_mm is not None or self.depth_max_mm is not None
        kinds = {"concerns": self.concerns, "severity": self.severity, "area": self.area, "depth": depth}
        return frozenset(kind for kind, value in kinds.items() if value)

    def fit(self, case: Case) -> bool:
        named = self.named
        return (
            bool(named)
            and ("concerns" not in named or case.concern in self.concerns)
            and ("severity" not in named or case.severity == self.severity)
            and ("area" not in named or case.area == self.area)
            and ("depth" not in named or self._reach(case.depth_mm))
        )

    def _reach(self, depth: Decimal | None) -> bool:
        if depth is None:
            return False
        return (self.depth_min_mm is None or self.depth_min_mm <= depth) and (
            self.depth_max_mm is None or depth <= self.depth_max_mm
        )


def best(conditions: Sequence[Conditions], case: Case) -> list[int]:
    """The places of those that fit and name most; more than one is a contradiction."""
    fitting = [i for i, each in enumerate(conditions) if each.fit(case)]
    most = max((len(conditions[i].named) for i in fitting), default=0)
    return [i for i in fitting if len(conditions[i].named) == most]


@dataclass(frozen=True, slots=True)
class Clash:
    """Two overrides, by place, that fit `case` equally well.

    `alike`: they name the same kinds of condition, so that no third override could come between them. Where they name
    different kinds, such as a concern and an area, only who has both is in doubt.
    """

    first: int
    second: int
    case: Case
    alike: bool


def clashes(conditions: Sequence[Conditions]) -> list[Clash]:
    """Every pair that fits some case equally well, with no more specific one that settles it; one case a pair."""
    found = []
    for first, second in combinations(range(len(conditions)), 2):
        a, b = conditions[first], conditions[second]
        if len(a.named) != len(b.named):
            continue
        for case in _shared(a, b, conditions):
            if {first, second} <= set(best(conditions, case)):
                found.append(Clash(first, second, case, alike=a.named == b.named))
                break
    return found


def _shared(a: Conditions, b: Conditions, others: Sequence[Conditions]) -> Iterator[Case]:
    """Cases that both fit, and that say no more than the two ask: enough of them to meet every other override."""
    concerns = sorted(a.concerns & b.concerns if a.concerns and b.concerns else a.concerns | b.concerns, key=str)
    severities = {each.severity for each in (a, b) if each.severity} or {None}
    areas = {each.area for each in (a, b) if each.area} or {None}
    depths = _depths(a, b, others) if "depth" in a.named | b.named else [None]
    for concern, severity, area, depth in product(concerns or [None], severities, areas, depths):
        case = Case(concern=concern, severity=severity, area=area, depth_mm=depth)
        if a.fit(case) and b.fit(case):
            yield case


def _depths(a: Conditions, b: Conditions, others: Sequence[Conditions]) -> list[Decimal]:
    """Every end of a range, a depth between each two neighbours, and one beyond the last."""
    ends = {end for each in (a, b, *others) for end in (each.depth_min_mm, each.depth_max_mm) if end is not None}
    ordered = sorted(ends)
    between = [(lower + upper) / 2 for lower, upper in pairwise(ordered)]
    return [*ordered, *between, ordered[0] / 2, ordered[-1] + 1]
