"""Import patients and courses from a file: upload, what it comes to, and one press that does exactly that."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_POST, require_safe

from clinic import walltime
from clinic.forms.imports import UploadForm
from clinic.models import ImportFile, ImportKind
from clinic.permissions import View, staff_required
from clinic.services import imports
from clinic.views.at_site import default_site, phone_region
from patients import tables
from patients.dry_runs import MOST_SHOWN, DryRun
from patients.errors import Refused
from patients.search import tidy

IMPORT = "clinic.import_patients"
# A form around the file, and a name of any length.
FORM_BYTES = 100_000
# So much of what is too large is read and thrown away, so that the browser hears the answer.
MOST_DRAINED = 64_000_000
MOST_PROBLEMS = 100


def importer_required(view: View) -> View:
    """Staff who may import; other staff are told that they may not."""

    def allowed(request: HttpRequest, *args, **kwargs) -> HttpResponse:
        if not request.user.has_perm(IMPORT):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return staff_required(allowed)


@csrf_exempt
@importer_required
def start(request: HttpRequest) -> HttpResponse:
    """Choose a file. How large it claims to be is looked at before anything of it is read; only then the token."""
    if request.method == "POST" and _claims(request) > tables.MOST_BYTES + FORM_BYTES:
        _drain(request)
        # Nothing of what was sent is read: not even which kind was chosen.
        form = UploadForm(files=None, data={"kind": ImportKind.PATIENTS})
        form.errors["file"] = form.error_class([_too_large()])
        return _form_page(request, form, status=413)
    return _start(request)


def _claims(request: HttpRequest) -> int:
    said = request.META.get("CONTENT_LENGTH") or "0"
    return int(said) if said.isascii() and said.isdigit() and len(said) < 16 else tables.MOST_BYTES * 1000


def _drain(request: HttpRequest) -> None:
    left = MOST_DRAINED if _claims(request) <= MOST_DRAINED else 0
    while left > 0 and (read := request.read(65_536)):
        left -= len(read)


def _too_large() -> str:
    return _("The file is larger than %d MB. Split it and import the parts one after the other.") % (
        tables.MOST_BYTES // 1_000_000
    )


@csrf_protect
def _start(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST or None, request.FILES or None)
    if request.method != "POST":
        return _form_page(request, UploadForm(initial={"kind": request.GET.get("kind", ImportKind.PATIENTS)}))
    now, zone = timezone.now(), _zone(request)
    imports.forget_old(now=now)
    if form.is_valid():
        file = form.cleaned_data["file"]
        if file.size > tables.MOST_BYTES:
            form.add_error("file", _too_large())
        else:
            try:
                imports.keep(
                    kind=ImportKind(form.cleaned_data["kind"]),
                    name=tidy(file.name),
                    content=file.read(),
                    today=walltime.day_of(now, zone),
                    by=request.user,
                    now=now,
                    region=phone_region(request),
                )
            except Refused as refusal:
                form.add_error("file", str(refusal))
            else:
                return redirect("desk:import-report")
    return _form_page(request, form, status=422)


def _form_page(request: HttpRequest, form: UploadForm, *, status: int = 200) -> HttpResponse:
    kinds = [(kind, imports.columns(kind)) for kind in imports.IMPORTERS]
    waiting = imports.kept(by=request.user, now=timezone.now())
    return render(request, "desk/import.html", {"form": form, "kinds": kinds, "waiting": waiting}, status=status)


def _zone(request: HttpRequest) -> ZoneInfo:
    try:
        return default_site(request).time_zone
    except Http404:
        # Patients can be taken in before the clinic has described its sites.
        return ZoneInfo("UTC")


def _today(request: HttpRequest, now: datetime) -> date:
    return walltime.day_of(now, _zone(request))


def _looked_at(request: HttpRequest, file: ImportFile, now: datetime) -> DryRun:
    kind, content = ImportKind(file.kind), bytes(file.content)
    return imports.looked_at(kind, content, today=_today(request, now), region=phone_region(request))


@importer_required
@require_safe
def template(request: HttpRequest, kind: str) -> HttpResponse:
    """An empty file to fill in."""
    if kind not in imports.IMPORTERS:
        raise Http404
    return _as_file(tables.template(imports.columns(ImportKind(kind))), f"{kind}.csv")


def _as_file(text: str, name: str) -> HttpResponse:
    response = HttpResponse(text, content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@importer_required
@require_safe
def report(request: HttpRequest) -> HttpResponse:
    """What the file comes to, as things stand now. Nothing is stored."""
    return _report(request, answers={})


def _report(request: HttpRequest, *, answers: dict[int, str], problem: str = "", status: int = 200) -> HttpResponse:
    now = timezone.now()
    file = imports.kept(by=request.user, now=now)
    if file is None:
        return _no_file(request)
    try:
        run = _looked_at(request, file, now)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("desk:import")
    return render(request, "desk/import_report.html", _described(file, run, answers, problem), status=status)


def _no_file(request: HttpRequest) -> HttpResponse:
    messages.info(request, _("No file waits to be imported. It was imported already, or it waited for over an hour."))
    return redirect("desk:import")


def _described(file: ImportFile, run: DryRun, answers: dict[int, str], problem: str) -> dict:
    asked = run.asked
    return {
        "file": file,
        "run": run,
        "lines": len(run.table.lines),
        "problem": problem,
        "problems": run.problems[:MOST_PROBLEMS],
        "more_problems": max(len(run.problems) - MOST_PROBLEMS, 0),
        "questions": [(question, answers.get(question.line, "")) for question in asked],
        "more_questions": len(run.questions) - len(asked),
        "known": run.known[:MOST_SHOWN],
        "more_known": max(len(run.known) - MOST_SHOWN, 0),
        "more_first": run.new - len(run.first),
        "anything": run.new or run.known or asked,
    }


@importer_required
@require_safe
def left_out(request: HttpRequest) -> HttpResponse:
    """The lines that have a problem, with the reason beside each."""
    now = timezone.now()
    file = imports.kept(by=request.user, now=now)
    if file is None:
        return _no_file(request)
    try:
        run = _looked_at(request, file, now)
    except Refused as refusal:
        messages.error(request, str(refusal))
        return redirect("desk:import")
    return _as_file(tables.left_out(run.table, run.problems), f"{file.kind}-left-out.csv")


@importer_required
@require_POST
def carry_out(request: HttpRequest) -> HttpResponse:
    now = timezone.now()
    file = imports.kept(by=request.user, now=now)
    if file is None:
        return _no_file(request)
    answers = _answers(request)
    try:
        done = imports.carry_out(
            file=file,
            answers=answers,
            seen=request.POST.get("seen", ""),
            today=_today(request, now),
            by=request.user,
            now=now,
            zone=_zone(request),
            region=phone_region(request),
        )
    except Refused as refusal:
        return _report(request, answers=answers, problem=str(refusal), status=409)
    said = [ngettext("%d line was taken in.", "%d lines were taken in.", done.created) % done.created]
    if done.linked:
        said.append(ngettext("%d was here already.", "%d were here already.", done.linked) % done.linked)
    if done.left_out:
        said.append(ngettext("%d was left out.", "%d were left out.", done.left_out) % done.left_out)
    messages.success(request, " ".join([*said, _("The file is forgotten.")]))
    return redirect("desk:import")


def _answers(request: HttpRequest) -> dict[int, str]:
    """By line, what was answered."""
    return {
        int(name[5:]): value[:20]
        for name, value in request.POST.items()
        if re.fullmatch(r"line-\d{1,7}", name, re.ASCII)
    }


@importer_required
@require_POST
def forget(request: HttpRequest) -> HttpResponse:
    imports.forget(by=request.user)
    messages.success(request, _("The file is forgotten. Nothing was imported."))
    return redirect("desk:import")
