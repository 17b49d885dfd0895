"""Vendored files are what was taken from their makers, byte for byte, with the licence beside them."""

import hashlib
from pathlib import Path

import pytest

VENDOR = Path(__file__).resolve().parent.parent / "static" / "vendor"
LISTED = dict(reversed(line.split(maxsplit=1)) for line in (VENDOR / "SHA256SUMS").read_text().splitlines())


def test_every_vendored_file_is_listed_and_every_listed_file_is_there():
    present = {path.relative_to(VENDOR).as_posix() for path in VENDOR.rglob("*") if path.is_file()}

    assert present == {*LISTED, "SHA256SUMS"}


@pytest.mark.parametrize("name", sorted(LISTED))
def test_vendored_file_is_unchanged(name):
    assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == LISTED[name]


@pytest.mark.parametrize("folder", sorted({str(Path(name).parent) for name in LISTED}))
def test_licence_stands_beside_the_files(folder):
    assert any(path.name.upper().startswith("LICENSE") for path in (VENDOR / folder).iterdir())


@pytest.mark.parametrize("name", sorted(name for name in LISTED if name.endswith((".js", ".css"))))
def test_no_source_map_is_promised(name):
    """collectstatic fails on a map that is named and not there."""
    assert b"sourceMappingURL" not in (VENDOR / name).read_bytes()
