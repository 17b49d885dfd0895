"""Whether all staff need a second factor to sign in, and who still has to set one up."""

from datetime import datetime

from allauth.mfa.models import Authenticator
from django.contrib.auth.models import User
from django.db.models import Exists, OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from clinic.models import SecondFactorRule
from patients.errors import Refused

# Recovery codes come with one, and are none by themselves.
FACTORS = [Authenticator.Type.TOTP, Authenticator.Type.WEBAUTHN]


class AlreadySo(Refused):
    """It was decided before, perhaps by somebody else a moment ago."""


def decide(*, required: bool, by: User, now: datetime) -> SecondFactorRule:
    """From now on all staff need a second factor, or it is left to each. Raises AlreadySo where it is so already."""
    if required == is_required():
        raise AlreadySo(_("It is required already.") if required else _("It is left to each already."))
    return SecondFactorRule.objects.create(required=required, decided_at=now, decided_by=by)


def is_required() -> bool:
    """Nothing was ever decided: it is left to each."""
    return bool(_latest().values_list("required", flat=True).first())


def decisions() -> list[SecondFactorRule]:
    """All of them, the one in force first."""
    return list(_latest().select_related("decided_by"))


def owes_one(user: User) -> bool:
    """Whether `user` has to set up a second factor before anything else. One query."""
    return (
        User.objects.filter(pk=user.pk, is_staff=True)
        .filter(Subquery(_latest().values("required")[:1]))
        .exclude(Exists(_factors()))
        .exists()
    )


def staff() -> QuerySet[User]:
    """Who works here, each with `has_second_factor`, by name."""
    people = with_factors(User.objects.filter(is_staff=True, is_active=True))
    return people.prefetch_related("groups").order_by("last_name", "first_name", "pk")


def with_factors(people: QuerySet[User]) -> QuerySet[User]:
    """`people`, each with `has_second_factor`."""
    return people.annotate(has_second_factor=Exists(_factors()))


def _latest() -> QuerySet[SecondFactorRule]:
    return SecondFactorRule.objects.order_by("-pk")


def _factors() -> QuerySet[Authenticator]:
    return Authenticator.objects.filter(user=OuterRef("pk"), type__in=FACTORS)
