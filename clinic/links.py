"""The secret in a link: hard to guess, and kept only as a hash of itself. Pure."""

import hashlib
import re
import secrets
from datetime import timedelta

# 18 bytes are 144 bits: as many as nobody guesses, and as few characters as a text message has room for.
SECRET_BYTES = 18
SECRET = re.compile(r"[A-Za-z0-9_-]{24}")
# Long enough for somebody who opens the mail after a holiday; after it the diary is another anyway.
KEEPS = timedelta(days=60)


def new_secret() -> str:
    return secrets.token_urlsafe(SECRET_BYTES)


def digest(secret: str) -> str:
    """What is stored of a secret. It needs no salt: nobody tries 2**144 of them."""
    return hashlib.sha256(secret.encode()).hexdigest()


def looks_right(secret: str) -> bool:
    """Whether it could be one of ours. Line breaks and other characters never reach the database."""
    return SECRET.fullmatch(secret) is not None
