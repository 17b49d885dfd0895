import asyncio

import pytest
from django.utils import translation

from tests.mail_server import MailServer
from tests.world import World, a_clinic


@pytest.fixture(autouse=True)
def the_language_of_the_settings():
    """A page in another language leaves it active in this thread."""
    yield
    translation.deactivate()


@pytest.fixture(autouse=True)
def no_loop_of_the_browser(request):
    """The browser's loop counts as running until the process ends, and an asynchronous page refuses to be asked."""
    loop = None if "playwright" in request.fixturenames else asyncio._get_running_loop()
    if loop is not None:
        asyncio._set_running_loop(None)
    yield
    if loop is not None:
        asyncio._set_running_loop(loop)


@pytest.fixture
def world(db) -> World:
    return a_clinic()


@pytest.fixture
def smtp_server(settings):
    """A real SMTP server, and the settings that send mail to it."""
    server = MailServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
    yield server
    server.stop()
