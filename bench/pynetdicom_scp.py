"""A worklist on pynetdicom's AE, as its documentation shows one: the items in memory, the handler compares the keys.

python -m bench.pynetdicom_scp PORT ITEMS
"""

import logging
import socket
import sys
from collections.abc import Iterator

from pydicom.dataset import Dataset
from pynetdicom.ae import ApplicationEntity
from pynetdicom.events import EVT_C_FIND, EVT_CONN_OPEN, Event
from pynetdicom.sop_class import ModalityWorklistInformationFind  # type: ignore[attr-defined]

from bench.items import data_sets

_OF_STEP = ("ScheduledStationAETitle", "ScheduledProcedureStepStartDate", "Modality")


def main() -> None:
    """Serve until killed."""
    port, items = map(int, sys.argv[1:3])
    listed = list(data_sets(items))
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)

    def find(event: Event) -> Iterator[tuple[int, Dataset | None]]:
        asked = event.identifier
        step = asked.ScheduledProcedureStepSequence[0]
        keys = [(keyword, step[keyword].value) for keyword in _OF_STEP if step[keyword].value]
        accession = asked.AccessionNumber
        for item in listed:
            its_step = item.ScheduledProcedureStepSequence[0]
            if accession in ("", item.AccessionNumber) and all(its_step[key].value == value for key, value in keys):
                yield 0xFF00, item

    def no_delay(event: Event) -> None:
        assert event.assoc.dul.socket is not None
        assert event.assoc.dul.socket.socket is not None
        event.assoc.dul.socket.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    scp = ApplicationEntity("BUCKY")
    scp.maximum_associations = 1000
    scp.add_supported_context(ModalityWorklistInformationFind)
    scp.start_server(("127.0.0.1", port), evt_handlers=[(EVT_C_FIND, find), (EVT_CONN_OPEN, no_delay)])


if __name__ == "__main__":
    main()
