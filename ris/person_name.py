"""Person names as DICOM writes them (PS3.5 section 6.2, VR PN): Family^Given^Middle^Prefix^Suffix.

One string is one component group; a patient has up to three, each in its own column: alphabetic, ideographic, phonetic.
"""

import re
import unicodedata

GROUP_LENGTH = 64
"""Longest component group that PN allows, in characters."""
COMPONENTS = ("family", "given", "middle", "prefix", "suffix")

_SIGNS = re.compile(r"[^\x00-\x1f\x7f-\x9f\\=\ud800-\udfff]*")
# Letters that Unicode does not take apart into a base letter and a mark.
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"})


def join(family: str = "", given: str = "", middle: str = "", prefix: str = "", suffix: str = "") -> str:
    """Return one component group; carets inside a part become blanks and empty parts at the end are dropped."""
    parts = (
        " ".join(part.replace("^", " ").replace("=", " ").split()) for part in (family, given, middle, prefix, suffix)
    )
    return "^".join(parts).rstrip("^")


def is_writable(group: str) -> bool:
    """Tell whether DICOM can write a component group: no backslash, no control character, not too long."""
    return len(group) <= GROUP_LENGTH and group.count("^") < len(COMPONENTS) and _SIGNS.fullmatch(group) is not None


def split(name: str) -> dict[str, str]:
    """Return the five components of a group by name; missing ones are empty."""
    parts = name.split("^", 4) + [""] * 5
    return dict(zip(COMPONENTS, parts, strict=False))


def display(name: str) -> str:
    """Return a group as people read it: "Doe, John M (Dr)"; an empty name gives an empty string."""
    part = split(name)
    given = " ".join(filter(None, (part["given"], part["middle"])))
    text = ", ".join(filter(None, (part["family"], given)))
    titles = " ".join(filter(None, (part["prefix"], part["suffix"])))
    return f"{text} ({titles})" if titles else text


def fold(text: str) -> str:
    """Return `text` without case and accents, for matching names (PS3.4 C.2.2.2.1 allows it for PN).

    "Müller^Łukasz" and "MULLER^lukasz" fold to the same string. Other scripts stay as they are.
    """
    # Twice: taking a sign apart can bring out capitals, as in ℠.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text.casefold()).casefold())
    bare = "".join(char for char in decomposed if unicodedata.category(char) != "Mn")
    return unicodedata.normalize("NFC", bare.translate(_LETTERS))
