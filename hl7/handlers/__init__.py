"""What each kind of message does: message in, verbs of ris.actions called, in the caller's transaction."""

from hl7.handlers.dispatch import ANSWERS, KINDS, Undecided, Unsupported, apply, is_answer_with_effect, kind

__all__ = ["ANSWERS", "KINDS", "Undecided", "Unsupported", "apply", "is_answer_with_effect", "kind"]
