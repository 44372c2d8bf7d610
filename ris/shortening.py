"""Texts that are too long for where they go: whoever reads the rest must know that there was more."""

MORE = " ..."


def shortened(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters, which says at its end that it was cut.

    Dots of an earlier cut go, whole or not: allergies are added to those that were cut before.
    """
    return text if len(text) <= longest else text[: longest - len(MORE)].rstrip(" ;,.") + MORE
