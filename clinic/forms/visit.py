"""What the desk fills in for one visit, and what it notes of a maintenance cycle."""

from datetime import date

from crispy_forms.helper import FormHelper
from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.forms.days import DayField, from_today
from clinic.forms.series import WishesForm
from treatments.models import Maintenance, Treatment

NOTE_LENGTH = 200


class VisitForm(WishesForm):
    """Which treatment, and the patient's wishes. For a maintenance cycle the treatment is settled."""

    treatment = forms.ModelChoiceField(
        label=_("Treatment"), queryset=Treatment.objects.filter(active=True), empty_label=_("Choose a treatment")
    )

    def __init__(self, *args, maintenance: Maintenance | None = None, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["first_day"].label = _("From")
        if maintenance is not None:
            del self.fields["treatment"]


class _OnePurposeForm(forms.Form):
    """Several of these stand on one page, so their fields are told apart by a prefix."""

    def __init__(self, *args, today: date, **kwargs) -> None:
        super().__init__(*args, prefix=self.action, **kwargs)
        self.today = today
        from_today(self, today)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True

    def later(self, name: str) -> date:
        day = self.cleaned_data[name]
        if day <= self.today:
            raise forms.ValidationError(_("Choose a day after today."))
        if day.year > self.today.year + 20:
            raise forms.ValidationError(_("This is very far ahead. Check the year."))
        return day


class DecideForm(_OnePurposeForm):
    """The day the clinician decided on."""

    action = "decide"

    due_on = DayField(label=_("Due on"))
    reason = forms.CharField(
        label=_("Who decided, and why"),
        max_length=NOTE_LENGTH,
        error_messages={"required": _("Note who decided it, and why.")},
    )

    def clean_due_on(self) -> date:
        day = self.cleaned_data["due_on"]
        if day < self.today:
            raise forms.ValidationError(_("This day has passed. Choose today or later."))
        if day.year > self.today.year + 20:
            raise forms.ValidationError(_("This is very far ahead. Check the year."))
        return day


class DeferForm(_OnePurposeForm):
    """Leave the patient in peace until a day."""

    action = "defer"

    until = DayField(label=_("Until"))
    reason = forms.CharField(label=_("Why"), max_length=NOTE_LENGTH, required=False)

    def clean_until(self) -> date:
        return self.later("until")


class DeclineForm(_OnePurposeForm):
    """The patient does not want it."""

    action = "decline"

    reason = forms.CharField(
        label=_("Why"),
        max_length=NOTE_LENGTH,
        error_messages={"required": _("Note why, so that nobody asks the patient again.")},
    )
