import signal

import pytest

from tests.running_demo import RunningDemo

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("demo")]


def test_kill_9_leaves_no_process_and_the_next_start_finds_the_data(ended, tmp_path):
    state = ended.copy(tmp_path / "state")
    killed = RunningDemo(state=state)
    with killed.database() as connection:
        connection.execute("UPDATE kept SET word = 'another'")

    killed.process.kill()
    killed.process.wait()
    # At once, while the orphans may still be ending, and on the same port.
    next_one = RunningDemo(state=state, port=killed.port)

    assert killed.survivors(after=0) == []
    with next_one.database() as connection:
        assert connection.execute("SELECT word FROM kept").fetchall() == [("another",)]

    next_one.process.kill()
    next_one.process.wait()
    assert next_one.survivors(after=10) == []


def test_the_death_of_one_process_is_told_and_ends_the_rest(ended, tmp_path):
    demo = RunningDemo(state=ended.copy(tmp_path / "state"))

    demo.child("celery --app=config worker").send_signal(signal.SIGKILL)

    assert demo.process.wait(40) == 1
    assert "worker ended unexpectedly" in demo.output()
    assert demo.survivors(after=0) == []
