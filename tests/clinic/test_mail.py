"""A mail is the one that Django would send, byte for byte."""

import pytest
from django.core.mail import EmailMessage

from clinic.mail import Mail


@pytest.mark.parametrize(
    "subject",
    [
        pytest.param("Harbour: see you on Tue 10 Mar 2026, 14:30", id="short"),
        pytest.param("", id="empty"),
        pytest.param("x" * 69, id="a line of 78 with its name"),
        pytest.param("x" * 70, id="a line of 79"),
        pytest.param("word " * 13 + "at", id="words up to the end of the line"),
        pytest.param("word " * 60, id="words for several lines"),
        pytest.param("Hafen: Termin für Müller", id="not ASCII"),
        pytest.param("Überaus langer Betreff, " * 9, id="not ASCII, for several lines"),
        pytest.param("see you soon \N{SPARKLES}", id="beyond the basic plane"),
    ],
)
@pytest.mark.parametrize("to", ["p@example.com", "p" * 60 + "@" + "e" * 60 + ".example.com"], ids=["short", "long"])
@pytest.mark.parametrize(
    "body", ["Dear P\n\nFrom here\n", "Größe\n", "x" * 2000], ids=["plain", "umlauts", "long line"]
)
def test_a_mail_is_the_one_that_django_would_send(subject, to, body):
    headers = {
        "Message-ID": "<4a4f4c0e-9d9e-4a38-9c6f-5d0a0c6f2a10@localhost>",
        "Date": "Tue, 10 Mar 2026 14:30:00 -0000",
        "List-Unsubscribe": f"<https://localhost/link/{'s' * 60}/stop/>",
    }
    values = {"subject": subject, "body": body, "from_email": "Clinic <c@example.com>", "to": [to], "headers": headers}

    ours = Mail(**values).message().as_bytes(linesep="\r\n")

    assert ours == EmailMessage(**values).message().as_bytes(linesep="\r\n")
