"""What all nouns share: one way to be made and one way to be changed, both of which tell what they did."""

from typing import Any, Self

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext as _

from ris.errors import InvalidValue
from ris.models.glances import glances_at, is_storable
from ris.models.statements import insert, update

Diff = dict[str, list[Any]]
"""Field name -> [value before, value after]; relations as primary keys."""


class Noun(models.Model):
    """A row of the domain. Only the verbs in ris.actions call `new` and `change`."""

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Save as Django does, with what is worked out from other columns."""
        self.derive()
        super().save(*args, **kwargs)

    @classmethod
    def new(cls, **values: Any) -> Self:
        """Insert a row; raises InvalidValue when a value does not fit its field."""
        row = cls(**values)
        row._check_values()
        row.derive()
        insert(row)
        return row

    def change(self, **values: Any) -> Diff:
        """Set the fields that differ, save only these, and return what changed (empty when nothing did).

        Raises InvalidValue when a value does not fit its field.
        """
        diff: Diff = {}
        for name, value in values.items():
            before = getattr(self, name)
            if before != value:
                setattr(self, name, value)
                diff[name] = [_plain(before), _plain(value)]
        if diff:
            self._check_values(only=set(diff))
            self.derive()
            update(self, {*diff, *self._derived_fields(set(diff))})
        return diff

    def derive(self) -> None:
        """Work out the columns that follow from others."""

    def _check_values(self, only: set[str] | None = None) -> None:
        """Check lengths, types and choices; relations are left to the database, which costs no query here."""
        values = self.__dict__
        doubtful = {
            glance.name: glance.attname
            for glance in glances_at(type(self))
            if (only is None or glance.name in only) and not glance.passes(values.get(glance.attname))
        }
        if not doubtful:
            return
        exclude = {field.name for field in self._meta.concrete_fields} - doubtful.keys()
        try:
            self.clean_fields(exclude=exclude)
        except ValidationError as error:
            name, (first, *_more) = next(iter(error.error_dict.items()))
            label = self._meta.get_field(name).verbose_name  # type: ignore[union-attr]
            # The value itself is left out: it may be a patient's, and the text may end up in an answer or a log.
            reason = first.message % {**first.params, "value": "…"} if first.params else first.message
            raise InvalidValue(f"{label}: {reason}", field=name) from None
        for name, attname in doubtful.items():
            if not is_storable(values[attname]):
                text = _("%(name)s: it holds a character that no database can keep.")
                raise InvalidValue(text % {"name": name}, field=name)

    def _derived_fields(self, changed: set[str]) -> set[str]:
        """Name further columns that `derive` works out from the changed ones."""
        return set()


def _plain(value: Any) -> Any:
    """Return a value as it is kept in an Event: relations as primary keys."""
    return value.pk if isinstance(value, models.Model) else value
