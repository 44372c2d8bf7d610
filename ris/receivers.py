"""What follows from what others do: events of signing in, the scanner of a new station."""

from typing import Any

from axes.signals import user_locked_out
from django.contrib.auth.signals import user_logged_in, user_logged_out, user_login_failed
from django.db.models.signals import post_save
from django.dispatch import receiver
from django.http import HttpRequest

from ris.actions import resources
from ris.actor import Actor, ActorKind
from ris.audit import address_of
from ris.models import Event, EventKind, Station, User


@receiver(user_logged_in)
def signed_in(request: HttpRequest, user: User, **_: Any) -> None:
    """Tell who signed in."""
    _tell(EventKind.SIGNED_IN, request, user)


@receiver(user_logged_out)
def signed_out(request: HttpRequest, user: User | None, **_: Any) -> None:
    """Tell who signed out; somebody whose session had ended before is nobody."""
    if user is not None:
        _tell(EventKind.SIGNED_OUT, request, user)


@receiver(user_login_failed)
def sign_in_failed(credentials: dict[str, Any], request: HttpRequest | None = None, **_: Any) -> None:
    """Tell that a sign-in failed."""
    _tell(EventKind.SIGN_IN_FAILED, request, _account(credentials.get("username")))


@receiver(user_locked_out)
def locked_out(request: HttpRequest | None, username: str, **_: Any) -> None:
    """Tell that an account was locked for an address."""
    _tell(EventKind.LOCKED_OUT, request, _account(username))


@receiver(post_save, sender=Station)
def station_saved(instance: Station, raw: bool = False, **_: Any) -> None:
    """Keep the resource that stands for the scanner of a station."""
    if not raw:
        resources.keep_scanner(instance)


def _account(name: object) -> User | None:
    """Return the account that somebody tried. People type passwords as names: an unknown name is not kept."""
    return User.objects.filter(username=name).first() if isinstance(name, str) else None


def _tell(kind: EventKind, request: HttpRequest | None, user: User | None) -> None:
    name = user.get_username() if user else "unknown"
    actor = Actor(ActorKind.USER, name, user_id=user.pk if user else None, address=address_of(request))
    Event.objects.record(kind, by=actor, subject=f"ris.user:{user.pk}" if user else "")
