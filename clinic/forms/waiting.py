"""What the patient who would like to come sooner can make possible. The desk and the portal ask the same."""

from crispy_forms.helper import FormHelper
from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.forms.days import ClockField
from clinic.models import Appointment, EarlierWish, Resource, Weekday
from clinic.services.waiting import USUAL_NOTICE_HOURS

NOTICE = [
    (2, _("2 hours before")),
    (24, _("1 day before")),
    (48, _("2 days before")),
    (7 * 24, _("1 week before")),
]


class EarlierForm(forms.Form):
    """Every field may stay empty: then any time before the visit will do."""

    notice_hours = forms.TypedChoiceField(
        label=_("Has to be told at least"), choices=NOTICE, coerce=int, initial=USUAL_NOTICE_HOURS
    )
    weekdays = forms.TypedMultipleChoiceField(
        label=_("Only on these days"),
        choices=[(day.value, day.label) for day in Weekday],
        coerce=int,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=_("None chosen: any day."),
    )
    earliest_time = ClockField(label=_("Start no earlier than"), required=False)
    latest_time = ClockField(label=_("Start no later than"), required=False)
    practitioner = forms.ModelChoiceField(
        label=_("Only with"), queryset=Resource.objects.none(), required=False, empty_label=_("Anybody")
    )

    def __init__(self, *args, visit: Appointment, wish: EarlierWish | None = None, **kwargs) -> None:
        if wish is not None:
            names = ("notice_hours", "weekdays", "earliest_time", "latest_time", "practitioner")
            kwargs.setdefault("initial", {name: getattr(wish, name) for name in names})
        super().__init__(*args, **kwargs)
        self.fields["practitioner"].queryset = (
            Resource.objects.in_use().practitioners().filter(treatments=visit.treatment_id, site=visit.site_id)
        )
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True

    def clean(self) -> dict:
        data = super().clean()
        earliest, latest = data.get("earliest_time"), data.get("latest_time")
        if earliest and latest and earliest > latest:
            self.add_error("latest_time", _("This is before the earliest time."))
        return data


class EarlierOnAPhoneForm(EarlierForm):
    """A phone has a wheel for times; who types one may still write it as at the desk."""

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        # At the desk it is said of the patient.
        self.fields["notice_hours"].label = _("Tell me at least")
        for name in ("earliest_time", "latest_time"):
            self.fields[name].widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
