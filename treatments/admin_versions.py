"""The pages beside a protocol's form: its versions, publish, retire, copy, the library's offer, export and import."""

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST

from patients.errors import Refused
from treatments import documents, exchange, library, words
from treatments.documents import Document
from treatments.models import Protocol, ProtocolVersion
from treatments.models.choices import ProtocolStatus
from treatments.services import exchanging, protocols, storing
from treatments.services.exchanging import Entry, Way

TEMPLATES = "admin/treatments/protocol"
WAYS = {
    Way.NEW: gettext_lazy("Add it, as a draft"),
    Way.COPY: gettext_lazy("Add it beside ours, as a draft “Copy of …”"),
    Way.CHANGE: gettext_lazy("Change ours; series under way stay as they are"),
    Way.SKIP: gettext_lazy("Leave it out"),
}


class VersionsMixin(admin.ModelAdmin):
    """For the admin of protocols: keeps a version after each change of a published one, and shows them.

    Its queryset says in `running_series` how many series under way stay on which version.
    """

    def get_urls(self) -> list[Any]:
        def page(route: str, view: Callable[..., HttpResponse], name: str) -> Any:
            return path(route, self.admin_site.admin_view(view), name=f"treatments_protocol_{name}")

        return [
            page("import/", self.import_view, "import"),
            page("export/", self.export_all_view, "export_all"),
            page("<int:object_id>/versions/", self.versions_view, "versions"),
            page("<int:object_id>/versions/<int:number>/", self.version_view, "version"),
            page("<int:object_id>/export/", self.export_view, "export"),
            page("<int:object_id>/publish/", require_POST(self.publish_view), "publish"),
            page("<int:object_id>/retire/", require_POST(self.retire_view), "retire"),
            page("<int:object_id>/copy/", require_POST(self.copy_view), "copy"),
            page("<int:object_id>/library/", require_POST(self.library_view), "library"),
            *super().get_urls(),
        ]

    # Keeping versions

    def save_model(self, request: HttpRequest, obj: Protocol, form: Any, change: bool) -> None:
        if change:
            protocols.keep_before_change(protocol=obj, now=timezone.now())
        super().save_model(request, obj, form, change)

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        super().save_related(request, form, formsets, change)
        # Only now is all of it stored: the protocol, its rows and its lists.
        version = protocols.record_change(protocol=form.instance, by=request.user, now=timezone.now())
        if version is not None and version.version > 1:
            messages.info(
                request,
                _("This is version %d now. Series under way stay on the version they began with.") % version.version,
            )

    # Looking

    def _found(self, request: HttpRequest, object_id: int, *, to_change: bool = False) -> Protocol:
        protocol = get_object_or_404(self.get_queryset(request), pk=object_id)
        allowed = self.has_change_permission if to_change else self.has_view_permission
        if not allowed(request, protocol):
            raise PermissionDenied
        return protocol

    def _page(self, request: HttpRequest, template: str, title: str, **context: Any) -> TemplateResponse:
        context |= {**self.admin_site.each_context(request), "title": title, "opts": self.opts}
        context |= {"may_change": self.has_change_permission(request)}
        return TemplateResponse(request, f"{TEMPLATES}/{template}", context)

    def versions_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Who changed what and when, in words, with the buttons for what else can be done."""
        protocol = self._found(request, object_id)
        kept = list(protocols.versions(protocol))
        said = [protocols.as_kept(version) for version in kept]
        running = {row["version"]: row["n"] for row in protocol.running_series}
        offer = library.offer(protocol)
        today = storing.document(protocol)
        return self._page(
            request,
            "version_list.html",
            _("Versions of “%s”") % protocol.name,
            protocol=protocol,
            rows=[
                {
                    "version": version,
                    "running": running.pop(version.version, 0),
                    "differences": words.differences(said[i + 1], said[i]) if i + 1 < len(said) else None,
                }
                for i, version in enumerate(kept)
            ],
            not_kept=sorted(running.items(), reverse=True),
            changed_since=words.differences(said[0], today) if said else [],
            offer=offer,
            offered=self._offered(protocol, today, offer.shipped) if offer else [],
        )

    @staticmethod
    def _offered(protocol: Protocol, today: Document, shipped: Document) -> list[words.Difference]:
        return words.differences(today, documents.renamed(shipped, protocol.name))

    def version_view(self, request: HttpRequest, object_id: int, number: int) -> HttpResponse:
        """One version, and how it differs from what the protocol says today."""
        protocol = self._found(request, object_id)
        version = get_object_or_404(ProtocolVersion.objects.select_related("by"), protocol=protocol, version=number)
        said = protocols.as_kept(version)
        return self._page(
            request,
            "version_detail.html",
            _("Version %(number)d of “%(name)s”") % {"number": number, "name": protocol.name},
            protocol=protocol,
            version=version,
            contents=words.contents(said),
            differences=words.differences(said, storing.document(protocol)),
        )

    # What else can be done

    def _done(self, request: HttpRequest, protocol: Protocol, work: Callable[[], str]) -> HttpResponse:
        try:
            messages.success(request, work())
        except Refused as refusal:
            messages.error(request, str(refusal))
        return HttpResponseRedirect(reverse("admin:treatments_protocol_versions", args=[protocol.pk]))

    def publish_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        protocol = self._found(request, object_id, to_change=True)

        def publish() -> str:
            protocols.publish(protocol=protocol, by=request.user, now=timezone.now())
            return _("“%s” is published: series can be started by it.") % protocol.name

        return self._done(request, protocol, publish)

    def retire_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        protocol = self._found(request, object_id, to_change=True)

        def retire() -> str:
            protocols.retire(protocol=protocol)
            return _("“%s” is retired: no new series starts by it. Those under way go on.") % protocol.name

        return self._done(request, protocol, retire)

    def copy_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        copied = protocols.copy(protocol=self._found(request, object_id, to_change=True))
        messages.success(request, _("This is “%s”, a draft. Change what is different, then publish it.") % copied.name)
        return HttpResponseRedirect(reverse("admin:treatments_protocol_change", args=[copied.pk]))

    def library_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        """Take over what the library ships now, or keep what the clinic has."""
        protocol = self._found(request, object_id, to_change=True)

        def settle() -> str:
            if "take" in request.POST:
                library.take_over(protocol=protocol, by=request.user, now=timezone.now())
                return _("The library's text is taken over. Your clinician has to confirm it.")
            library.pass_over(protocol=protocol, by=request.user, now=timezone.now())
            return _("Your text stays. The library will offer its next one.")

        return self._done(request, protocol, settle)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        from_library = list(Protocol.objects.exclude(library_key=None).only("name", "library_key"))
        offered = library.offers(from_library)
        extra_context = (extra_context or {}) | {
            "library_offers": [protocol for protocol in from_library if protocol.pk in offered],
            "may_change": self.has_change_permission(request),
        }
        return super().changelist_view(request, extra_context)

    # Export and import

    def export_view(self, request: HttpRequest, object_id: int) -> HttpResponse:
        protocol = self._found(request, object_id)
        return _file(Protocol.objects.filter(pk=protocol.pk), slugify(protocol.name) or "protocol")

    def export_all_view(self, request: HttpRequest) -> HttpResponse:
        """All protocols, or those of the keys in the address."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        found = Protocol.objects.all()
        if "ids" in request.GET:
            found = found.filter(
                pk__in=[key for key in request.GET["ids"].split(",") if key.isascii() and key.isdigit()]
            )
        if not found.exists():
            raise Http404(_("There is no protocol to export."))
        return _file(found, "protocols")

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """A file or its text; then what it would change; then, on a second press, the change."""
        if not self.has_change_permission(request):
            raise PermissionDenied
        if request.method != "POST":
            return self._import_page(request)
        content, problem = _content(request)
        file = exchange.parsed(content) if problem is None else exchange.File((), ())
        if problem is not None or file.problems:
            found = [problem] if problem is not None else [str(each) for each in file.problems]
            return self._import_page(request, content=_text(content), problems=found, status=422)
        entries = exchanging.compared(file.documents)
        if "confirm" not in request.POST:
            return self._import_page(request, content=_text(content), entries=entries)
        try:
            taken = exchanging.take(
                said=file.documents,
                ways={entry.said.name: _way(request, i) for i, entry in enumerate(entries)},
                seen={entry.said.name: request.POST.get(f"seen-{i}", "") for i, entry in enumerate(entries)},
                by=request.user,
                now=timezone.now(),
            )
        except Refused as refusal:
            return self._import_page(
                request, content=_text(content), entries=entries, problems=[str(refusal)], status=422
            )
        said = ngettext("%d protocol was taken in.", "%d protocols were taken in.", len(taken)) % len(taken)
        messages.success(request, said + " " + _("New ones are drafts until somebody publishes them."))
        return HttpResponseRedirect(reverse("admin:treatments_protocol_changelist"))

    def _import_page(
        self,
        request: HttpRequest,
        *,
        content: str = "",
        entries: list[Entry] | None = None,
        problems: list[str] | None = None,
        status: int = 200,
    ) -> HttpResponse:
        response = self._page(
            request,
            "import.html",
            _("Import protocols"),
            content=content,
            problems=problems or [],
            largest=exchange.LARGEST_FILE // 1000,
            entries=[
                {
                    "number": i,
                    "entry": entry,
                    "problem": _published_by_change(entry),
                    "ways": [(way, WAYS[way], way == (_way(request, i) or entry.ways[0])) for way in entry.ways],
                }
                for i, entry in enumerate(entries or [])
            ],
        )
        response.status_code = status
        return response


