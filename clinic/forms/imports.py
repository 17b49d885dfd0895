"""What is asked to import a file."""

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.models import ImportKind
from clinic.services.imports import IMPORTERS
from patients.tables import MOST_BYTES, MOST_LINES


class UploadForm(forms.Form):
    """The file, and what it holds."""

    kind = forms.ChoiceField(
        label=_("What the file holds"),
        choices=[(kind.value, kind.label) for kind in ImportKind if kind in IMPORTERS],
        initial=ImportKind.PATIENTS,
        widget=forms.RadioSelect,
    )
    file = forms.FileField(
        label=_("File"),
        widget=forms.FileInput(attrs={"accept": ".csv,.txt,.tsv,text/csv"}),
        help_text=_("CSV, up to {lines} lines and {size} MB. Nothing is stored before you have seen what it comes to."),
        error_messages={
            "required": _("Choose a file."),
            "empty": _("The file is empty: it has not even a line of headings."),
        },
    )

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        help_text = self.fields["file"].help_text
        self.fields["file"].help_text = help_text.format(lines=f"{MOST_LINES:,}", size=MOST_BYTES // 1_000_000)
