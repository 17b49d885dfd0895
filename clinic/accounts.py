"""Who may have an account, what the sign-in says, and in which language."""

import logging
from concurrent.futures import ThreadPoolExecutor

from allauth.account.adapter import DefaultAccountAdapter
from django.core.mail import EmailMessage
from django.utils import translation
from django.utils.translation import gettext_lazy as _

from patients.models import Patient

logger = logging.getLogger(__name__)

# Beside the answer, which neither waits for the mail server nor fails with it: else its pace would tell a known address
# from an unknown one, to whom nothing is sent.
BESIDE = ThreadPoolExecutor(max_workers=2, thread_name_prefix="sign-in-mail")


def _send(mail: EmailMessage) -> None:
    try:
        EmailMessage.send(mail)
    except Exception as error:
        # Not the error's own words, which may quote the address.
        logger.error("A mail about signing in was not sent: %s", type(error).__name__)


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "account_inactive": _("This account is closed. Call the clinic if you think it should be open."),
        "email_password_mismatch": _("E-mail address or password are not correct."),
        "enter_current_password": _("Enter the password that you have now."),
        "incorrect_code": _("This code is not correct. Look at it again, and type it as it stands there."),
        "incorrect_password": _("This password is not correct."),
        "invalid_login": _("Enter your e-mail address."),
        "invalid_or_expired_key": _("This link is not valid any more."),
        "invalid_password_reset": _("This link is not valid any more. Ask for a new one."),
        "rate_limited": _("That was too often in a short time. Wait a minute, then try again."),
        "too_many_login_attempts": _("There were too many tries. Wait a few minutes, then try again."),
    }

    def add_message(self, request, level, message_template=None, message_context=None, extra_tags="", message=None):
        """allauth says of a code that has ended what it says of too many tries. But a new code can be had at once."""
        if message == self.error_messages["too_many_login_attempts"]:
            message = _("The code was wrong three times, so it has ended. Ask for a new one.")
        super().add_message(request, level, message_template, message_context, extra_tags, message)

    def is_open_for_signup(self, request) -> bool:
        """Nobody signs up: accounts are made by the clinic."""
        return False

    def render_mail(self, template_prefix, email, context, headers=None):
        """Answering machines stay silent, and the mail leaves beside the answer."""
        mail = super().render_mail(
            template_prefix, email, context, headers={"Auto-Submitted": "auto-generated", **(headers or {})}
        )
        # allauth sends what this gives it.
        mail.send = lambda fail_silently=False: BESIDE.submit(_send, mail)
        return mail

    def send_mail(self, template_prefix, email, context) -> None:
        """In the patient's own language, whatever the browser speaks."""
        language = (
            Patient.objects.current().filter(user__email__iexact=email).values_list("language", flat=True).first()
        )
        with translation.override(language or translation.get_language()):
            super().send_mail(template_prefix, email, context)
