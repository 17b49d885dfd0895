"""The way of the mails of a batch: a connection, and whether the server behind it takes anything."""

import logging
from datetime import datetime

from django.db.models import F, Value
from django.db.models.functions import Coalesce, Least

from clinic import delivery
from clinic.models import Message
from clinic.services import mail_outage
from clinic.services.ledger import Ledger, release, short
from clinic.services.mail_outage import MailServer
from patients.models import Channel

# Beside the states of a message: it waits for the end of an outage.
HELD = "held"

logger = logging.getLogger(__name__)


class Post:
    """One connection for the mails of a batch. Where no mail goes, all that are held are given back at once."""

    def __init__(self, mailer: delivery.Mailer, server: MailServer, ledger: Ledger) -> None:
        self.mailer, self.server, self._ledger = mailer, server, ledger

    def is_open(self) -> bool:
        """Connect, again where the mail before broke the connection; whether a mail goes now."""
        if not self.server.closed:
            try:
                self.mailer.reach()
            except delivery.Unreachable as error:
                logger.error("The mail server cannot be reached (%s): mails wait", error)
                self.server.is_gone(now=self._ledger.clock.now())
        if self.server.closed:
            self.hold()
        return not self.server.closed

    def took(self, message: Message) -> None:
        self._ledger.sent(message)
        if self.server.down:
            # Before another process can look for the last yes.
            self._ledger.note()
        self.server.took(now=self._ledger.clock.now())

    def puts_off(self, message: Message, no: delivery.PutOff) -> bool:
        """Whether it was put off as everything is: then it waits with the others."""
        known, now = self.server.down, self._ledger.clock.now()
        if not self.server.puts_off(message, closes=isinstance(no, delivery.Closing), now=now):
            return False
        if not known:
            logger.error("The mail server takes nothing: mails wait")
        # Those by which it becomes known have been tried once.
        attempts = message.attempts - 1 if known else 1
        handed_over = message.handed_over - 1
        values = {"attempts": attempts, "handed_over": handed_over, "reason": short(str(no)), **_held(now)}
        release([message.pk], self._ledger.token, **values)
        return True

    def hold(self) -> None:
        """Give back all mails, to wait for the end of the outage."""
        now = self._ledger.clock.now()
        mails = [key for key, message in self._ledger.held.items() if message.channel == Channel.EMAIL]
        self._ledger.give_back(HELD, mails, **_held(now))


def _held(now: datetime) -> dict[str, object]:
    """It waits for the end of an outage, which is no message's fault: none uses up its retries."""
    return {
        "not_before": Least(Value(now + mail_outage.HOLD), F("not_after")),
        "put_off_since": Coalesce(F("put_off_since"), Value(now)),
    }
