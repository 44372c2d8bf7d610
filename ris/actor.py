"""Who does something: a person, a door or the system itself. Every verb takes one as `by=`."""

from dataclasses import dataclass, replace

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class ActorKind(TextChoices):
    """Through what an actor acts."""

    USER = "USER", _("person")
    HL7 = "HL7", _("HL7 sender")
    DICOM = "DICOM", _("DICOM device")
    SYSTEM = "SYSTEM", _("Bucky itself")


@dataclass(frozen=True)
class Actor:
    """Who acts, from where, and because of what.

    name: account name, "application|facility" of an HL7 sender, AE title of a device, or name of a command.
    address: network address, empty where there is none.
    cause: what made them act, as "kind:id" of a row of a door (for example "hl7:42"); empty for people.
    """

    kind: ActorKind
    name: str
    user_id: int | None = None
    address: str = ""
    cause: str = ""

    def because(self, cause: str) -> "Actor":
        """Return the same actor with another cause."""
        return replace(self, cause=cause)


def system(name: str) -> Actor:
    """Return the actor for work by the clock or from a shell."""
    return Actor(ActorKind.SYSTEM, name)
