"""An SMTP server as a process of its own, that takes everything: python -m tests.benchmarks.mail_sink <port>

To each line on its input, the name of a file, it writes there what it has received since the last one, and answers how
many mails those are.
"""

import pickle
import sys
from pathlib import Path

from aiosmtpd.controller import Controller


class Sink:
    def __init__(self) -> None:
        self.received: list[tuple[list[str], bytes]] = []

    async def handle_DATA(self, server, session, envelope):
        self.received.append((envelope.rcpt_tos, envelope.original_content))
        return "250 OK"


def main(port: int) -> None:
    sink = Sink()
    controller = Controller(sink, hostname="127.0.0.1", port=port)
    controller.start()
    print("ready", flush=True)
    for line in sys.stdin:
        received, sink.received = sink.received, []
        Path(line.strip()).write_bytes(pickle.dumps(received))
        print(len(received), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
