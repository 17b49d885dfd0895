"""What is deployed is what is tested: the same versions, the same command lines."""

import re
import tomllib
from datetime import time
from importlib import metadata
from itertools import chain
from pathlib import Path

import pytest
import yaml
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from config import hours, processes, servers

ROOT = Path(__file__).parent.parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}
EXPORT = (
    "uv export --all-extras --no-default-groups --no-emit-project --no-annotate "
    "--format requirements-txt -o requirements.txt"
)


def pinned() -> list[Requirement]:
    """What requirements.txt installs on the Python and the platform of this test."""
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    requirements = [Requirement(line.removesuffix("\\")) for line in lines if re.match(r"\w", line)]
    return [requirement for requirement in requirements if not requirement.marker or requirement.marker.evaluate()]


def needed() -> dict[str, Requirement]:
    """The dependencies of pyproject.toml, extras too, and everything that they need in turn, as installed here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain.from_iterable(project["optional-dependencies"].values())]
    found: dict[str, Requirement] = {}
    seen: set[str] = set()
    waiting = [Requirement(line) for line in declared]
    while waiting:
        requirement = waiting.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        found[canonicalize_name(requirement.name)] = requirement
        for line in metadata.requires(requirement.name) or []:
            below = Requirement(line)
            extras = ["", *requirement.extras]
            if not below.marker or any(below.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(below)
    return found


def test_requirements_txt_holds_the_versions_that_are_tested_here():
    differing = {
        requirement.name: (str(requirement.specifier), metadata.version(requirement.name))
        for requirement in pinned()
        if metadata.version(requirement.name) not in requirement.specifier
    }

    assert differing == {}, f"Bring requirements.txt up to date: {EXPORT}"


def test_requirements_txt_holds_what_the_program_needs_and_nothing_else():
    assert {canonicalize_name(requirement.name) for requirement in pinned()} == set(needed()), EXPORT


def test_requirements_txt_has_a_hash_for_each_and_names_no_place():
    text = (ROOT / "requirements.txt").read_text()

    blocks = re.split(r"\n(?=\w)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE))
    assert all("--hash=sha256:" in block for block in blocks)
    assert "://" not in text
    assert "--index" not in text


def test_the_database_of_a_clinic_keeps_rows_and_statements_out_of_its_log():
    settings = COMPOSE["services"]["db"]["command"]

    assert settings == ["postgres", *(word for setting in servers.DISCREET for word in ("-c", setting))]


@pytest.mark.parametrize(
    ("service", "command"),
    [
        ("web", processes.WEB),
        ("worker", processes.WORKER),
        ("beat", processes.BEAT),
        ("migrate", processes.MIGRATE),
    ],
)
def test_compose_runs_the_command_lines_of_the_demo(service, command):
    assert COMPOSE["services"][service]["command"] == command


def test_the_image_runs_the_web_command_line_by_default_and_not_as_root():
    dockerfile = (ROOT / "Dockerfile").read_text()
    last_stage = dockerfile[dockerfile.rindex("\nFROM ") :]

    assert "CMD [" + ", ".join(f'"{word}"' for word in processes.WEB) + "]" in last_stage
    assert re.search(r"^USER (?!root)", last_stage, re.MULTILINE)


def test_the_servers_of_a_clinic_are_those_of_the_tests():
    assert COMPOSE["services"]["db"]["image"] == "postgres:18"
    assert COMPOSE["services"]["redis"]["image"].startswith("valkey/valkey:9")


@pytest.mark.parametrize("name", ["web", "worker"])
def test_web_and_worker_can_be_scaled(name):
    assert not {"container_name", "ports"} & set(OURS[name])


@pytest.mark.parametrize("name", OURS)
def test_no_secret_has_a_default(name):
    environment = OURS[name]["environment"]

    assert environment["SECRET_KEY"].startswith("${SECRET_KEY:?")
    assert "${POSTGRES_PASSWORD:?" in environment["DATABASE_URL"]


def test_compose_passes_on_every_setting_that_differs_between_clinics():
    read = set(re.findall(r'env(?:\.\w+)?\("([A-Z_]+)"', (ROOT / "config/settings.py").read_text()))
    same_everywhere = {"DEBUG", "STATIC_MANIFEST", "STATIC_ROOT", "CELERY_BROKER_URL", "CONN_MAX_AGE"}

    assert read - same_everywhere == set(OURS["web"]["environment"])


def test_every_variable_of_compose_is_explained_in_the_example():
    asked = set(re.findall(r"\$\{([A-Z_]+)", (ROOT / "docker-compose.yml").read_text())) - {"LOG_LEVEL"}
    explained = set(re.findall(r"^([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))

    assert asked == explained


@pytest.mark.parametrize(
    ("evening", "morning", "words"),
    [
        pytest.param("20", "09:00", "QUIET_FROM is a time of day", id="no time"),
        pytest.param("20:00", "nine", "QUIET_UNTIL is a time of day", id="no morning"),
        pytest.param("08:00", "09:00", "in the evening", id="the wrong way round"),
        pytest.param("09:30", "09:00", "an hour or more", id="no hour of the day is left"),
    ],
)
def test_quiet_hours_that_make_no_sense_are_refused_at_the_start(evening, morning, words):
    with pytest.raises(ImproperlyConfigured, match=words):
        hours.quiet(evening, morning)

    assert hours.quiet("21:30", "08:00") == (time(21, 30), time(8))


@pytest.mark.parametrize("name", ["web", "worker", "beat"])
def test_nothing_starts_before_the_database_is_up_to_date(name):
    assert OURS[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"


@pytest.mark.django_db
def test_every_change_of_a_model_has_its_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)
