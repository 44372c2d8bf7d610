"""Keep the catalogues of translations: find the messages in the code, merge them, compile, name what is missing.

No GNU gettext: Babel reads Python, and Django turns a template into calls that Babel can read.
"""

import os
import re
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import django
from babel.messages import Catalog, Message
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

PROJECT = Path(__file__).resolve().parent.parent
LOCALE = PROJECT / "locale"
APPS = ("ris", "hl7", "worklist")
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "_lazy": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "npgettext_lazy": ((1, "c"), 2, 3),
}
OF_DJANGO = (
    "After you’ve created a user, you’ll be able to edit more user options.",
    "Raw passwords are not stored, so there is no way to see the user’s password.",
    "Reset password",
    "Set password",
    "Set password: %s",
)
"""Words of the stock pages of accounts that Django 5.2 has in English only."""
_FIELD = re.compile(r"%\((\w+)\)[sd]|\{(\w*)\}|(?<!%)%[sd]")


def found() -> Catalog:
    """Return every message of the code and the templates, and what is lacking in Django's own catalogue."""
    catalog = Catalog()
    for words in OF_DJANGO:
        catalog.add(words)
    for _place, ids, context in _messages():
        catalog.add(ids, context=context)
    return catalog


def _messages() -> Iterator[tuple[Path, str | tuple[str, ...], str | None]]:
    for app in APPS:
        for path in sorted((PROJECT / app).rglob("*.py")):
            if "migrations" not in path.parts:
                yield from _in(path, path.read_bytes())
        for path in sorted((PROJECT / app / "templates").rglob("*.html")):
            yield from _in(path, _calls(path.read_text("utf-8")))


def _calls(template: str) -> bytes:
    """Return a template as lines of Python, of which only the calls of gettext are left."""
    from django.utils.translation.template import templatize

    return "\n".join(line.strip() for line in templatize(template).splitlines()).encode()


def _in(path: Path, source: bytes) -> Iterator[tuple[Path, str | tuple[str, ...], str | None]]:
    for _line, ids, _comments, context in extract("python", BytesIO(source), KEYWORDS, options={"encoding": "utf-8"}):
        if ids and ids != ("",):
            yield path, ids, context


def catalogues() -> list[Path]:
    """Return the files with translations, one for each language."""
    return sorted(LOCALE.glob("*/LC_MESSAGES/django.po"))


def read(path: Path) -> Catalog:
    """Return a catalogue that is kept."""
    with path.open("rb") as file:
        catalog = read_po(file, domain="django")
    catalog.locale = path.parent.parent.name
    return catalog


def _empty(locale: str | None) -> Catalog:
    """Return a catalogue whose heading says nothing that changes from day to day."""
    day = datetime(2026, 1, 1, tzinfo=UTC)
    return Catalog(
        locale=locale,
        domain="django",
        header_comment="# Words of Bucky. scripts/messages keeps this file; translations are typed here.",
        project="Bucky",
        version="1",
        msgid_bugs_address="none",
        last_translator="Bucky",
        language_team=str(locale),
        creation_date=day,
        revision_date=day,
        fuzzy=False,
    )


def brought_up_to_date(kept: Catalog, wanted: Catalog) -> Catalog:
    """Return the kept translations of the messages that are wanted; new ones are empty, none is guessed."""
    fresh = _empty(str(kept.locale))
    for message in wanted:
        if message.id:
            known = kept.get(message.id, message.context)
            fresh.add(message.id, known.string if known else None, context=message.context)
    return fresh


def missing(catalog: Catalog) -> list[str]:
    """Return the messages without a translation, or with one that names other values than the message does."""
    return sorted(str(message.id) for message in catalog if message.id and not _is_good(message))


def _is_good(message: Message) -> bool:
    if message.fuzzy:
        return False
    ids = [message.id] if isinstance(message.id, str) else list(message.id)
    strings = [message.string or ""] if isinstance(message.string, str | None) else list(message.string)
    if len(strings) < len(ids) or not all(strings) or any(map(_is_doubled, strings)):
        return False
    # "One exam" may do without the number, so the plural form tells which values there are.
    named = _values(ids[-1])
    return _values(strings[-1]) == named and all(_values(string) <= named for string in strings)


def _is_doubled(text: str) -> bool:
    """Tell whether a sentence stands there several times over, as after two merges of the same line."""
    return len(text) > 20 and text in (text + text)[1:-1]


def _values(text: str) -> set[str]:
    places = re.findall(r"(?<!%)%[sd]", text)  # each is filled, so that it matters how many there are
    return set(map("".join, _FIELD.findall(text))) | {f"%s {number}" for number in range(len(places))}


def written(catalog: Catalog) -> bytes:
    """Return a catalogue as it is kept: sorted, without places, so that two people's changes seldom meet."""
    file = BytesIO()
    write_po(file, catalog, sort_output=True, no_location=True, omit_header=False, width=110)
    return file.getvalue()


def compiled(catalog: Catalog) -> bytes:
    """Return a catalogue as Django reads it."""
    file = BytesIO()
    write_mo(file, catalog)
    return file.getvalue()


def main() -> int:
    """Bring all catalogues up to date; returns 1 while a translation is missing."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ris.settings")
    django.setup()
    wanted, lacking = found(), 0
    for path in catalogues():
        catalog = brought_up_to_date(read(path), wanted)
        path.write_bytes(written(catalog))
        path.with_suffix(".mo").write_bytes(compiled(catalog))
        names = missing(catalog)
        lacking += len(names)
        sys.stdout.write("".join(f"{path.parent.parent.name}: {name}\n" for name in names))
        sys.stdout.write(f"{path.relative_to(PROJECT)}: {len(catalog)} messages, {len(names)} to translate\n")
    return 1 if lacking else 0


if __name__ == "__main__":
    sys.exit(main())