def _published_by_change(entry: Entry) -> str:
    """What a change of ours means for patients, where it means something."""
    if entry.existing is None or entry.existing.status != ProtocolStatus.PUBLISHED or not entry.differences:
        return ""
    return _("Ours is published: if you change it, the next series starts by what the file says.")


def _way(request: HttpRequest, number: int) -> Way | None:
    wanted = request.POST.get(f"way-{number}", "")
    return Way(wanted) if wanted in list(Way) else None


def _content(request: HttpRequest) -> tuple[bytes | str, str | None]:
    """What was uploaded or pasted; and why it is not even looked at."""
    uploaded = request.FILES.get("file")
    if uploaded is None:
        # A text field sends its line ends as CR LF.
        return request.POST.get("content", "").replace("\r\n", "\n"), None
    if uploaded.size > exchange.LARGEST_FILE:
        return b"", _("The file is larger than %d kB. Export fewer protocols at a time.") % (
            exchange.LARGEST_FILE // 1000
        )
    return uploaded.read(), None


def _text(content: bytes | str) -> str:
    """For the page, which carries what was read to the next press."""
    if isinstance(content, str):
        return content if len(content) <= exchange.LARGEST_FILE else ""
    return content.decode("utf-8-sig", errors="replace")


def _file(found: QuerySet[Protocol], name: str) -> HttpResponse:
    response = HttpResponse(exchanging.exported(found), content_type="application/json; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.json"'
    return response
