"""What anybody can open, and the promise that no page carries code or style of its own."""

import re
from pathlib import Path

import pytest
from django.template.loader import get_template
from django.test import Client
from django.urls import reverse

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"

# What the Content Security Policy would refuse in the browser, where no test of a response sees it.
INLINE = {
    "style attribute": re.compile(r"""\sstyle\s*=\s*["'{]""", re.IGNORECASE),
    "style element": re.compile(r"<style\b", re.IGNORECASE),
    "script without src": re.compile(r"<script\b(?![^>]*\bsrc\s*=)(?![^>]*application/json)", re.IGNORECASE),
    "event handler": re.compile(r"""\s(?:on[a-z]+|hx-on[:a-z-]*)\s*=\s*["'{]""", re.IGNORECASE),
    "javascript link": re.compile(r"javascript:", re.IGNORECASE),
    "evaluated value": re.compile(r"""\shx-[a-z]+\s*=\s*["']js:""", re.IGNORECASE),
}


def inline_code(text: str) -> list[str]:
    return [name for name, pattern in INLINE.items() if pattern.search(text)]


@pytest.mark.parametrize(
    ("markup", "found"),
    [
        pytest.param('<p style="color: red">', ["style attribute"], id="style attribute"),
        pytest.param("<style>p {}</style>", ["style element"], id="style element"),
        pytest.param("<script>go()</script>", ["script without src"], id="script"),
        pytest.param('<script type="module">go()</script>', ["script without src"], id="module"),
        pytest.param('<a href="#" onclick="go()">', ["event handler"], id="onclick"),
        pytest.param('<a href="#" hx-on:click="go()">', ["event handler"], id="hx-on"),
        pytest.param('<a href="javascript:go()">', ["javascript link"], id="javascript link"),
        pytest.param("""<a hx-vals='js:{now: 1}'>""", ["evaluated value"], id="hx-vals"),
        pytest.param('<script src="/a.js" defer></script>', [], id="script file"),
        pytest.param('<script type="application/json">{}</script>', [], id="data"),
        pytest.param('<link rel="stylesheet" href="a.css"><input name="phone" value="on">', [], id="plain"),
    ],
)
def test_inline_code_is_seen(markup, found):
    assert inline_code(markup) == found


def test_no_template_carries_code_or_style_of_its_own():
    found = {
        path.relative_to(TEMPLATES).as_posix(): inline_code(path.read_text())
        for path in TEMPLATES.rglob("*")
        if path.suffix in {".html", ".svg"}
    }

    assert len(found) > 20
    assert {name: kinds for name, kinds in found.items() if kinds} == {}


PUBLIC = {
    "sign-in": "account_login",
    "ask for a code": "account_request_login_code",
    "forgotten password": "account_reset_password",
    "reset mail sent": "account_reset_password_done",
    "no sign-up": "account_signup",
}


@pytest.mark.django_db
@pytest.mark.parametrize("name", PUBLIC.values(), ids=PUBLIC)
def test_public_page_answers_under_the_strict_policy(client, name):
    response = client.get(reverse(name))

    policy = response.headers["Content-Security-Policy"]
    directives = dict(part.split(maxsplit=1) for part in policy.split("; "))
    assert response.status_code == 200
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == "'self'"
    assert directives["style-src"] == "'self'"
    assert "unsafe" not in policy
    assert inline_code(response.text) == []


@pytest.mark.django_db
def test_sign_in_offers_the_code_first_and_the_password_second(client):
    page = client.get(reverse("account_login"), {"next": "/my/"}).text

    code_form, password_form = page.split("<details", maxsplit=1)
    assert f'action="{reverse("account_request_login_code")}' in code_form
    assert 'name="email"' in code_form
    assert 'name="next"' in code_form
    assert 'type="password"' not in code_form
    assert 'name="login"' in password_form
    assert 'type="password"' in password_form
    assert 'name="next"' in password_form


@pytest.mark.django_db
def test_wrong_password_is_told_with_the_form_open_and_the_address_kept(client):
    response = client.post(reverse("account_login"), {"login": "nobody@example.org", "password": "wrong"})

    assert response.status_code == 200
    assert re.search(r"<details[^>]* open>", response.text)
    assert "are not correct" in response.text
    assert 'value="nobody@example.org"' in response.text


@pytest.mark.django_db
def test_an_unknown_address_gets_the_same_page_as_a_known_one(client, django_user_model):
    django_user_model.objects.create_user("known", email="known@example.org").emailaddress_set.create(
        email="known@example.org", verified=True, primary=True
    )

    def answer(address: str) -> str:
        page = Client().post(reverse("account_request_login_code"), {"email": address}, follow=True).text
        return re.sub(r"[\w-]{30,}", "TOKEN", page.replace(address, "ADDRESS"))

    assert "on its way there" in answer("known@example.org")
    assert answer("known@example.org") == answer("unknown@example.org")


@pytest.mark.django_db
def test_a_missing_page_says_so_in_words(client):
    response = client.get("/there-is-no-such-page/")

    assert response.status_code == 404
    assert "There is no such page" in response.text


@pytest.mark.django_db
def test_a_stale_form_gets_words_too():
    response = Client(enforce_csrf_checks=True).post(reverse("account_login"), {"login": "a@example.org"})

    assert response.status_code == 403
    assert "Nothing was changed" in response.text


def test_the_error_page_needs_neither_request_nor_context():
    assert "Something went wrong here" in get_template("500.html").render()
