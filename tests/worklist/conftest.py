"""What every test of the DICOM door needs."""

import pytest
from pynetdicom.transport import AssociationSocket

from worklist import query


@pytest.fixture(autouse=True)
def _what_is_logged_once_was_not_logged_yet() -> None:
    """On SQLite the steps of each test have the same numbers."""
    query._told.clear()
    query._rewritten.clear()


@pytest.fixture(autouse=True)
def _sockets_of_scanners_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """pynetdicom's own side leaves a descriptor open when the door was faster, which pytest rightly reports."""

    def close(self: AssociationSocket) -> None:
        if self.socket is not None:
            self.socket.close()

    monkeypatch.setattr(AssociationSocket, "_shutdown_socket", close)
