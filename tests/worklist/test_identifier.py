"""Identifiers as they come off the wire: read, or refused with a status, never anything else."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.tag import Tag
from pynetdicom.dsutils import decode, encode

from tests.worklist.asking import keys
from worklist.attributes import ATTRIBUTES, STEP_ATTRIBUTES, Attribute
from worklist.describe import as_json
from worklist.errors import CANNOT_UNDERSTAND, IDENTIFIER_DOES_NOT_FIT, QueryError
from worklist.identifier import read
from worklist.matching import Single, Wildcard, Window

EVERY = [*ATTRIBUTES, *STEP_ATTRIBUTES]


def test_keys_become_conditions_on_columns() -> None:
    request = read(keys(PatientName="DOE*=山*", AccessionNumber="A1", Modality="", SpecificCharacterSet="ISO_IR 192"))
    assert [(match.path.rpartition("__")[2], match.condition) for match in request.matches] == [
        ("accession_number", Single("A1")),
        ("patient_name_folded", Wildcard("DOE*")),
        ("patient_name_ideographic", Wildcard("山*")),
    ]
    assert request.window == Window()
    assert not request.partial


def test_all_that_is_asked_is_known_by_its_attribute() -> None:
    request = read(keys(PatientName=None, Modality=None))
    assert {attribute.keyword for attribute in request.leaves()} == {
        "PatientName", "ScheduledProcedureStepSequence", "Modality", "ScheduledProcedureStepID"
    }  # fmt: skip


@pytest.mark.parametrize("values", [{"PatientWeight": "70"}, {"InstitutionName": "X"}])
def test_a_value_that_is_not_matched_makes_the_answer_partial(values: dict[str, str]) -> None:
    assert read(keys(**values)).partial


def test_two_items_are_refused_in_every_sequence() -> None:
    identifier = keys(PatientName=None)
    identifier.RequestedProcedureCodeSequence = [Dataset(), Dataset()]
    with pytest.raises(QueryError) as refused:
        read(identifier)
    assert (refused.value.status, refused.value.tag) == (IDENTIFIER_DOES_NOT_FIT, Tag("RequestedProcedureCodeSequence"))


def status_of(data: bytes, *, implicit: bool) -> int:
    """Read an identifier as the door does; return the status that the scanner gets, 0 for an answer."""
    try:
        identifier = decode(BytesIO(data), implicit, True)
    except Exception:
        return IDENTIFIER_DOES_NOT_FIT
    as_json(identifier)
    try:
        read(identifier)
    except QueryError as refused:
        return refused.status
    return 0


FINE = (0, IDENTIFIER_DOES_NOT_FIT, CANNOT_UNDERSTAND)


@given(data=st.binary(max_size=300), implicit=st.booleans())
def test_any_bytes_are_read_or_refused(data: bytes, implicit: bool) -> None:
    assert status_of(data, implicit=implicit) in FINE


A_QUERY = (
    encode(keys(PatientName="DOE*", ScheduledProcedureStepStartDate="20260303-", Modality="CT"), False, True) or b""
)


@given(place=st.integers(0, len(A_QUERY) - 1), byte=st.integers(0, 255), cut=st.integers(0, 30))
def test_a_damaged_query_is_read_or_refused(place: int, byte: int, cut: int) -> None:
    damaged = A_QUERY[:place] + bytes([byte]) + A_QUERY[place + 1 :]
    assert status_of(damaged[: len(damaged) - cut], implicit=False) in FINE


@given(
    attribute=st.sampled_from([row for row in EVERY if row.vr != "SQ"]),
    value=st.binary(max_size=40),
)
def test_any_value_of_any_key_is_read_or_refused(attribute: Attribute, value: bytes) -> None:
    tag = attribute.tag.group.to_bytes(2, "little") + attribute.tag.element.to_bytes(2, "little")
    assert status_of(tag + len(value).to_bytes(4, "little") + value, implicit=True) in FINE
