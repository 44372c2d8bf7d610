"""The verbs: the only writers. Keyword-only, `by=` an Actor, atomic; each writes what happened as events."""
