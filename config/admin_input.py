"""Rubbish that Django's admin would answer with an error of the server is refused before it gets there."""

from collections.abc import Iterator

from django.contrib.admin import ModelAdmin
from django.contrib.admin.views.main import SEARCH_VAR
from django.core.exceptions import BadRequest, ValidationError
from django.db.models import Field
from django.http import HttpRequest


class RefuseRubbish:
    """No NUL in what the admin filters by, and no key of a chosen row that cannot be one of its model."""

    def __init__(self, get_response) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest):
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view, args, kwargs) -> None:
        model_admin = getattr(view, "model_admin", None)
        if model_admin is None:
            return
        # The words of a search are cleaned by the admin itself.
        asked = [(name, value) for name, values in request.GET.lists() if name != SEARCH_VAR for value in values]
        if any("\0" in name + value for name, value in asked):
            raise BadRequest("NUL in the address")
        keys = dict(_looked_up(model_admin))
        try:
            for name, chosen in request.POST.lists():
                # A row of an inline says its number before the name of the field.
                key = keys.get(name.rpartition("-")[2])
                for value in chosen if key else ():
                    key.to_python(value or None)
        except ValidationError as error:
            raise BadRequest("not the key of a row") from error


def _looked_up(model_admin: ModelAdmin) -> Iterator[tuple[str, Field]]:
    """What is looked up by key before any form has cleaned it: the rows of an action, and choices that search."""
    yield "_selected_action", model_admin.opts.pk
    for each in (model_admin, *model_admin.inlines):
        for name in each.autocomplete_fields:
            yield name, each.model._meta.get_field(name).remote_field.model._meta.pk
