"""Who may have an account, what the sign-in says, and in which language."""

from allauth.account.adapter import DefaultAccountAdapter
from django.utils import translation

from patients.models import Patient


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request) -> bool:
        """Nobody signs up: accounts are made by the clinic."""
        return False

    def render_mail(self, template_prefix, email, context, headers=None):
        """Answering machines stay silent."""
        return super().render_mail(
            template_prefix, email, context, headers={"Auto-Submitted": "auto-generated", **(headers or {})}
        )

    def send_mail(self, template_prefix, email, context) -> None:
        """In the patient's own language, whatever the browser speaks."""
        language = (
            Patient.objects.current().filter(user__email__iexact=email).values_list("language", flat=True).first()
        )
        with translation.override(language or translation.get_language()):
            super().send_mail(template_prefix, email, context)
