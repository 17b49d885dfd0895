"""The four roles of the people who work at a clinic, and what each may do: one table.

The roles are groups, made and brought in step with the table after each `migrate` (see `keep`). A new permission is
given to somebody by naming it here; what is not named here nobody has but a superuser. For a set of rights of one's
own there is no room in these groups: what is added to them by hand is taken away by the next `migrate`.
"""

from itertools import product

from django.apps import apps as apps_now
from django.db.models import Model

RECEPTIONIST, PRACTITIONER, MANAGER, ADMIN = "receptionist", "practitioner", "manager", "admin"

OF_A_PATIENT = ["patient", "series", "session", "maintenance", "appointment"]
READS = [*OF_A_PATIENT, "consent", "claim", "message"]
CATALOGUE = ["treatment", "devicekind", "concern", "addon"]
PROTOCOLS = [
    "protocol",
    "override",
    "phase",
    "maintenancerule",
    "protocoladdon",
    "careinstruction",
    "milestone",
    "screeningquestion",
]
PLACES = ["site", "openinghours", "closure", "resource", "workinghours", "absence"]
SENDING = ["reminderstep", "messagetemplate"]

# To book a session outside its window takes a judgement that the desk does not make.
OVERRIDE = "override_window"
MOVE_SERIES = "move_series_version"
OPERATE = "operate_sending"
# Reports tell of colleagues too: how full their days are, and who of their patients stays away.
REPORTS = "see_reports"
# Duplicates are met where patients are registered. It is not undone, and so not everybody's.
MERGE = "merge_patient"
SECOND_FACTOR = "require_second_factor"
# A file holds the whole of a clinic, and what it says is stored thousands at a time.
IMPORT = "import_patients"

# When the clinic is open and who works when. That somebody is ill the desk hears first.
ROTA, ABSENCE = "change_rota", "note_absence"


def _may(verbs: str, models: list[str]) -> set[str]:
    return {f"{verb}_{model}" for verb, model in product(verbs.split(), models)}


_LOOK = _may("view", [*READS, *CATALOGUE, *PROTOCOLS, *PLACES, *SENDING])
# The desk is everybody's: a practitioner records and books too, and whoever looks after the program helps out. What
# takes a judgement, or concerns the whole of a clinic, is named role by role.
_DESK = _LOOK | _may("add change", OF_A_PATIENT) | {"add_consent"}

ROLES: dict[str, set[str]] = {
    RECEPTIONIST: _DESK | {ABSENCE, MERGE},
    PRACTITIONER: _DESK | {OVERRIDE, MOVE_SERIES},
    MANAGER: _DESK
    | _may("add change delete", [*PLACES, *SENDING])
    | _may("view", ["recordview"])
    | {OVERRIDE, MOVE_SERIES, OPERATE, REPORTS, SECOND_FACTOR, IMPORT, MERGE, ROTA, ABSENCE},
    ADMIN: _DESK
    | _may("add change delete", [*CATALOGUE, *PROTOCOLS, *PLACES, *SENDING])
    | _may("view", ["recordview"])
    # Accounts of staff, and which role each has.
    | _may("view add change", ["user"])
    | {OVERRIDE, MOVE_SERIES, OPERATE, REPORTS, SECOND_FACTOR, IMPORT, MERGE, ROTA, ABSENCE},
}
APPS = ["auth", "patients", "treatments", "clinic"]


def keep(*, using: str, apps=apps_now, **about_the_migration) -> None:
    """Make the roles exist and hold exactly what the table says. Safe to run at any time.

    Django calls it after each `migrate` and after a test has emptied the tables. Permissions are made at the same
    point and not by migrations, so neither a data migration, which an emptied table would also lose, nor a command
    that somebody has to remember could do this.
    """
    try:
        Group, Permission = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:  # migrated back to before there were any
        return
    known = _known(Permission, using)
    for role, codenames in ROLES.items():
        group, _created = Group.objects.using(using).get_or_create(name=role)
        # In a database migrated back some are not there yet; that all exist in the newest is tested.
        group.permissions.set([known[codename] for codename in codenames & known.keys()])


def _known(Permission: type[Model], using: str) -> dict[str, Model]:
    found = Permission.objects.using(using).filter(content_type__app_label__in=APPS)
    return {permission.codename: permission for permission in found}
