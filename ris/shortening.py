"""Texts that are too long for where they go: whoever reads the rest must know that there was more."""

MORE = " ..."


def shortened(text: str, longest: int) -> str:
    """Return a text of at most `longest` characters, which says at its end that it was cut."""
    return text if len(text) <= longest else text[: longest - len(MORE)].rstrip(" ;,") + MORE
