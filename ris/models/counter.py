"""Counters for identifiers, for databases that have no sequences."""

from django.db import models


class Counter(models.Model):
    """The last number given out under a name (SQLite only; PostgreSQL uses a sequence of the same name)."""

    name = models.CharField(max_length=32, primary_key=True)
    value = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return self.name
