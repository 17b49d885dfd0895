"""What a protocol comes to for one patient, as immutable values; JSON in and out.

Empty means that nobody said. It is None (or an empty tuple), and it stays so: nothing here fills it in.
"""

import types
import typing
from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields, is_dataclass, replace
from functools import cache
from typing import Any, Literal, Self

CountKind = Literal["fixed", "range", "words", "open_ended", "unknown"]
Unit = Literal["day", "week", "month"]
CareUnit = Literal["hour", "day", "week", "month"]
Anaesthesia = Literal["none", "topical", "regional"]
Role = Literal["included", "recommended", "optional"]
RuleKind = Literal["every", "per_year", "other_treatment", "home_care", "individual", "none", "unspecified"]
When = Literal["before", "after"]
Action = Literal["do", "avoid", "ask"]
Bound = Literal["exact", "at_least", "at_most", "range"]
Effect = Literal["stop", "ask", "inform"]
MilestoneKind = Literal["healed", "result", "photo"]
NoShow = Literal["repeat", "forfeit", "ask"]

# The diary counts in steps of so many minutes.
DIARY_STEP = 5


class TermsError(ValueError):
    """What was read is not a valid value; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Value:
    """A part of the terms. `from_json(value.to_json())` is the same value, to the last None."""

    def to_json(self) -> dict[str, Any]:
        return {field.name: _plain(getattr(self, field.name)) for field in fields(self)}

    @classmethod
    def from_json(cls, data: object) -> Self:
        """Raises TermsError on an unknown key, a wrong type, or a missing key that cannot be empty."""
        return typing.cast(Self, _read(cls, data, at=cls.__name__))


@dataclass(frozen=True, slots=True)
class SessionCount(Value):
    """How many sessions: numbers for a fixed count or a range, words alone for "a few"."""

    kind: CountKind
    min: int | None = None
    max: int | None = None
    typical: int | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Spacing(Value):
    """From one session to the next, in `unit`; both ends included."""

    min: int
    ideal: int | None
    max: int
    unit: Unit
    tolerance_days: int | None = None


@dataclass(frozen=True, slots=True)
class Phase(Value):
    """A stretch of a visit and what it occupies; `device_kind` None where it needs no device."""

    name: str
    minutes: int
    practitioner: bool
    room: bool
    device_kind: str | None = None
    numbing: bool = False

    @property
    def device_kinds(self) -> tuple[str, ...]:
        """One device of each of these kinds is taken for as long as it lasts."""
        return () if self.device_kind is None else (self.device_kind,)


@dataclass(frozen=True, slots=True)
class PhaseWithMore(Phase):
    """A phase of a visit, not of a protocol: meanwhile it takes devices of add-ons as well."""

    also: tuple[str, ...] = ()

    @property
    def device_kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in (self.device_kind, *self.also) if kind is not None)


def phases_from(stored: Sequence[Mapping[str, object]]) -> tuple[Phase, ...]:
    """The phases of a visit as an appointment, or its history, holds them."""
    return tuple((PhaseWithMore if "also" in phase else Phase).from_json(phase) for phase in stored)


@dataclass(frozen=True, slots=True)
class AddOn(Value):
    """`extra_minutes` None: nobody said that the visit takes longer; its device is then used during the treatment."""

    name: str
    role: Role
    route: str | None = None
    extra_minutes: int | None = None
    device_kind: str | None = None


@dataclass(frozen=True, slots=True)
class MaintenanceRule(Value):
    """One rule of upkeep: every `min` to `max` units, so many times a year, or in words only."""

    kind: RuleKind
    min: int | None = None
    max: int | None = None
    unit: Unit | None = None
    times_per_year: int | None = None
    at_least: bool = False
    treatment: str | None = None
    text: str | None = None


@dataclass(frozen=True, slots=True)
class CareInstruction(Value):
    """What to do, avoid or ask about, `offset` units before or after a visit."""

    when: When
    action: Action
    text: str
    offset: int | None = None
    unit: CareUnit | None = None
    bound: Bound | None = None
    offset_text: str | None = None
    repeat_hours: int | None = None


@dataclass(frozen=True, slots=True)
class Milestone(Value):
    """What is to be seen, or photographed, by when; counted from a visit."""

    name: str
    min_days: int | None = None
    max_days: int | None = None
    max_months: int | None = None
    kind: MilestoneKind | None = None


@dataclass(frozen=True, slots=True)
class ScreeningQuestion(Value):
    """What is asked before a visit; an answer is good for `days_valid` days, or for ever where that is None."""

    text: str
    effect: Effect
    days_valid: int | None = None


@dataclass(frozen=True, slots=True)
class Terms(Value):
    """All that a protocol says for one concern, severity, area and depth."""

    treatment: str
    sessions: SessionCount
    spacing: Spacing | None = None
    phases: tuple[Phase, ...] = ()
    anaesthesia: Anaesthesia | None = None
    add_ons: tuple[AddOn, ...] = ()
    maintenance: tuple[MaintenanceRule, ...] = ()
    care: tuple[CareInstruction, ...] = ()
    milestones: tuple[Milestone, ...] = ()
    screening: tuple[ScreeningQuestion, ...] = ()
    depends_on: tuple[str, ...] = ()
    no_show: NoShow | None = None
    # The least number of days between a session and another treatment of the same patient.
    other_treatments_days: int | None = None

    @property
    def included(self) -> tuple[str, ...]:
        """Names of the add-ons that belong to every session."""
        return tuple(dict.fromkeys(add_on.name for add_on in self.add_ons if add_on.role == "included"))

    @property
    def choosable(self) -> tuple[AddOn, ...]:
        """The add-ons that a session may have or not, each once."""
        found = {add_on.name: add_on for add_on in reversed(self.add_ons) if add_on.name not in self.included}
        return tuple(reversed(found.values()))

    @property
    def visit(self) -> tuple[Phase, ...]:
        """The phases of a visit for which nothing is chosen beyond what is included."""
        return self.visit_with(())

    def visit_with(self, chosen: Collection[str]) -> tuple[Phase, ...]:
        """The phases of a visit with the add-ons in `chosen`, and those that are included.

        Without numbing where no anaesthesia is given. An add-on that takes longer follows the last phase of the
        practitioner and takes the same people and places, for whole steps of the diary; one that does not has its
        device through all phases of the practitioner. A name that is not in the terms changes nothing. Where nobody
        said what the visit consists of, add-ons do not make it one.
        """
        phases = [phase for phase in self.phases if self.anaesthesia != "none" or not phase.numbing]
        if not phases:
            return ()
        wanted = {*self.included, *chosen}
        add_ons = {add_on.name: add_on for add_on in reversed(self.add_ons) if add_on.name in wanted}
        worked = [i for i, phase in enumerate(phases) if phase.practitioner] or list(range(len(phases)))
        last = phases[worked[-1]]
        for add_on in reversed(add_ons.values()):
            if not add_on.extra_minutes and add_on.device_kind is not None:
                for i in worked:
                    phases[i] = _taking_also(phases[i], add_on.device_kind)
        longer = [
            Phase(add_on.name, _in_steps(add_on.extra_minutes), last.practitioner, last.room, add_on.device_kind)
            for add_on in reversed(add_ons.values())
            if add_on.extra_minutes
        ]
        return (*phases[: worked[-1] + 1], *longer, *phases[worked[-1] + 1 :])

    def with_spacing(self, spacing: Spacing | None) -> Self:
        """The same terms with the spacing that the clinician decided."""
        return replace(self, spacing=spacing)


def _taking_also(phase: Phase, device_kind: str) -> Phase:
    """One device of a kind is enough for the phase and its add-ons."""
    if device_kind in phase.device_kinds:
        return phase
    values = {field.name: getattr(phase, field.name) for field in fields(Phase)}
    return PhaseWithMore(**values, also=(*phase.device_kinds[1:], device_kind))


def _in_steps(minutes: int) -> int:
    return -(-minutes // DIARY_STEP) * DIARY_STEP


def _plain(value: object) -> Any:
    if isinstance(value, Value):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


# Reading the annotations is slow beside reading the data, and they never change.
_annotations = cache(typing.get_type_hints)


def _read(kind: Any, data: object, *, at: str) -> object:
    """`data` as `kind` says; the annotations above are the whole schema."""
    if is_dataclass(kind):
        return _read_value(typing.cast(type, kind), data, at=at)
    origin, choices = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if data is None:
            return None
        (kind,) = (choice for choice in choices if choice is not types.NoneType)
        return _read(kind, data, at=at)
    if origin is tuple:
        if not isinstance(data, list):
            raise TermsError(f"{at} must be a list, not {data!r}.")
        return tuple(_read(choices[0], item, at=f"{at}[{i}]") for i, item in enumerate(data))
    if origin is Literal:
        if data not in choices:
            raise TermsError(f"{at} must be one of {', '.join(choices)}, not {data!r}.")
        # The word itself, where a member of an enumeration stood for it.
        return choices[choices.index(data)]
    # Compared exactly, because True is an int to isinstance.
    if type(data) is not kind:
        raise TermsError(f"{at} must be {_NAMES[kind]}, not {data!r}.")
    return data


def _read_value(kind: type, data: object, *, at: str) -> object:
    if not isinstance(data, Mapping):
        raise TermsError(f"{at} must be an object, not {data!r}.")
    known = {field.name: field for field in fields(kind)}
    if unknown := [str(key) for key in data if key not in known]:
        raise TermsError(f"{at} does not know {', '.join(sorted(unknown))}.")
    if missing := [name for name, field in known.items() if name not in data and field.default is MISSING]:
        raise TermsError(f"{at} needs {', '.join(missing)}.")
    hints = _annotations(kind)
    return kind(**{name: _read(hints[name], data[name], at=f"{at}.{name}") for name in known if name in data})


_NAMES = {int: "a whole number", str: "text", bool: "true or false"}
