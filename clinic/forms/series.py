"""What the desk fills in to book a series: the case, and the patient's wishes."""

from datetime import date, timedelta

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from clinic.forms.days import ClockField, DayField, from_today
from clinic.models import Resource, Site, Weekday
from clinic.planning import Wishes
from clinic.services import horizon
from treatments.models import AmbiguousOverrides, Concern, Protocol
from treatments.models.choices import Severity, Unit
from treatments.services import series as courses
from treatments.services.series import SeriesNotPossible
from treatments.terms import Spacing, Terms


class CaseForm(forms.Form):
    """Step one: the protocol, and of the case only what this protocol asks.

    `asks` names the fields to show. Numbers are asked only where the protocol leaves them open.
    """

    protocol = forms.ModelChoiceField(
        label=_("Protocol"), queryset=Protocol.objects.none(), empty_label=_("Choose a protocol")
    )
    concern = forms.ModelChoiceField(
        label=_("Concern"), queryset=Concern.objects.none(), required=False, empty_label=_("Not said")
    )
    severity = forms.ChoiceField(label=_("Severity"), choices=[("", _("Not said")), *Severity.choices], required=False)
    area = forms.ChoiceField(label=_("Area"), choices=[("", _("Not said"))], required=False)
    depth_mm = forms.DecimalField(
        label=_("Needle depth (mm)"), min_value=0.05, max_value=5, max_digits=4, decimal_places=2, required=False
    )
    count = forms.IntegerField(
        label=_("Number of sessions"), min_value=1, max_value=courses.MOST_SESSIONS, required=False
    )
    spacing_min = forms.IntegerField(label=_("At least"), min_value=1, max_value=365, required=False)
    spacing_max = forms.IntegerField(label=_("At most"), min_value=1, max_value=365, required=False)
    spacing_unit = forms.ChoiceField(label=_("Apart in"), choices=Unit.choices, initial=Unit.WEEK, required=False)
    tolerance_days = forms.IntegerField(
        label=_("Give or take (days)"),
        min_value=0,
        max_value=60,
        required=False,
        help_text=_("The protocol names one exact day. Empty: on that day only."),
    )
    decision_note = forms.CharField(
        label=_("Who decided"),
        max_length=200,
        required=False,
        help_text=_("The clinician, where the protocol leaves it open or something else was agreed."),
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.terms: Terms | None = None
        self.asks: set[str] = {"protocol"}
        self.fields["protocol"].queryset = Protocol.objects.published()
        if not self.is_bound:
            self.fields["protocol"].widget.attrs["autofocus"] = True
        self.protocol = self._chosen()
        if self.protocol is not None:
            self._ask_for(self.protocol)

    def _chosen(self) -> Protocol | None:
        """The protocol with all its parts, read once for everything that is asked of it."""
        key = self.data.get("protocol", "") if self.is_bound else ""
        if not (key.isascii() and key.isdigit() and len(key) < 18):
            return None
        return Protocol.objects.published().select_related("treatment").with_parts().filter(pk=key).first()

    def clean_protocol(self) -> Protocol:
        return self.protocol or self.cleaned_data["protocol"]

    def _ask_for(self, protocol: Protocol) -> None:
        overrides = list(protocol.overrides.all())
        named = {concern.pk for override in overrides for concern in override.concerns.all()}
        concerns = Concern.objects.filter(Q(pk__in=named) | Q(protocols=protocol)).distinct()
        self.fields["concern"].queryset = concerns
        areas = sorted({*protocol.areas, *(override.area for override in overrides if override.area)})
        self.fields["area"].choices = [("", _("Not said")), *((area, area) for area in areas)]
        asked = {
            "concern": concerns.exists(),
            "area": bool(areas),
            "severity": any(override.severity for override in overrides),
            "depth_mm": any(override.names_depth for override in overrides),
        }
        self.asks |= {name for name, needed in asked.items() if needed}

    def full_clean(self) -> None:
        super().full_clean()
        # What is wrong is shown, also where this protocol would not have asked for it.
        if self.is_bound:
            self.asks |= {"spacing" if name.startswith("spacing") else name for name in self._errors}

    def clean(self) -> dict:
        data = super().clean()
        if self.errors:
            return data
        try:
            self.terms = data["protocol"].terms_for(
                concern=data["concern"],
                severity=data["severity"] or None,
                area=data["area"] or None,
                depth_mm=data["depth_mm"],
            )
        except AmbiguousOverrides as error:
            self.add_error("protocol", str(error))
            return data
        self._ask_what_is_open(self.terms)
        least, most = data["spacing_min"], data["spacing_max"]
        if "spacing" in self.asks and (least or most) and not (least and most and least <= most):
            self.add_error("spacing_max", _("Give the least and the most, the least first."))
            return data
        choice = self.choice()
        for settle in (courses.counted, courses.spaced):
            try:
                settle(self.terms, choice)
            except SeriesNotPossible as error:
                self.add_error({"spacing": "spacing_min"}.get(error.field or "", error.field), str(error))
        return data

    def _ask_what_is_open(self, terms: Terms) -> None:
        spacing = terms.spacing
        if terms.sessions.kind != "fixed":
            self.asks.add("count")
        if spacing is None:
            self.asks.add("spacing")
        elif spacing.min == spacing.max and spacing.tolerance_days is None:
            self.asks.add("tolerance_days")
        said = terms.sessions
        count = self.cleaned_data["count"]
        open_count = said.min is None or (count is not None and not said.min <= count <= (said.max or said.min))
        if spacing is None or open_count:
            self.asks.add("decision_note")

    def choice(self) -> courses.Choice:
        """What `treatments.services.series.start` takes."""
        data = self.cleaned_data
        least, most = data["spacing_min"], data["spacing_max"]
        return courses.Choice(
            protocol=data["protocol"],
            concern=data["concern"],
            severity=data["severity"],
            area=data["area"],
            depth_mm=data["depth_mm"],
            count=data["count"],
            spacing=Spacing(least, None, most, data["spacing_unit"] or "week") if least and most else None,
            tolerance_days=data["tolerance_days"],
            decision_note=data["decision_note"],
        )


def as_asked(*asked: forms.Form | None) -> str:
    """All that stands in these forms, in one line: what was shown for other wishes is not what a press is about."""
    return "|".join(f"{name}={form[name].data or ''}" for form in asked if form is not None for name in form.fields)


class WishesForm(forms.Form):
    """Step two: where, from when, and what the patient would like."""

    site = forms.ModelChoiceField(label=_("Site"), queryset=Site.objects.filter(active=True), empty_label=None)
    first_day = DayField(label=_("First session from"))
    practitioner = forms.ModelChoiceField(
        label=_("Practitioner, if possible"),
        queryset=Resource.objects.none(),
        required=False,
        empty_label=_("Anybody"),
        error_messages={"invalid_choice": _("Does not give this treatment. Choose somebody else, or anybody.")},
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Weekdays"),
        choices=[(day.value, day.label[:3]) for day in Weekday],
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    earliest_time = ClockField(label=_("Start no earlier than"), required=False)
    latest_time = ClockField(label=_("Start no later than"), required=False)
    only = forms.BooleanField(
        label=_("Only then: the patient cannot come on other days or at other times"), required=False
    )

    def __init__(self, *args, treatment=None, today: date, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.today = today
        # Before a treatment is chosen it may be anybody, so that a choice made in the diary is not lost.
        people = Resource.objects.in_use().practitioners()
        self.fields["practitioner"].queryset = people.filter(treatments=treatment) if treatment else people
        from_today(self, today)

    def clean_first_day(self) -> date:
        day = self.cleaned_data["first_day"]
        if day < self.today - timedelta(days=1):
            raise forms.ValidationError(_("This day has passed. Choose today or later."))
        if day > horizon.last_day(self.today):
            raise forms.ValidationError(
                _("The diary is planned to %s. Choose an earlier day.") % f"{horizon.last_day(self.today):%d %B %Y}"
            )
        return day

    def clean(self) -> dict:
        data = super().clean()
        earliest, latest = data.get("earliest_time"), data.get("latest_time")
        if earliest and latest and earliest > latest:
            self.add_error("latest_time", _("This is before the earliest time."))
        return data

    def wishes(self) -> Wishes:
        data = self.cleaned_data
        practitioner = data["practitioner"]
        earliest, latest = data["earliest_time"], data["latest_time"]
        return Wishes(
            practitioner=practitioner.pk if practitioner else None,
            weekdays=frozenset(data["weekdays"]),
            earliest_time=earliest.hour * 60 + earliest.minute if earliest else None,
            latest_time=latest.hour * 60 + latest.minute if latest else None,
            only=data["only"],
        )
