"""Who works here, and in which role. What a role may do stands in clinic.roles and is not changed here."""

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from clinic import roles
from clinic.services import second_factor, staff
from patients.errors import Refused

admin.site.unregister([User, Group])


class StaffForm(forms.ModelForm):
    """`by` is whoever fills it in."""

    by: User
    email = forms.EmailField(
        label=_("E-mail"), help_text=_("What they sign in with: the first time by a code that is sent to it.")
    )
    role = forms.ModelChoiceField(
        Group.objects.filter(name__in=roles.ROLES).order_by("pk"),
        label=_("Role"),
        required=False,
        help_text=_(
            "Receptionist: books. Practitioner: may also book outside a session's window. Manager: also the rota, the "
            "sending, the reports and the second factor. Admin: protocols, sites and accounts."
        ),
    )

    class Meta:
        model = User
        fields = ["first_name", "last_name", "email", "role", "is_active"]
        help_texts = {"is_active": _("Untick it when somebody leaves. What they did stays, with their name.")}

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk:
            self.initial.setdefault("role", self.instance.groups.first())

    def clean(self) -> dict:
        data = super().clean()
        if not self.errors:
            try:
                staff.check(
                    person=self.instance, email=data["email"], role=data["role"], active=data["is_active"], by=self.by
                )
            except staff.StaffError as refusal:
                self.add_error("role", str(refusal))
            except Refused as refusal:
                self.add_error("email", str(refusal))
        return data


@admin.register(User)
class StaffAdmin(admin.ModelAdmin):
    form = StaffForm
    list_display = ["__str__", "first_name", "last_name", "role", "has_second_factor", "is_active", "last_login"]
    list_filter = ["is_active", "groups"]
    search_fields = ["first_name", "last_name", "email"]
    actions = ["take_second_factor"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        """Patients who sign in are not among them: their access is given at the desk."""
        return second_factor.with_factors(User.objects.filter(is_staff=True)).prefetch_related("groups")

    def get_form(self, request: HttpRequest, obj: User | None = None, change: bool = False, **kwargs):
        form = super().get_form(request, obj, change=change, **kwargs)
        form.by = request.user
        return form

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Only a superuser touches a superuser."""
        allowed = obj is None or not obj.is_superuser or request.user.is_superuser
        return allowed and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: User, form: StaffForm, change: bool) -> None:
        staff.keep(person=obj, role=form.cleaned_data["role"])

    @admin.display(description=_("Role"))
    def role(self, person: User) -> str:
        return ", ".join(group.name for group in person.groups.all())

    @admin.display(description=_("Second factor"), boolean=True)
    def has_second_factor(self, person: User) -> bool:
        return person.has_second_factor

    @admin.action(description=_("Take off the second factor (the phone is lost)"), permissions=["change"])
    def take_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for person in queryset:
            if not self.has_change_permission(request, person):
                self.message_user(request, _("Only a superuser changes %s.") % person, messages.ERROR)
                continue
            staff.take_second_factor(person=person)
            self.log_change(request, person, _("Second factor taken off."))
            self.message_user(request, _("%s sets up a new one after signing in.") % person, messages.SUCCESS)
