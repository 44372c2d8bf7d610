"""What passes at a glance would pass Django's own look, whatever the value."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models

from ris.models.base import Noun
from ris.models.glances import glances_at

NOUNS = [model for model in apps.get_models() if issubclass(model, Noun)]
VALUES: list[Any] = [
    None,
    "",
    "A",
    "F",
    "x" * 33,
    "x" * 5000,
    "Doe^Jane",
    "\x00",
    "\ud800",
    "Ż",
    [],
    {},
    ["x"],
    0,
    7,
    True,
    1.5,
]


@pytest.mark.parametrize("model", NOUNS, ids=lambda model: model.__name__)
def test_nothing_passes_that_django_would_refuse_or_change(model: type[models.Model]) -> None:
    row = model()
    for glance in glances_at(model):
        field: Any = model._meta.get_field(glance.name)
        for value in VALUES:
            if glance.passes(value) and not (field.blank and value in field.empty_values):
                assert field.clean(value, row) == value, (glance.name, value)
                assert not isinstance(value, str) or value.isprintable()


def test_ordinary_values_pass() -> None:
    by_name = {glance.name: glance for model in NOUNS for glance in glances_at(model)}
    assert by_name["patient_name"].passes("Doe^Jane")
    assert by_name["patient_name"].passes("Ẑoë^Ĵane")
    assert not by_name["patient_name"].passes("Doe\x00Jane")
    assert not by_name["birth_date"].passes("1970-01-01")
