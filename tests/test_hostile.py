"""What nobody types by mistake: every page is sent rubbish, and answers with a page, soon.

The forms are read off the pages themselves, so that a new field is covered the day it is added. `HOSTILE=20000` sends
as many requests as that.
"""

import os
import random
import re
from collections import Counter, defaultdict
from dataclasses import dataclass
from html.parser import HTMLParser
from time import perf_counter
from urllib.parse import parse_qsl, quote_from_bytes, urljoin, urlsplit

import pytest
from django.contrib.auth.models import User
from django.test import Client

from tests.test_access import WALKED, clinic, signed_in

__all__ = ["clinic"]  # a fixture

REQUESTS = int(os.environ.get("HOSTILE", "1200"))
LONGEST_SECONDS = 2.0
# Each ends the walk by doing what it is for: nobody gets any further without signing in again, or a second factor.
NOT_WALKED = {"account_logout", "admin:logout", "desk:second-factor", "desk:second-factor-require"}

VALUES = [
    "",
    " ",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\x01\x02\x1b[31m",
    "\u202eevil",
    "\u0300" * 200,
    "x" * 5_000,
    "9" * 400,
    "-1",
    "0",
    "1e400",
    "NaN",
    "Infinity",
    "-Infinity",
    "2147483648",
    "9223372036854775808",
    "-9223372036854775809",
    "١٢٣",
    "½",
    "1_000",
    "0x10",
    "9999-12-31",
    "0001-01-01",
    "10000-01-01",
    "2026-02-30",
    "2026-13-01",
    "25:61",
    "23:59:60",
    "2026-03-29T01:30",
    "9999-12-31T23:59",
    "+99999999w",
    "+9999999999999999999m",
    "-999999d",
    "29 feb",
    "true",
    "None",
    "null",
    "[]",
    "{}",
    '{"a": NaN}',
    "[" * 900,
    "00000000-0000-0000-0000-000000000000",
    "ffffffff-ffff-ffff-ffff-ffffffffffff",
    '=HYPERLINK("http://example.com","x")',
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "<script>alert(1)</script>",
    "'; DROP TABLE patients_patient; --",
    "../../../../etc/passwd",
    "//example.com/",
    "javascript:alert(1)",
    "http://example.com/",
    "{{ 7|add:7 }}{% debug %}",
    "%(name)s %s %d",
    "a@b",
    "a@" + "b" * 300 + ".example",
    '"\r\nBcc: x@example.com',
    "+" * 30,
    "00" * 60,
]
BODIES = [
    ("application/json", b'{"a": '),
    ("application/json", b"[" * 5_000),
    ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="a"'),
    ("multipart/form-data", b"no boundary"),
    ("multipart/form-data; boundary=" + "x" * 300, b"--x"),
    ("application/x-www-form-urlencoded", b"%&=&=%00&%ff=%ed%a0%80&a[]=1"),
    ("application/x-www-form-urlencoded; charset=utf-7", b"a=+AAA-"),
    ("text/plain; charset=no-such-thing", b"\xff\xfe"),
]
NUMBERS = ["0", "99999999", "2147483648", "9223372036854775807", "9223372036854775808", "9" * 60]
HEADERS = [
    {},
    {},
    {},
    {"HTTP_ACCEPT_LANGUAGE": "x" * 3_000},
    {"HTTP_ACCEPT_LANGUAGE": "de-\x00, *;q=nan"},
    {"HTTP_HX_REQUEST": "true", "HTTP_HX_TARGET": "'\"><"},
    {"HTTP_REFERER": "http://[::1"},
    {"HTTP_COOKIE": "sessionid=\xff; csrftoken=" + "x" * 4_000},
    {"HTTP_X_FORWARDED_FOR": "999.1.1.1, x"},
]


@dataclass(frozen=True)
class Form:
    action: str
    fields: tuple[tuple[str, str], ...]


class Forms(HTMLParser):
    """The forms of a page as a browser would send them untouched, and the names of what its links ask for."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.page = page
        self.posted: list[Form] = []
        self.asked: set[str] = set()
        self._open: tuple[str, str] | None = None
        self._fields: list[tuple[str, str]] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        name = given.get("name", "")
        if tag == "form":
            self._open = (given.get("method", "get").lower(), urljoin(self.page, given.get("action", "")))
            self._fields = []
        elif tag == "a":
            self.asked |= {name for name, _value in parse_qsl(urlsplit(given.get("href", "")).query)}
        elif tag == "select":
            self._select = name
            self._fields.append((name, ""))
        elif tag == "option" and self._select and ("selected" in given or given.get("value")):
            self._fields = [f for f in self._fields if f[0] != self._select] + [(self._select, given.get("value", ""))]
        elif name and tag in ("input", "textarea", "button"):
            self._fields.append((name, given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""
        if tag == "form" and self._open:
            method, action = self._open
            if method == "post":
                self.posted.append(Form(action, tuple(self._fields)))
            else:
                self.asked |= {name for name, _value in self._fields}
            self._open = None


@dataclass
class Target:
    client: Client
    url: str
    path: str
    forms: list[Form]
    asked: list[str]


def encoded(pairs: list[tuple[str, str]]) -> str:
    """As a form sends it, where a browser never would: lone surrogates and NUL included."""
    return "&".join(
        f"{quote_from_bytes(n.encode('utf-8', 'surrogatepass'))}={quote_from_bytes(v.encode('utf-8', 'surrogatepass'))}"
        for n, v in pairs
    )


def targets_of(client: Client) -> list[Target]:
    """Every page that this client can open, with what can be sent to it."""
    found = []
    for url in WALKED:
        if url.name in NOT_WALKED:
            continue
        path = url.path()
        response = client.get(path)
        forms = Forms(path)
        if response.status_code == 200 and response.get("Content-Type", "").startswith("text/html"):
            forms.feed(response.content.decode())
        # What sends this client elsewhere at once is walked by those who may open it; 405 takes what is posted.
        if response.status_code in (200, 405):
            found.append(Target(client, url.name, path, forms.posted, sorted(forms.asked - {""}) or ["q"]))
    return found


def mangled(rng: random.Random, form: Form) -> list[tuple[str, str]]:
    """The form as it was read, with some of its fields changed for the worse."""
    pairs = [(name, value) for name, value in form.fields if rng.random() > 0.05]
    for _ in range(rng.choice([1, 1, 1, 2, 3, len(pairs) or 1])):
        if pairs:
            place = rng.randrange(len(pairs))
            pairs[place] = (pairs[place][0], rng.choice(VALUES))
    if rng.random() < 0.1:
        pairs += rng.choices(pairs or [("a", "b")], k=3)
    if rng.random() < 0.05:
        pairs.append((rng.choice(VALUES), rng.choice(VALUES)))
    return pairs


def send(rng: random.Random, target: Target):
    """One request that no browser would make; returns what was sent, and the answer."""
    headers = rng.choice(HEADERS)
    dice = rng.random()
    if target.forms and dice < 0.55:
        form = rng.choice(target.forms)
        body = encoded(mangled(rng, form))
        path = form.action
        sent = f"POST {path} {body[:600]}"
        return sent, lambda: target.client.post(path, body, content_type="application/x-www-form-urlencoded", **headers)
    if dice < 0.65:
        kind, raw = rng.choice(BODIES)
        return f"POST {target.path} {kind} {raw[:80]!r}", lambda: target.client.generic(
            "POST", target.path, raw, content_type=kind, **headers
        )
    if dice < 0.72:
        path = re.sub(r"\d+", lambda _found: rng.choice(NUMBERS), target.path)
        return f"GET {path}", lambda: target.client.get(path, **headers)
    query = encoded([(rng.choice(target.asked), rng.choice(VALUES)) for _ in range(rng.choice([1, 1, 2, 3]))])
    return f"GET {target.path}?{query[:600]}", lambda: target.client.generic(
        "GET", target.path, QUERY_STRING=query, **headers
    )


@pytest.mark.parametrize("username", ["admin", "desk", "own@example.com", None], ids=str)
def test_rubbish_is_answered_with_a_page_and_soon(clinic, username):
    rng = random.Random(f"hostile {username} {REQUESTS}")
    user = None if username is None else User.objects.get(email__startswith=username.partition("@")[0])
    client = signed_in(user)
    targets = targets_of(client)
    broken: dict[str, list[str]] = defaultdict(list)
    slow: dict[str, float] = {}
    answered: Counter[int] = Counter()
    share = {"admin": 0.3, "desk": 0.4, None: 0.1}.get(username, 0.2)
    for _ in range(round(REQUESTS * share)):
        target = rng.choice(targets)
        sent, request = send(rng, target)
        began = perf_counter()
        try:
            response = request()
        except Exception as error:
            words = re.sub(r" got .*", " got …", str(error))[:120]
            broken[f"{type(error).__name__}: {words}"].append(f"{target.url} {sent}")
            continue
        if (took := perf_counter() - began) > LONGEST_SECONDS:
            slow[sent] = took
        answered[response.status_code] += 1
        if response.status_code >= 500:
            broken[str(response.status_code)].append(f"{target.url} {sent}")
        if user is not None and "_auth_user_id" not in client.session:
            client.force_login(User.objects.get(pk=user.pk), backend="django.contrib.auth.backends.ModelBackend")

    assert {error: (len(found), found[0]) for error, found in broken.items()} == {}
    assert slow == {}
    # Rubbish that is turned away at the door of every page would prove nothing.
    assert answered[200] > REQUESTS * share * 0.3, answered


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("/admin/treatments/protocol/?treatment__id__exact=%00", None),
        ("/admin/treatments/protocol/?%00=1", None),
        ("/admin/treatments/protocol/", {"action": "delete_selected", "_selected_action": "rubbish"}),
        ("/admin/clinic/resource/add/", {"name": "Ada", "user": "rubbish"}),
        ("/admin/treatments/protocol/add/", {"name": "x", "indications": ["1", "rubbish"]}),
    ],
)
def test_the_admin_refuses_what_it_could_not_look_up(clinic, path, sent):
    client = signed_in(User.objects.get(username="admin"))
    response = client.get(path) if sent is None else client.post(path, sent)

    assert response.status_code == 400
