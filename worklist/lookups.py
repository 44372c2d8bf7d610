"""Wildcards of DICOM as a lookup of Django: `.filter(accession_number__fits="A24*")`, case-sensitive."""

from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import CharField, Lookup, TextField
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    TextLookup = Lookup[str]
else:
    TextLookup = Lookup  # generic for the type checker only


@CharField.register_lookup
@TextField.register_lookup
class Fits(TextLookup):
    """The column fits a pattern in which `*` is any run of characters and `?` is one."""

    lookup_name = "fits"

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use LIKE, which every database has."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} LIKE %s ESCAPE '!'", (*parameters, like(str(self.rhs)))

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use GLOB: SQLite's LIKE does not tell capital from small letters."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"{column} GLOB %s", (*parameters, str(self.rhs).replace("[", "[[]"))


def like(pattern: str) -> str:
    """Return a DICOM pattern as a LIKE pattern with `!` as its escape character."""
    for special in "!%_":
        pattern = pattern.replace(special, f"!{special}")
    return pattern.replace("*", "%").replace("?", "_")
