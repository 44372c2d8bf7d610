"""What a patient is found by: parts of names in any script, how names sound, phone numbers. No database here.

Each patient keeps two texts. In the first, for parts of names and phones, every word begins with a blank; a sign that
is a word or a syllable of its own (Chinese, Japanese, Korean) stands alone. The second holds how each word sounds. A
database finds parts of such texts by trigrams.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import jellyfish
from django.utils.dateparse import parse_date

from ris.person_name import fold

# Kana, ideographs and Hangul syllables: two of them are a whole name, too short for trigrams unless they stand alone.
_SIGN = re.compile("([\u3040-\u30ff\u31f0-\u31ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])")
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # to hiragana: they sound the same
_SEPARATORS = re.compile(r"[\s,^=;]+")
_INNER_SEPARATORS = re.compile(r"[\s,^=;'’.-]+")
_PHONE_LETTERS = re.compile(r"[\d\s+()/.\-]+")
_NOT_A_PHONE = re.compile(r"[^\d\s+()/.\-]+")
LEAST_PHONE = 5
"""Digits from which on a number may be a phone's."""
TAIL = 7
"""Last digits of a phone that have to fit: whether +49 or 0 stands before is left out."""

_LATIN = str.maketrans(
    dict(zip("абвгґдежзиійклмнопрстуфхыэє", "abvggdezziiiklmnoprstufhiee", strict=True))
    | dict(zip("αβγδεζηθικλμνξοπρσςτυφχω", "avgdezitiklmnxoprsstifho", strict=True))
    | {"ц": "ts", "ч": "ch", "ш": "sh", "щ": "sch", "ю": "ju", "я": "ja", "ї": "ji", "ψ": "ps", "ь": "", "ъ": ""}
)
"""Cyrillic and Greek by ear, only to compare."""


def spread(text: str) -> str:
    """Return the folded words of a text, each after one blank, signs of their own alone: " muller 山 田"."""
    words = _INNER_SEPARATORS.split(_SIGN.sub(r" \1 ", fold(text).translate(_KATAKANA)))
    return "".join(f" {word}" for word in words if word)


def search_text(names: Iterable[str], phone: str) -> str:
    """Return the text in which parts of a patient's names (component groups) and phone are found."""
    return "".join([*map(spread, names), *(f" {digits}" for digits in phone_numbers(phone))])


def phone_numbers(text: str) -> list[str]:
    """Return the digits of each phone number in a text."""
    found = ("".join(filter(str.isdigit, part)) for part in re.split(r"[,;~]", _NOT_A_PHONE.sub(",", text)))
    return [digits for digits in found if len(digits) >= LEAST_PHONE]


def sounds(*names: str) -> str:
    """Return how the words of names sound, each code once with a blank on both sides."""
    codes = dict.fromkeys(code for name in names for code in codes_of(name))
    return f" {' '.join(codes)} " if codes else ""


def codes_of(text: str) -> tuple[str, ...]:
    """Return what each word sounds like in German (Cologne phonetics) and in English (Metaphone).

    A word of one letter, of signs or with digits sounds like nothing.
    """
    return tuple(code for word in spread(text).split() for code in _codes_of_word(word))


@lru_cache(maxsize=20_000)
def _codes_of_word(word: str) -> tuple[str, ...]:
    latin = word.translate(_LATIN)
    if len(latin) < 2 or not (latin.isascii() and latin.isalpha()):
        return ()
    return tuple(filter(None, (_cologne(latin), jellyfish.metaphone(latin))))


_COLOGNE: Sequence[tuple[re.Pattern[str], str]] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        ("[aeijouy]", "0"),
        ("h", ""),
        ("b|p(?!h)", "1"),
        ("[dt](?![csz])", "2"),
        ("[fvw]|p", "3"),
        ("[gkq]|^c(?=[ahkloqrux])|(?<![sz])(?<!^)c(?=[ahkoqux])", "4"),
        ("(?<![ckq])x", "48"),
        ("l", "5"),
        ("[mn]", "6"),
        ("r", "7"),
        ("[szcdtx]", "8"),
    )
)
"""The rules of Cologne phonetics (H. J. Postel 1969): the first that fits a letter where it stands gives its code."""


def _cologne(word: str) -> str:
    codes: list[str] = []
    for place in range(len(word)):
        code = next((code for rule, code in _COLOGNE if rule.match(word, place)), "")
        codes += [digit for digit in code if not (codes and codes[-1] == digit)]
    first, *rest = codes or [""]
    return first + "".join(digit for digit in rest if digit != "0")


@dataclass(frozen=True)
class Word:
    """One word that was typed, and what it can mean.

    typed: as it stands in a number. part: as it stands in the search text. day: the birth date that it is, if it is
    one. phone: the last digits of a phone, where it has enough of them.
    """

    typed: str
    part: str
    codes: tuple[str, ...] = ()
    day: date | None = None
    phone: str = ""


def words(text: str) -> list[Word]:
    """Return the words of what was typed; what has only the letters of a phone number is one word."""
    text = text.strip()
    parts = [part for part in _SEPARATORS.split(text) if part]
    if len(parts) > 1 and _phone_tail(text) and not any(map(_day, parts)):
        return [Word(text, spread(text), phone=_phone_tail(text))]
    return [_word(part) for part in parts]


def _word(typed: str) -> Word:
    part = spread(typed)
    # A part of a name may begin anywhere in a word; two letters or a sign stand at its beginning.
    bare = part.strip()
    short = len(bare) < 3 or " " in bare
    return Word(typed, part if short else bare, codes_of(typed), _day(typed), _phone_tail(typed))


def _phone_tail(text: str) -> str:
    """Return the last digits of a text that may be a phone number, else nothing."""
    digits = "".join(filter(str.isdigit, text))
    return digits[-TAIL:] if len(digits) >= LEAST_PHONE and _PHONE_LETTERS.fullmatch(text) else ""


def _day(word: str) -> date | None:
    """Return the date that a word is (ISO 8601, with or without hyphens), or None."""
    if re.fullmatch(r"\d{8}", word):
        word = f"{word[:4]}-{word[4:6]}-{word[6:]}"
    try:
        return parse_date(word)
    except ValueError:
        return None


def closeness(typed: str, name: str) -> float:
    """Return how alike two names look, from 0 to 1."""
    return jellyfish.jaro_winkler_similarity(spread(typed).strip(), spread(name).strip())
