"""What can be told of the values of a row at a glance, before Django is asked about those that are in doubt."""

import re
from collections.abc import Container
from functools import cache
from typing import Any, NamedTuple

from django.core.validators import MaxLengthValidator
from django.db import models


class Glance(NamedTuple):
    """What can be told of a value of a field without Django, which takes ten times as long for each of them."""

    name: str
    attname: str
    kind: type | None  # of values that may pass
    blank: bool
    longest: float
    choices: Container[Any] | None

    def passes(self, value: Any) -> bool:
        """Tell whether a value is certainly one that the field may have; others need a closer look."""
        if not value and (value is None or isinstance(value, str | list | dict)):
            return self.blank
        if self.kind is not str or not isinstance(value, str):
            return type(value) is self.kind
        return len(value) <= self.longest and (self.choices is None or value in self.choices) and is_storable(value)


@cache
def glances_at(model: type[models.Model]) -> list[Glance]:
    """Return one for each field but relations, which are left to the database."""
    return [_glance(field) for field in model._meta.concrete_fields if not field.is_relation]


def _glance(field: Any) -> Glance:
    kind = {models.CharField: str, models.TextField: str, models.BooleanField: bool}.get(type(field))
    if any(type(validator) is not MaxLengthValidator for validator in field.validators):
        kind = None  # they are for Django to ask
    choices = None if field.choices is None else {key for key, _label in field.flatchoices}
    return Glance(field.name, field.attname, kind, field.blank, field.max_length or float("inf"), choices)


_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def is_storable(value: Any) -> bool:
    """Tell whether a text is one that PostgreSQL takes: no NUL, no half of a surrogate pair."""
    return not isinstance(value, str) or _UNSTORABLE.search(value) is None
