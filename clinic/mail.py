"""A mail that is quickly put on the wire."""

from email.policy import Compat32

from django.core.mail import EmailMessage

# A line of a header, without its end, is to be no longer than this (RFC 5322).
LINE = 78


class AsTheyAre(Compat32):
    """Writes a header that fits on one line as it is: to look where to fold it would cost more than all the rest."""

    def fold_binary(self, name: str, value: object) -> bytes:
        if isinstance(value, str) and value.isascii() and "\n" not in value:
            line = f"{name}: {value}"
            if len(line) <= LINE:
                return f"{line}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


class Mail(EmailMessage):
    """Byte for byte the mail that Django would send."""

    def message(self):
        made = super().message()
        made.policy = AS_THEY_ARE
        return made


AS_THEY_ARE = AsTheyAre()
