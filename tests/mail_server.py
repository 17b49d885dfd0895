"""A real SMTP server for tests: it keeps what it receives, and refuses what a test wants refused."""

import email
import email.policy
import socket
import threading
from collections.abc import Callable
from email.message import EmailMessage

from aiosmtpd.controller import Controller

OK = "250 OK"


class MailServer:
    """`answer` is asked for the reply to each mail, after it was received; `refuses` for that to each address."""

    def __init__(self) -> None:
        self.host = "127.0.0.1"
        self.received: list[EmailMessage] = []
        self.answer: Callable[[EmailMessage], str] = lambda mail: OK
        self.refuses: dict[str, str] = {}
        self.connections = 0
        self._lock = threading.Lock()
        with socket.create_server((self.host, 0)) as probe:
            self.port = probe.getsockname()[1]

    @property
    def url(self) -> str:
        return f"smtp://{self.host}:{self.port}"

    def start(self) -> None:
        self._controller = Controller(self, hostname=self.host, port=self.port)
        self._controller.start()
        # The controller's own first connection, by which it knows that it runs.
        self.connections = 0

    def stop(self) -> None:
        self._controller.stop(no_assert=True)

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        self.connections += 1
        session.host_name = hostname
        return responses

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refuses:
            return self.refuses[address]
        envelope.rcpt_tos.append(address)
        return OK

    async def handle_DATA(self, server, session, envelope):
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        with self._lock:
            answer = self.answer(mail)
            if answer == OK:
                self.received.append(mail)
        return answer

    def recipients(self) -> list[str]:
        return [mail["To"] for mail in self.received]
