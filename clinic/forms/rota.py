"""What the desk fills in of the rota: an absence, a closure, opening hours, working hours.

Each form says what rows it makes (`rows`), whether anything else stands in their way the service says.
"""

from collections.abc import Sequence
from copy import copy
from datetime import date, datetime, timedelta

from crispy_forms.helper import FormHelper
from django import forms
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from clinic import walltime
from clinic.forms.days import ClockField, DayField, from_today
from clinic.models import Absence, Closure, OpeningHours, Resource, ResourceKind, Site, Weekday, WorkingHours
from clinic.services import rota

DAY = timedelta(days=1)
NOTE_LENGTH = 200
WEEKDAY_NEEDED = _("Choose at least one weekday.")


class _RotaForm(forms.Form):
    """`row` is the one that is changed; None where new ones are made."""

    def __init__(self, *args, site: Site, row=None, **kwargs) -> None:
        self.site, self.row = site, row
        super().__init__(*args, **kwargs)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True
        from_today(self, walltime.day_of(timezone.now(), site.time_zone))

    def both(self, first: str, last: str) -> bool:
        return all(self.cleaned_data.get(name) is not None for name in (first, last))

    def change(self) -> rota.Change:
        """What is to be stored. Raises RotaError."""
        return rota.Change(save=tuple(self.rows()))

    def rows(self) -> Sequence:
        raise NotImplementedError


class _AwayForm(_RotaForm):
    """Whole days, or from a time on the first to a time on the last."""

    first_day = DayField(label=_("First day"))
    last_day = DayField(label=_("Last day"), required=False, help_text=_("This day included. Empty: the same day."))
    starts = ClockField(label=_("From (time)"), required=False, help_text=_("Empty: from the beginning of the day."))
    ends = ClockField(label=_("Until (time)"), required=False, help_text=_("Empty: to the end of the day."))

    @staticmethod
    def initial_of(row, zone) -> dict:
        starts, ends = row.starts_at.astimezone(zone), row.ends_at.astimezone(zone)
        to_the_end = row.ends_at == walltime.midnight(ends.date(), zone)
        return {
            "first_day": starts.date(),
            "last_day": ends.date() - DAY if to_the_end else ends.date(),
            "starts": None if row.starts_at == walltime.midnight(starts.date(), zone) else starts.time(),
            "ends": None if to_the_end else ends.time(),
            "reason": row.reason,
        }

    def zone(self):
        return self.site.time_zone

    def clean(self) -> dict:
        data = super().clean()
        if "last_day" not in self.errors and data.get("last_day") is None:
            data["last_day"] = data.get("first_day")
        if self.both("first_day", "last_day") and data["last_day"] < data["first_day"]:
            self.add_error("last_day", _("The last day is before the first."))
        if not self.errors:
            self.starts_at = self._instant("starts", data["first_day"])
            self.ends_at = self._instant("ends", data["last_day"])
            if not self.errors and self.ends_at <= self.starts_at:
                self.add_error("ends", _("It would end before it begins."))
        return data

    def _instant(self, name: str, day: date) -> datetime | None:
        clock = self.cleaned_data.get(name)
        if clock is None:
            return walltime.midnight(day if name == "starts" else day + DAY, self.zone())
        try:
            return walltime.instant(day, clock, self.zone())
        except walltime.NonexistentTime:
            self.add_error(name, _("The clocks go forward that night, so this time does not exist."))
            return None

    def times(self) -> dict:
        return {"starts_at": self.starts_at, "ends_at": self.ends_at, "reason": self.cleaned_data["reason"]}


