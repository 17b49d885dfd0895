"""Who may have an account, and what the sign-in says."""

from allauth.account.adapter import DefaultAccountAdapter


class AccountAdapter(DefaultAccountAdapter):
    def is_open_for_signup(self, request) -> bool:
        """Nobody signs up: accounts are made by the clinic."""
        return False
