"""An archive by pynetdicom: keeps what it is told by MPPS, and answers that and C-FIND as a test wants."""

from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, evt
from pynetdicom.association import Association
from pynetdicom.events import Event

from tests.ports import free_port
from worklist.ladder import STUDY_ROOT_FIND
from worklist.models import Archive
from worklist.negotiation import PERFORMED_STEP


class FakeArchive:
    """Listens as PACS on a port of its own. answers: statuses for the next requests, 0 when they are used up."""

    def __init__(self, *answers: int | Callable[[Event], int]) -> None:
        self.port = free_port()
        self.answers = list(answers)
        self.studies: dict[str, tuple[list[str] | None, int | None]] = {}
        """What it holds: study UID -> modalities and number of images."""
        self.told: list[tuple[str, str, Dataset]] = []
        self._server: Any = None

    def __enter__(self) -> Self:
        ae = AE("PACS")
        ae.add_supported_context(PERFORMED_STEP)
        ae.add_supported_context(STUDY_ROOT_FIND)
        ae.require_called_aet = True
        handlers = [
            (evt.EVT_N_CREATE, self._create),
            (evt.EVT_N_SET, self._set),
            (evt.EVT_C_FIND, self._find),
        ]
        self._server = ae.start_server(("127.0.0.1", self.port), block=False, evt_handlers=handlers)  # type: ignore[arg-type]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()

    def _answer(self, event: Event) -> int:
        answer = self.answers.pop(0) if self.answers else 0
        return answer(event) if callable(answer) else answer

    def _find(self, event: Event) -> Iterator[tuple[int, Dataset | None]]:
        status = self._answer(event)
        uid = str(event.identifier.StudyInstanceUID)
        if status == 0 and uid in self.studies:
            answer = Dataset()
            answer.QueryRetrieveLevel, answer.StudyInstanceUID = "STUDY", uid
            answer.ModalitiesInStudy, answer.NumberOfStudyRelatedInstances = self.studies[uid]
            yield 0xFF00, answer
        if status:
            yield status, None

    def _create(self, event: Event) -> tuple[int, Dataset]:
        status = self._answer(event)
        if status == 0:
            self.told.append(("N-CREATE", str(event.request.AffectedSOPInstanceUID), event.attribute_list))  # type: ignore[union-attr]
        return status, Dataset()

    def _set(self, event: Event) -> tuple[int, Dataset]:
        status = self._answer(event)
        if status == 0:
            self.told.append(("N-SET", str(event.request.RequestedSOPInstanceUID), event.modification_list))  # type: ignore[union-attr]
        return status, Dataset()

    @property
    def associations(self) -> list[Association]:
        """Those that are open."""
        return list(self._server.active_associations)

    @property
    def uids(self) -> list[tuple[str, UID]]:
        """What was told of which instance, in order."""
        return [(operation, UID(uid)) for operation, uid, _ in self.told]

    def row(self, **values: Any) -> Archive:
        """Enter it among Bucky's archives."""
        said = {"name": "PACS", "ae_title": "PACS", "host": "127.0.0.1", "port": self.port}
        return Archive.objects.create(**(said | values))
