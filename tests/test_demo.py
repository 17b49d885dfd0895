import os
import smtplib
import socket
import stat
from email.message import EmailMessage

import pytest

from clinic.management.commands.demo import Mailbox
from tests.running_demo import RunningDemo, free_port, refused_demo

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


@pytest.fixture(scope="module")
def state(ended, tmp_path_factory):
    """The data of the first."""
    return ended.copy(tmp_path_factory.mktemp("demo") / "state")


@pytest.fixture(scope="module")
def demo(state):
    """The second demo, on the data of the first."""
    running = RunningDemo(state=state)
    yield running
    running.end()


def test_sigterm_ends_every_process_in_order(ended):
    assert ended.process.returncode == 0
    assert ended.survivors(after=0) == []
    assert "Ended. The data stays" in ended.output()


def test_a_restart_keeps_the_data_and_the_key(demo, ended, state):
    with demo.database() as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("a word",)]
    assert (state / "secret_key").read_text() == ended.key


def test_it_answers_when_database_and_broker_do_and_says_where(demo):
    assert demo.health() == 200
    assert f"http://localhost:{demo.port}" in demo.output()


def test_nothing_but_web_and_mail_listens_on_the_network_and_only_on_this_machine(demo):
    listening = {
        (process.name(), connection.laddr.ip)
        for process in demo.family
        for connection in process.net_connections("inet")
        if connection.status == "LISTEN"
    }

    assert listening == {("gunicorn", "127.0.0.1")}


def test_the_key_is_readable_by_its_owner_only(ended):
    assert stat.S_IMODE((ended.state / "secret_key").stat().st_mode) == 0o600
    assert stat.S_IMODE(ended.state.stat().st_mode) == 0o700


def test_a_second_start_says_that_one_is_running(demo, state):
    second = refused_demo(state=state, port=free_port())

    assert second.returncode == 1
    assert "running already" in second.stderr
    assert f"process {demo.process.pid}, http://localhost:{demo.port}" in second.stderr
    assert demo.health() == 200


def test_a_busy_port_is_named_with_the_process_that_listens(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        refused = refused_demo(state=tmp_path / "state", port=port)

    assert refused.returncode == 1
    assert f"Port {port} is busy" in refused.stderr
    assert f"(process {os.getpid()})" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.parametrize(
    ("port", "words"),
    [pytest.param(70_000, "is not a port", id="no such port"), pytest.param(-1, "is not a port", id="negative")],
)
def test_an_impossible_port_is_refused_in_words(tmp_path, port, words):
    refused = refused_demo(state=tmp_path / "state", port=port)

    assert refused.returncode == 1
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_place_that_cannot_hold_the_data_is_refused_in_words(tmp_path):
    (tmp_path / "file").touch()

    refused = refused_demo(state=tmp_path / "file", port=free_port())

    assert refused.returncode == 1
    assert "cannot be kept" in refused.stderr


def test_mail_is_kept_as_a_file_and_announced(tmp_path):
    said = []
    mailbox = Mailbox(tmp_path, say=said.append)
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "clinic@example.org", "ines@example.org", "Dein Code für heute"
    mail.set_content("123 456, schön")

    with smtplib.SMTP("127.0.0.1", mailbox.port) as smtp:
        smtp.send_message(mail)

    [file] = tmp_path.iterdir()
    assert said == [f"Mail to ines@example.org: Dein Code für heute (saved at {file})"]
    assert b"123 456" in file.read_bytes()
