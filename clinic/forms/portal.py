"""Forms of the portal: what a press of a button carries along."""

from collections.abc import Sequence
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from clinic.services.screening import Asked

# Beyond the year 2100 a start is no start; as large as that, a number has no instant.
LAST_MINUTE = 70_000_000
LARGEST = 2_147_483_647


class PressForm(forms.Form):
    """The key of one press, so that a doubled press does it once."""

    key = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)


class VisitForm(PressForm):
    """The visit as the patient saw it, by its sequence."""

    sequence = forms.IntegerField(min_value=0, max_value=LARGEST, widget=forms.HiddenInput)


class MoveForm(VisitForm):
    to = forms.IntegerField(min_value=0, max_value=LAST_MINUTE, widget=forms.HiddenInput)


class CancelForm(VisitForm):
    reason = forms.CharField(label=_("Why? You need not say."), max_length=120, required=False, widget=forms.TextInput)


class BookForm(PressForm):
    to = forms.IntegerField(min_value=0, max_value=LAST_MINUTE, widget=forms.HiddenInput)


class QuestionsForm(forms.Form):
    """One yes or no for each question that is open, and room for a word about it; where none is, for each other.

    A press that arrives twice answers the same questions twice, though they are not open any more.
    """

    def __init__(self, *args, asked: Sequence[Asked], **kwargs) -> None:
        super().__init__(*args, **kwargs)
        answered = {place for place in range(len(asked)) if f"answer-{place}" in self.data}
        again = not answered and not any(one.open for one in asked)
        # By its place among all questions, so that it keeps its name when others are settled.
        self.places = {
            place: one
            for place, one in enumerate(asked)
            if one.open or (one.open_from is None and (again or place in answered))
        }
        for place, one in self.places.items():
            self.fields[f"answer-{place}"] = forms.TypedChoiceField(
                label=one.question.text,
                choices=[("yes", _("Yes")), ("no", _("No"))],
                coerce=lambda value: value == "yes",
                widget=forms.RadioSelect,
                initial=None if one.answer is None else ("yes" if one.answer.yes else "no"),
                error_messages={"required": _("Please choose yes or no.")},
            )
            self.fields[f"note-{place}"] = forms.CharField(
                label=_("Anything to add"),
                max_length=300,
                required=False,
                initial=one.answer.note if one.answer else "",
            )

    def said(self) -> dict[str, tuple[bool, str]]:
        """By question: yes or no, and the note."""
        values = self.cleaned_data
        return {
            one.question.text: (values[f"answer-{place}"], values[f"note-{place}"])
            for place, one in self.places.items()
        }
