"""Numbers that Bucky makes: their form, and that nobody gets the same one twice."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from ris import identifiers
from ris.identifiers import Series, is_uid, may_keep

DAY = date(2026, 3, 1)


@pytest.mark.django_db
def test_numbers_count_on() -> None:
    first, second = (identifiers.mint_accession_number("A", DAY) for _ in range(2))
    assert (len(first), first[:3]) == (10, "A26")
    assert int(second[3:]) == int(first[3:]) + 1


@pytest.mark.django_db
def test_each_series_counts_for_itself() -> None:
    steps = [identifiers.mint_sps_id() for _ in range(3)]
    procedures = [identifiers.mint_requested_procedure_id() for _ in range(3)]
    assert len({*steps, *procedures}) == 6
    assert int(procedures[2][2:]) - int(procedures[0][2:]) == 2


@pytest.mark.django_db
@pytest.mark.parametrize("prefix", ["A", "ABCD"])
def test_minted_numbers_fit_into_dicom_and_are_known_again(prefix: str) -> None:
    minted = {
        Series.ACCESSION: identifiers.mint_accession_number(prefix, DAY),
        Series.REQUESTED_PROCEDURE: identifiers.mint_requested_procedure_id(),
        Series.STEP: identifiers.mint_sps_id(),
        Series.PATIENT: identifiers.mint_patient_number(),
    }
    for series, number in minted.items():
        assert len(number) <= 16
        assert not may_keep(series, number)
        assert all(may_keep(other, number) for other in minted if other != series)


@pytest.mark.parametrize("number", ["4711", "A-2026-1", "acc1", "RP1", "SPS1", "R0000000001X"])
def test_a_senders_number_is_kept(number: str) -> None:
    assert all(may_keep(series, number) for series in Series)


@pytest.mark.parametrize("number", ["", "A" * 17, "A\\1", "A\n1", "\x1b$B1", "A\x85"])
def test_a_number_that_dicom_cannot_write_is_not_kept(number: str) -> None:
    assert not any(may_keep(series, number) for series in Series)


@pytest.mark.parametrize("root", ["2.25", "1.2.826.0.1.3680043.9.9999", "1.2." + "9" * 20, "1.2." + "9" * 50])
def test_a_study_uid_is_valid_under_any_root(settings: Settings, root: str) -> None:
    settings.BUCKY_UID_ROOT = root
    uids = {identifiers.mint_study_instance_uid() for _ in range(200)}
    assert len(uids) == 200
    assert all(is_uid(uid) and uid.startswith(f"{root}.") for uid in uids)


@pytest.mark.parametrize("text", ["1", "1.", ".1", "1..2", "1.02", "1.2a", "1.2\n", "١.٢", "1." + "2" * 63, ""])
def test_what_is_no_uid(text: str) -> None:
    assert not is_uid(text)


@pytest.mark.parametrize("text", ["0.0", "1.2.840.10008.1.1", "2.25.0", "1." + "2" * 62])
def test_what_is_a_uid(text: str) -> None:
    assert is_uid(text)


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=2, max_size=4))
def test_numbers_joined_by_dots_are_a_uid(parts: list[int]) -> None:
    assert is_uid(".".join(map(str, parts)))
