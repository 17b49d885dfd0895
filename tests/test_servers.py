"""The places of the embedded servers."""

import os

from config.servers import PrivateDirectory


def test_a_directory_in_use_is_left_alone_and_one_left_behind_is_removed():
    used = PrivateDirectory()
    killed = PrivateDirectory()
    os.close(killed._lock)

    last = PrivateDirectory()

    assert [directory.path.exists() for directory in (used, killed, last)] == [True, False, True]
    used.remove()
    last.remove()
