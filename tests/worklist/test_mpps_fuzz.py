"""Whatever a scanner sends by N-CREATE and N-SET: always an answer, never half a step, and the next one is served."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from pydicom import config
from pydicom.uid import generate_uid
from pynetdicom.dsutils import encode

from ris.models import PerformedProcedureStep
from tests.worklist.performing import ask, code, create, creation, ending, scheduled
from worklist.dimse import Command
from worklist.models import MppsRequest

STATUSES = {0, 0x0106, 0x0110, 0x0111, 0x0112, 0x0117, 0x0120, 0x0121}
OUR_FAULT = "Bucky cannot do this"
CREATION = encode(creation(scheduled(study=generate_uid()), PatientName="Doe^Jane"), False, True) or b""
ENDING = encode(ending(reason=code("110514", "Wrong")), False, True) or b""


@st.composite
def damaged(draw: st.DrawFn, good: bytes) -> bytes:
    """A data set with some bytes changed, left out or put in."""
    data = bytearray(good)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(len(data) - 1, 0)))
        match draw(st.sampled_from(("change", "cut", "insert", "end"))):
            case "change":
                data[at : at + 1] = draw(st.binary(min_size=1, max_size=1))
            case "cut":
                del data[at : at + draw(st.integers(1, 40))]
            case "insert":
                data[at:at] = draw(st.binary(max_size=12))
            case "end":
                del data[at:]
    return bytes(data)


@pytest.fixture(autouse=True)
def _as_in_the_door(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config.settings, "reading_validation_mode", config.IGNORE)


class AnyData(TestCase):
    """Each example has a database of its own."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged(CREATION))
    def test_a_creation(self, data: bytes) -> None:
        uid = generate_uid()
        outcome = ask(Command.N_CREATE, uid, data)
        assert outcome.status in STATUSES
        assert outcome.comment != OUR_FAULT
        assert PerformedProcedureStep.objects.filter(sop_instance_uid=uid).exists() == (outcome.status == 0)
        assert MppsRequest.objects.get().status == f"{outcome.status:04X}"

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(damaged(ENDING))
    def test_an_update(self, data: bytes) -> None:
        performed = create()
        outcome = ask(Command.N_SET, performed.sop_instance_uid, data)
        assert outcome.status in STATUSES
        assert outcome.comment != OUR_FAULT
        after = PerformedProcedureStep.objects.get()
        assert outcome.status == 0 or after.content == performed.content
        assert ask(Command.N_GET, performed.sop_instance_uid).data is not None
