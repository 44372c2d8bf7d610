"""Text inside a text as a lookup of Django, the quick way of each database: `.filter(text__holds="4711")`."""

from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Lookup, TextField
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    TextLookup = Lookup[str]
else:
    TextLookup = Lookup  # generic for the type checker only

_SPECIAL = str.maketrans({"\\": r"\\", "%": r"\%", "_": r"\_"})


@TextField.register_lookup
class Holds(TextLookup):
    """The column holds this text somewhere, letter by letter."""

    lookup_name = "holds"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use LIKE, which PostgreSQL answers from an index of trigrams."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} LIKE %s", (*parameters, f"%{str(self.rhs).translate(_SPECIAL)}%")

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use INSTR: it compares bytes, where SQLite's LIKE looks at each letter's case."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"INSTR({column}, %s) > 0", (*parameters, str(self.rhs))
