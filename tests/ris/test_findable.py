"""What patients are found by, without a database."""

import pytest

from ris import findable


@pytest.mark.parametrize(
    "alike",
    [
        "Meier Maier Mayr Meyer Mayer",
        "Schmidt Schmitt Schmid",
        "Müller Mueller Muller Miller",
        "Smith Smyth",
        "Philipp Filip",
        "Stephen Steven",
        "Katharina Catarina",
        "Knight Night",
        "Wright Right",
        "Воронцов Voronzow",
        "Παππάς Pappas",
    ],
)
def test_names_that_sound_alike_share_a_code(alike: str) -> None:
    first, *others = (set(findable.codes_of(name)) for name in alike.split())
    assert all(first & other for other in others)


@pytest.mark.parametrize("different", ["Meier Mahler", "Schmidt Schulz", "Doe Roe", "Anna Klara"])
def test_other_names_do_not(different: str) -> None:
    first, other = (set(findable.codes_of(name)) for name in different.split())
    assert not first & other


@pytest.mark.parametrize(
    ("word", "code"), [("wikipedia", "3412"), ("Breschnew", "17863"), ("Müller-Lüdenscheidt", "657")]
)
def test_cologne_phonetics_of_the_examples_in_its_literature(word: str, code: str) -> None:
    assert code in findable.codes_of(word)


@pytest.mark.parametrize("word", ["", "x", "山田", "4711", "たろう", "الحداد"])
def test_what_has_no_latin_letters_sounds_like_nothing(word: str) -> None:
    assert findable.codes_of(word) == ()


def test_every_word_begins_with_a_blank_and_every_sign_is_a_word() -> None:
    text = findable.search_text(("O'Hara-Núñez^Ana", "山田^太郎", "ヤマダ"), "0171/234 567, home +49 (30) 1234-567; 12")
    assert text == " o hara nunez ana 山 田 太 郎 や ま た 0171234567 49301234567"


@pytest.mark.parametrize(
    ("typed", "parts"),
    [
        ("Müller, Ł", ["muller", " l"]),
        ("山田 太", [" 山 田", " 太"]),
        ("0171 234567", [" 0171 234567"]),
        ("47 11", [" 47", " 11"]),
        ("O'Hara", [" o hara"]),
        ("  ", []),
        ("^=,;", []),
    ],
)
def test_what_was_typed_becomes_words(typed: str, parts: list[str]) -> None:
    assert [word.part for word in findable.words(typed)] == parts


@pytest.mark.parametrize(
    ("typed", "tail"), [("0171 234567", "1234567"), ("+49171234567", "1234567"), ("17.4.1962x", ""), ("4711", "")]
)
def test_a_phone_is_known_by_its_last_digits(typed: str, tail: str) -> None:
    assert [word.phone for word in findable.words(typed)] == [tail]
