"""Types protocols into the admin's own form, as a browser would send it, and reads pages back."""

import re
from decimal import Decimal

from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from treatments.models import AddOn, Concern, DeviceKind, Protocol, Treatment

ADD = "/admin/treatments/protocol/add/"
ROWS = [
    "overrides",
    "phases",
    "add_ons",
    "maintenance_rules",
    "care_instructions",
    "milestones",
    "screening_questions",
]


def change_url(protocol: Protocol) -> str:
    return reverse("admin:treatments_protocol_change", args=[protocol.pk])


def an_editor(*rights: str) -> User:
    """Somebody of the staff with these rights to protocols, and no other."""
    user = User.objects.create_user("editor", "editor@example.com", is_staff=True)
    wanted = [f"{right}_protocol" for right in rights or ("view", "add", "change")]
    user.user_permissions.add(*Permission.objects.filter(codename__in=wanted))
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def filled(**rows) -> dict[str, str]:
    """What a browser sends: fields by name, and lists of rows by the name of their formset. None is left empty."""
    data = {}
    for name in ROWS:
        given = rows.pop(name, [])
        data |= {
            f"{name}-TOTAL_FORMS": len(given),
            f"{name}-INITIAL_FORMS": sum("id" in row for row in given),
            f"{name}-MIN_NUM_FORMS": 0,
            f"{name}-MAX_NUM_FORMS": 1000,
        }
        for number, row in enumerate(given):
            data |= {f"{name}-{number}-{key}": value for key, value in row.items()}
    defaults = {"status": "draft", "session_kind": "unknown"}
    return {
        key: value for key, value in {**defaults, **rows, **data}.items() if value is not None and value is not False
    }


def shown(response) -> dict[str, str]:
    """What the form of a page holds, as a browser would send it back unchanged."""
    form = response.context["adminform"].form
    data = {}
    for each in [form, *_rows(response)]:
        for bound in each:
            value = (
                bound.field.widget.format_value(bound.value())
                if hasattr(bound.field.widget, "format_value")
                else bound.value()
            )
            if isinstance(value, list) and len(value) == 1 and not hasattr(bound.field, "choices"):
                value = value[0]
            if bound.field.widget.__class__.__name__ == "CheckboxInput":
                value = "on" if bound.value() else None
            elif value in (None, [], [None], [""]):
                value = ""
            if value is not None:
                data[bound.html_name] = bound.value() if isinstance(bound.value(), list) else value
    for formset in _formsets(response):
        data |= {f"{formset.prefix}-{key}": value for key, value in formset.management_form.initial.items()}
    return data


def _formsets(response):
    return [inline.formset for inline in response.context["inline_admin_formsets"]]


def _rows(response):
    return [form for formset in _formsets(response) for form in formset.forms]


def errors(response) -> dict[str, list[str]]:
    """Every refusal of a page, by the name of the field it stands at; "" where it stands at none."""
    found: dict[str, list[str]] = {}
    for form in [response.context["adminform"].form, *_rows(response)]:
        for name, said in form.errors.items():
            key = form.add_prefix(name) if name != "__all__" else ""
            found.setdefault(key, []).extend(said)
    for formset in _formsets(response):
        if formset.non_form_errors():
            found.setdefault("", []).extend(formset.non_form_errors())
    return found


# --- from the facts to what is typed


def counted(says: dict | None) -> dict[str, object]:
    says = says or {"kind": "unknown"}
    kind = says["kind"]
    return {
        "session_kind": kind,
        "session_min": says.get("min"),
        # A fixed number is typed once.
        "session_max": says.get("max") if kind == "range" else None,
        "session_text": says.get("text"),
    }


def spaced(says: dict | None) -> dict[str, object]:
    if not says:
        return {}
    return {"spacing_min": says["min"], "spacing_max": says["max"], "spacing_unit": says["unit"]}


def add_on_row(says: dict, only_for: str = "") -> dict[str, object]:
    add_on = AddOn.objects.get_or_create(name=says["name"])[0]
    return {"add_on": add_on.pk, "role": says["role"], "route": says.get("route"), "only_for": only_for}


def rule_row(says: dict, only_for: str = "") -> dict[str, object]:
    treatment = Treatment.objects.get_or_create(name=says["treatment"])[0].pk if says["treatment"] else None
    return says | {"treatment": treatment, "at_least": says["at_least"] and "on", "only_for": only_for}


def concern_keys(names: list[str]) -> list[int]:
    return [Concern.objects.get_or_create(name=name)[0].pk for name in names]


def template(rows: list[dict], care: dict) -> dict[str, object]:
    """All rows of one template as its form would be filled in."""
    default = next((row for row in rows if not row["when"]), None)
    fields: dict[str, object] = {
        "name": rows[0]["template"],
        "treatment": Treatment.objects.get_or_create(name=rows[0]["treatment"])[0].pk,
        "status": "published",
        **counted(default and default["sessions"]),
        **spaced(default and default["interval"]),
        "add_ons": [add_on_row(each) for each in default["add_ons"]] if default else [],
        "maintenance_rules": [rule_row(each) for each in default["maintenance"]] if default else [],
        "overrides": [],
        "care_instructions": [],
        "milestones": [],
    }
    said = {key: value for row in rows for key, value in row.items()}
    fields |= {
        "indications": concern_keys(said.get("indications_of_template", [])),
        "areas": "\n".join(said.get("areas_of_template", [])),
        "severity": said.get("severity_of_template", ""),
        "depends_on": "\n".join((default or {}).get("depends_on", [])),
        "anaesthesia": (default or {}).get("anaesthesia"),
    }
    if "care" in said:
        texts = care[said["care"]]
        fields["care_instructions"] = [{"when": when} | each for when in ("before", "after") for each in texts[when]]
        fields["milestones"] = texts["milestones"]
    for row in rows:
        if row["when"]:
            _override(fields, row, default)
    return fields


def _override(fields: dict, row: dict, default: dict | None) -> None:
    """An override replaces what its row says otherwise than the default row."""
    when, name = row["when"], row["id"]
    typed: dict[str, object] = {
        "name": name,
        "concerns": concern_keys(when.get("concerns", [])),
        "severity": when.get("severity", ""),
        "area": when.get("area", ""),
        "depth_min_mm": _plain(when.get("depth_mm")),
        "depth_max_mm": _plain(when.get("depth_mm")),
    }
    replaces = []
    if row["sessions"]["kind"] != "inherit":
        replaces.append("sessions")
        typed |= counted(row["sessions"])
    else:
        typed["session_kind"] = "unknown"
    if row["interval"] != "inherit":
        replaces.append("spacing")
        typed |= spaced(row["interval"])
    if "anaesthesia" in row:
        replaces.append("anaesthesia")
        typed["anaesthesia"] = row["anaesthesia"]
    replaces += ["add_ons", "maintenance"]
    fields["add_ons"] += [add_on_row(each, name) for each in row["add_ons"]]
    fields["maintenance_rules"] += [rule_row(each, name) for each in row["maintenance"]]
    fields["overrides"].append(typed | {"replaces": replaces})


def _plain(depth: Decimal | None) -> str | None:
    return None if depth is None else str(depth)


def device_kind(name: str) -> int:
    return DeviceKind.objects.get_or_create(name=name)[0].pk


def page_text(response) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
