"""Bytes inside bytes as a lookup of Django: `.filter(raw__holds=b"4711")`."""

from typing import TYPE_CHECKING

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import BinaryField, Lookup
from django.db.models.sql.compiler import SQLCompiler

if TYPE_CHECKING:
    BytesLookup = Lookup[bytes]
else:
    BytesLookup = Lookup  # generic for the type checker only


@BinaryField.register_lookup
class Holds(BytesLookup):
    """The column holds these bytes somewhere."""

    lookup_name = "holds"
    prepare_rhs = False

    def as_sql(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use POSITION, as PostgreSQL has it for bytea."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"POSITION(%s::bytea IN {column}) > 0", (bytes(self.rhs), *parameters)  # type: ignore[arg-type]

    def as_sqlite(self, compiler: SQLCompiler, connection: BaseDatabaseWrapper) -> tuple[str, tuple[str | int, ...]]:
        """Use INSTR, which takes blobs."""
        column, parameters = self.process_lhs(compiler, connection)
        return f"INSTR({column}, %s) > 0", (*parameters, bytes(self.rhs))  # type: ignore[arg-type]
