"""Which of two records is right, one choice for each thing in which they differ."""

from django import forms
from django.utils.translation import gettext_lazy as _

from patients import merging
from patients.models import Patient

LABELS = {
    "name": _("Name"),
    "date_of_birth": _("Date of birth"),
    "email": _("E-mail"),
    "phone": _("Phone"),
    "language": _("Language"),
    "time_zone": _("Time zone"),
}
KEPT, OTHER = "kept", "other"


class MergeForm(forms.Form):
    """Both values are shown; what one of them leaves empty is taken from the other unless somebody says otherwise."""

    def __init__(self, *args, kept: Patient, other: Patient, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.same = []
        for choice, names in merging.CHOSEN.items():
            mine, theirs = _said(kept, names), _said(other, names)
            if mine.casefold() == theirs.casefold():
                self.same.append((LABELS[choice], mine))
                continue
            self.fields[choice] = forms.ChoiceField(
                label=LABELS[choice],
                choices=[(KEPT, mine or _("nothing")), (OTHER, theirs or _("nothing"))],
                initial=KEPT if mine else OTHER,
                widget=forms.RadioSelect,
                error_messages={"required": _("Choose one of the two.")},
            )

    def take(self) -> dict[str, str]:
        """The argument of `merging.merge`."""
        return dict(self.cleaned_data)


def _said(patient: Patient, names: list[str]) -> str:
    """In the words of the page: dates as the desk writes them, numbers as they are dialled."""
    words = []
    for name in names:
        value = getattr(patient, name)
        if name == "date_of_birth" and value:
            value = f"{value:%d/%m/%Y}"
        elif name == "phone" and value:
            value = value.as_international
        elif name == "language":
            value = patient.get_language_display()
        words.append(str(value or ""))
    return " ".join(words).strip()
