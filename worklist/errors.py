"""How a query can fail, as the scanner is told (DICOM PS3.4 table K.4-1)."""

from typing import Any

from django.utils.translation import gettext_noop as _
from pydicom.tag import BaseTag

OUT_OF_RESOURCES = 0xA700
IDENTIFIER_DOES_NOT_FIT = 0xA900
UNABLE_TO_PROCESS = 0xC000
CANNOT_UNDERSTAND = 0xC001
DATABASE_AWAY = _("The database cannot be reached, ask again")


class QueryError(Exception):
    """The query cannot be answered.

    status: DICOM status code. comment: Error Comment (0000,0902), cut at 64 characters, without values.
    tag: the key at fault, where there is one. fault: what is wrong with it, for screens.
    """

    def __init__(self, status: int, comment: str, tag: BaseTag | None = None, fault: str = "") -> None:
        self.status = status
        self.comment = comment[:64]
        self.tag = tag
        self.fault = fault
        self.keys: dict[str, Any] = {}
        """The identifier for the query log, where it could be read so far."""
        super().__init__(f"{status:04X} {self.comment}")


class TooManyAnswers(QueryError):
    """More steps match than one answer may hold."""

    def __init__(self, most: int) -> None:
        self.most = most
        super().__init__(OUT_OF_RESOURCES, f"More than {most} steps match, ask for fewer")