class AbsenceForm(_AwayForm):
    """Somebody or something is away."""

    resource = forms.ModelChoiceField(
        label=_("Who or what"),
        queryset=Resource.objects.none(),
        empty_label=_("Choose"),
        error_messages={"required": _("Choose who or what is away.")},
    )
    reason = forms.CharField(
        label=_("Why"), max_length=NOTE_LENGTH, required=False, help_text=_("Such as “Leave”. Only the clinic sees it.")
    )

    field_order = ["resource", "first_day", "last_day", "starts", "ends", "reason"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None and not self.is_bound:
            self.initial = {
                "resource": self.row.resource_id,
                **self.initial_of(self.row, self.row.resource.site.time_zone),
            }
        field = self.fields["resource"]
        field.queryset = who_is_at(self.site, and_also=self.row.resource_id if self.row else None)
        field.choices = _by_kind(field)

    def zone(self):
        resource = self.cleaned_data.get("resource")
        return resource.site.time_zone if resource else self.site.time_zone

    def rows(self) -> list[Absence]:
        row = copy(self.row) if self.row else Absence()
        row.resource = self.cleaned_data["resource"]
        for name, value in self.times().items():
            setattr(row, name, value)
        return [row]


def who_is_at(site: Site, *, and_also: int | None = None):
    """Everybody and everything in use at a site; practitioners from elsewhere too, where they work here."""
    here = Q(site=site) | Q(kind=ResourceKind.PRACTITIONER, working_hours__site=site)
    return (
        Resource.objects.filter(Q(active=True) & here | Q(pk=and_also))
        .select_related("site")
        .distinct()
        .order_by("name", "pk")
    )


def _by_kind(field: forms.ModelChoiceField) -> list:
    groups: dict[str, list] = {kind.value: [] for kind in ResourceKind}
    for resource in field.queryset:
        groups[resource.kind].append((resource.pk, resource.name))
    titles = {
        ResourceKind.PRACTITIONER: _("Practitioners"),
        ResourceKind.ROOM: _("Rooms"),
        ResourceKind.DEVICE: _("Devices"),
    }
    return [("", field.empty_label), *((titles[ResourceKind(kind)], rows) for kind, rows in groups.items() if rows)]


class ClosureForm(_AwayForm):
    """The site is shut."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=NOTE_LENGTH,
        help_text=_("Such as “Christmas Day” or “New floor”."),
        error_messages={"required": _("Note why the site is closed.")},
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None and not self.is_bound:
            self.initial = self.initial_of(self.row, self.site.time_zone)

    def rows(self) -> list[Closure]:
        row = copy(self.row) if self.row else Closure(site=self.site)
        for name, value in self.times().items():
            setattr(row, name, value)
        return [row]


class _HoursForm(_RotaForm):
    """New hours on several weekdays at once; hours that are there are changed one by one."""

    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=Weekday.choices,
        coerce=int,
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": WEEKDAY_NEEDED},
    )
    starts = ClockField(label=_("From"))
    ends = ClockField(label=_("Until"))

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None:
            self.fields["weekdays"] = forms.TypedChoiceField(
                label=_("Weekday"), choices=Weekday.choices, coerce=int, error_messages={"required": WEEKDAY_NEEDED}
            )

    def clean(self) -> dict:
        data = super().clean()
        if self.both("starts", "ends") and data["ends"] <= data["starts"]:
            self.add_error("ends", _("It would end before it begins."))
        return data

    def days(self) -> list[int]:
        weekdays = self.cleaned_data["weekdays"]
        return weekdays if self.row is None else [weekdays]


class OpeningForm(_HoursForm):
    """The site is open; a midday break is two rows."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.row is not None and not self.is_bound:
            self.initial = {"weekdays": self.row.weekday, "starts": self.row.opens, "ends": self.row.closes}

    def rows(self) -> list[OpeningHours]:
        rows = []
        for weekday in self.days():
            row = copy(self.row) if self.row else OpeningHours(site=self.site)
            row.weekday, row.opens, row.closes = weekday, self.cleaned_data["starts"], self.cleaned_data["ends"]
            rows.append(row)
        return rows


class WorkingForm(_HoursForm):
    """A practitioner works here, from one date to another; a change can begin on a day, and leaves what was before."""

    resource = forms.ModelChoiceField(
        label=_("Who"),
        queryset=Resource.objects.none(),
        empty_label=_("Choose"),
        error_messages={"required": _("Choose who works then.")},
    )
    valid_from = DayField(label=_("From (day)"), required=False, help_text=_("Empty: always was."))
    valid_until = DayField(
        label=_("Until (day)"), required=False, help_text=_("This day included. Empty: until further notice.")
    )
    change_from = DayField(
        label=_("Change it from this day on"),
        required=False,
        help_text=_("What was before then stays as it was. Empty: it was entered wrongly, change all of it."),
    )

    field_order = ["resource", "weekdays", "starts", "ends", "valid_from", "valid_until", "change_from"]

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["resource"].queryset = Resource.objects.in_use().practitioners().order_by("name", "pk")
        if self.row is None:
            del self.fields["change_from"]
            return
        self.fields["resource"].disabled = True
        self.initial["resource"] = self.row.resource_id
        if not self.is_bound:
            names = ("starts", "ends", "valid_from", "valid_until")
            self.initial |= {"weekdays": self.row.weekday, **{name: getattr(self.row, name) for name in names}}

    def clean(self) -> dict:
        data = super().clean()
        if self.both("valid_from", "valid_until") and data["valid_until"] < data["valid_from"]:
            self.add_error("valid_until", _("The last day is before the first."))
        return data

    def rows(self) -> list[WorkingHours]:
        said = self.cleaned_data
        rows = []
        for weekday in self.days():
            row = copy(self.row) if self.row else WorkingHours(site=self.site, resource=said["resource"])
            row.weekday = weekday
            for name in ("starts", "ends", "valid_from", "valid_until"):
                setattr(row, name, said[name])
            rows.append(row)
        return rows

    def change(self) -> rota.Change:
        if day := self.cleaned_data.get("change_from"):
            [new] = self.rows()
            return rota.from_a_day_on(old=self.row, new=new, day=day)
        return super().change()


class HolidaysForm(forms.Form):
    """On which of the public holidays offered the site is shut."""

    days = forms.MultipleChoiceField(
        label=_("Closed on"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": _("Tick at least one day."), "invalid_choice": _("Choose among these days.")},
    )

    def __init__(self, *args, offered: Sequence[rota.Holiday], **kwargs) -> None:
        self.open_days = [one for one in offered if not one.closed]
        super().__init__(*args, **kwargs)
        self.fields["days"].choices = [(one.day.isoformat(), one.name) for one in self.open_days]

    def holidays(self) -> list[rota.Holiday]:
        return [one for one in self.open_days if one.day.isoformat() in self.cleaned_data["days"]]
