"""Names as DICOM writes them, as people read them and as they are searched."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ris import person_name

plain = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="^="), min_size=0, max_size=12).map(
    lambda text: " ".join(text.split())
)


@given(st.fixed_dictionaries(dict.fromkeys(person_name.COMPONENTS, plain)))
def test_a_name_taken_apart_is_the_name_put_together(parts: dict[str, str]) -> None:
    assert person_name.split(person_name.join(**parts)) == parts


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    assert set(person_name.split(text)) == set(person_name.COMPONENTS)
    assert isinstance(person_name.display(text), str)


@given(st.text())
def test_folding_twice_changes_nothing(text: str) -> None:
    assert person_name.fold(person_name.fold(text)) == person_name.fold(text)


@given(st.text(st.characters(codec="latin-1")))
def test_folding_does_not_care_for_case(text: str) -> None:
    assert person_name.fold(text.upper()) == person_name.fold(text.lower()) == person_name.fold(text)


def test_carets_and_equals_signs_in_a_part_do_not_make_new_parts() -> None:
    assert person_name.join("Doe^X", "Ja=ne", prefix="Dr") == "Doe X^Ja ne^^Dr"


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("Doe^Jane", "Doe, Jane"),
        ("Doe^Jane^Mary", "Doe, Jane Mary"),
        ("Doe^Jane^^Dr^PhD", "Doe, Jane (Dr PhD)"),
        ("Doe", "Doe"),
        ("^Jane", "Jane"),
        ("山田^太郎", "山田, 太郎"),
        ("", ""),
    ],
)
def test_a_name_as_people_read_it(name: str, read: str) -> None:
    assert person_name.display(name) == read


@pytest.mark.parametrize(
    ("name", "folded"),
    [
        ("Müller^Łukasz", "muller^lukasz"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
        ("Søndergård", "sondergard"),
        ("ÆRØ", "aero"),
        ("Đặng", "dang"),
        ("Işık", "isik"),
        ("İPEK", "ipek"),
        ("Журавлёв", "журавлев"),
        ("Ελένη", "ελενη"),
        ("山田", "山田"),
        ("ﾔﾏﾀﾞ", "ヤマタ"),
    ],
)
def test_a_name_as_it_is_searched(name: str, folded: str) -> None:
    assert person_name.fold(name) == folded
