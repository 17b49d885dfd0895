import pytest
from django.test import override_settings
from django.utils import translation
from hypothesis import HealthCheck, settings

from tests.mail_server import MailServer
from tests.running_demo import RunningDemo
from tests.world import World, a_clinic

# How long an example takes says what else the machine does, in a run of two workers.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session", autouse=True)
def passwords_are_cheap():
    """They are slow on purpose, which no test is about."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]):
        yield


@pytest.fixture(autouse=True)
def the_language_of_the_settings():
    """A page in another language leaves it active in this thread."""
    yield
    translation.deactivate()


class AtOnce:
    """In the place of the threads in which mails about signing in leave, so that a test need not wait for them."""

    def submit(self, call, *args) -> None:
        call(*args)


@pytest.fixture(autouse=True)
def mails_about_signing_in_leave_at_once(monkeypatch):
    monkeypatch.setattr("clinic.accounts.BESIDE", AtOnce())


@pytest.fixture
def world(db) -> World:
    return a_clinic()


@pytest.fixture(scope="session")
def ended(tmp_path_factory) -> RunningDemo:
    """A first demo, with something put into its database, ended by SIGTERM."""
    first = RunningDemo(state=tmp_path_factory.mktemp("first") / "state")
    with first.database() as connection:
        connection.execute("CREATE TABLE kept AS SELECT 'a word' AS word")
    first.key = (first.state / "secret_key").read_text()
    first.end()
    return first


@pytest.fixture
def smtp_server(settings):
    """A real SMTP server, and the settings that send mail to it."""
    server = MailServer()
    server.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = server.host, server.port
    yield server
    server.stop()
