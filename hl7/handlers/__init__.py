"""What each kind of message does: message in, verbs of ris.actions called, in the caller's transaction."""

from hl7.handlers.dispatch import KINDS, Undecided, Unsupported, apply, kind

__all__ = ["KINDS", "Undecided", "Unsupported", "apply", "kind"]
