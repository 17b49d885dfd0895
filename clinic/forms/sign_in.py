"""The forms of the sign-in: in the words of this program, and with an account for each patient who asks for a code."""

from allauth.account.fields import EmailField
from allauth.account.forms import LoginForm, RequestLoginCodeForm, ResetPasswordForm
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from patients import services

ADDRESS = _("E-mail address")


class CodeForm(RequestLoginCodeForm):
    email = EmailField(label=ADDRESS)

    def clean_email(self) -> str:
        # First, because it counts how often somebody asks, and refuses who asks too often.
        email = super().clean_email()
        if self._user is None:
            self._user = services.account_at_first_sign_in(email=email, now=timezone.now())
        return email


class PasswordForm(LoginForm):
    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        self.fields["login"].label = ADDRESS


class ForgottenForm(ResetPasswordForm):
    email = EmailField(label=ADDRESS)
