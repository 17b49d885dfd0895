"""What the desk fills in on the worklist."""

from datetime import date

from crispy_forms.helper import FormHelper
from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.forms.days import DayField, from_today
from clinic.models import Outcome, Site
from clinic.services.worklist_rows import Filters

CALLED = [Outcome.REACHED, Outcome.NO_ANSWER, Outcome.CALL_BACK]
DAYS = [(7, _("7 days ahead")), (14, _("14 days ahead")), (28, _("4 weeks ahead")), (84, _("12 weeks ahead"))]


class FilterForm(forms.Form):
    """What the address says; whatever makes no sense there counts as not said."""

    site = forms.ModelChoiceField(
        label=_("Site"), queryset=Site.objects.filter(active=True), required=False, empty_label=_("All sites")
    )
    days = forms.TypedChoiceField(
        label=_("What opens or falls due"), choices=DAYS, coerce=int, required=False, empty_value=Filters().days
    )

    def __init__(self, asked) -> None:
        super().__init__({"days": Filters().days, **asked.dict()})
        if not self.is_valid():
            # Shown as it counts.
            sound = {name: self.data.get(name) for name in self.fields if name not in self.errors}
            super().__init__({"days": Filters().days, **sound})
            self.full_clean()

    def filters(self) -> Filters:
        return Filters(site=self.cleaned_data["site"], days=self.cleaned_data["days"])


class _RowForm(forms.Form):
    seen = forms.IntegerField(widget=forms.HiddenInput, min_value=0, max_value=2**63 - 1)

    def __init__(self, *args, today: date, **kwargs) -> None:
        super().__init__(*args, auto_id=f"{self.action}-%s", **kwargs)
        from_today(self, today)
        self.helper = FormHelper()
        self.helper.form_tag = False
        self.helper.disable_csrf = True


class CallForm(_RowForm):
    """What came of a call."""

    action = "call"

    outcome = forms.ChoiceField(
        label=_("What came of it"),
        choices=[(outcome.value, outcome.label.capitalize()) for outcome in CALLED],
        widget=forms.RadioSelect,
    )
    until = DayField(
        label=_("Call back on"),
        required=False,
        help_text=_("Only where the patient named a day."),
    )
    text = forms.CharField(label=_("Note"), max_length=200, required=False)

    def clean(self) -> dict:
        data = super().clean()
        if data.get("outcome") == Outcome.CALL_BACK and not data.get("until") and "until" not in self.errors:
            self.add_error("until", _("Choose the day to call back."))
        return data


class SnoozeForm(_RowForm):
    """Leave the row until a day."""

    action = "snooze"

    until = DayField(label=_("Until"))
    text = forms.CharField(label=_("Why"), max_length=200, required=False)


class DeclineRowForm(_RowForm):
    """The patient does not want it."""

    action = "decline"

    text = forms.CharField(
        label=_("Why"),
        max_length=200,
        error_messages={"required": _("Note why, so that nobody asks the patient again.")},
    )


class ReopenForm(_RowForm):
    """Take it up again."""

    action = "reopen"

    text = forms.CharField(label=_("Note"), max_length=200, required=False)


class SeenForm(_RowForm):
    """It ended, or was not sent, and somebody has seen it."""

    action = "see"

    text = forms.CharField(label=_("Note"), max_length=200, required=False)


class SettleForm(_RowForm):
    """What became of a message."""

    action = "settle"

    arrived = forms.TypedChoiceField(
        label=_("What became of it"),
        choices=[("yes", _("The patient has it")), ("no", _("The patient never got it"))],
        coerce=lambda value: value == "yes",
        widget=forms.RadioSelect,
    )
    text = forms.CharField(label=_("Note"), max_length=200, required=False)


class RetryForm(_RowForm):
    """Send it again."""

    action = "retry"
