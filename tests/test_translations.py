"""The languages of the screens: who gets which, and that doors, trail and files stay English."""

import re
from datetime import timedelta
from typing import Any

import pytest
from babel.messages import Catalog
from django.apps import apps
from django.contrib.auth.models import Group
from django.test import Client
from django.utils import translation
from django.utils.functional import Promise

from hl7.rehearsal import rehearse
from ris.errors import UnknownPatient
from ris.models import Closure, Event, EventKind, User
from ris.roles import Role
from scripts import messages
from tests import factories
from tests.messages import adt, mrg, pid
from tests.ris.desk import Desk, text_of

pytestmark = pytest.mark.django_db

UNSEEN = {
    *("apitoken.digest", "apitoken.key", "archive.claimed_until", "bulkclosing.claimed_until", "counter.name"),
    *("counter.value", "inboundmessage.content_hash", "patient.patient_name_folded", "patient.search_text"),
    *("patient.sounds", "replay.held_until"),
}
"""Columns that no page shows."""


def test_a_person_chooses_a_language_and_finds_it_again_at_another_computer() -> None:
    clerk = Desk(Role.FRONT_DESK)
    assert "Abmelden" not in text_of(clerk.get("/"))
    page = clerk.post("/language", language="de")
    assert '<html lang="de"' in page
    assert "Abmelden" in text_of(page)
    elsewhere = Client()
    elsewhere.force_login(clerk.user)
    assert '<html lang="de"' in elsewhere.get("/").content.decode()
    clerk.post("/logout/")
    assert '<html lang="de"' in clerk.get("/login/?next=/")  # this browser remembers it
    assert '<html lang="en' in Client(HTTP_ACCEPT_LANGUAGE="de").get("/login/").content.decode()


def test_a_department_has_a_language_of_its_own(settings: Any) -> None:
    settings.BUCKY_LANGUAGE = "de"
    assert '<html lang="de"' in Client().get("/login/").content.decode()
    clerk = Desk(Role.FRONT_DESK)
    assert '<html lang="de"' in clerk.get("/")
    assert '<html lang="en"' in clerk.post("/language", language="en")
    assert translation.get_language() == "en", "outside of a request nothing changes"


def test_permissions_of_a_role_are_named_in_german() -> None:
    admin = Desk(None, superuser=True)
    admin.post("/language", language="de")
    page = text_of(admin.get(f"/auth/group/{Group.objects.first().pk}/change/"))  # type: ignore[union-attr]
    assert "Darf Auftrag ändern" in page
    assert "Darf Schritte buchen, verschieben und freigeben" in page
    assert "Can " not in page


def test_the_pages_of_accounts_are_german_where_django_is_not() -> None:
    admin = Desk(None, superuser=True)
    admin.post("/language", language="de")
    for page in ("/ris/user/add/", f"/ris/user/{admin.user.pk}/change/", f"/ris/user/{admin.user.pk}/password/"):
        shown = admin.get(page)
        assert [words for words in (*messages.OF_DJANGO, "password-based") if words in shown] == []
    assert "Anmeldung" in text_of(admin.get(f"/ris/user/{admin.user.pk}/change/")), "a box for each role"


@pytest.mark.parametrize("language", ["", "xx", "de\x00", "../de"])
def test_a_language_that_is_not_there_is_refused(language: str) -> None:
    clerk = Desk(Role.FRONT_DESK)
    clerk.post_in_vain(400, "/language", language=language)
    assert User.objects.get(pk=clerk.user.pk).language == ""
    clerk.get("/language", 405)


@pytest.mark.parametrize(
    ("came_from", "back"),
    [
        ("http://testserver/ris/order/?q=1", "http://testserver/ris/order/?q=1"),
        ("https://elsewhere.example/", "/"),
        ("", "/"),
    ],
)
def test_a_choice_leads_back_to_the_page_and_nowhere_else(came_from: str, back: str) -> None:
    clerk = Desk(Role.FRONT_DESK)
    response = clerk.client.post("/language", {"language": "de"}, HTTP_REFERER=came_from)
    assert response.headers["Location"] == back


@pytest.mark.parametrize("path", messages.catalogues(), ids=lambda path: path.parts[-3])
def test_what_is_compiled_is_what_was_translated(path: Any) -> None:
    catalog = messages.read(path)
    assert path.with_suffix(".mo").read_bytes() == messages.compiled(catalog), "run scripts/messages"
    assert path.read_bytes() == messages.written(catalog), "run scripts/messages"


def test_what_a_sender_is_told_and_what_the_trail_keeps_is_english_at_a_german_desk() -> None:
    keeper = Desk(Role.INFORMATICS)
    keeper.post("/language", language="de")
    day = factories.today_at(0)
    closure = Closure.new(
        resource=factories.resource(), start=day, end=day + timedelta(days=1), kind="HOLIDAY", reason="Easter"
    )
    assert "Feiertag" in text_of(keeper.get("/ris/closure/"))
    keeper.post(f"/ris/closure/{closure.pk}/delete/", post="yes")
    event = Event.objects.get(kind=EventKind.CATALOG_CHANGED, subject=f"ris.closure:{closure.pk}")
    assert event.data["name"] == "holiday: Easter"
    merge = adt("A40", pid("4711"), mrg("4711"))
    factories.patient(number="4711")
    with translation.override("de"):
        assert str(UnknownPatient()) == "Kein Patient hat diese Nummer."
        assert b"cannot be merged into themselves" in rehearse(merge, "10.0.0.7").answer


@pytest.mark.parametrize("path", messages.catalogues(), ids=lambda path: path.parts[-3])
def test_every_word_of_the_code_is_translated_and_keeps_its_values(path: Any) -> None:
    """What is missing is named here: type it into the .po file and run scripts/messages."""
    wanted = messages.brought_up_to_date(messages.read(path), messages.found())
    assert messages.missing(wanted) == []
    assert messages.written(wanted) == path.read_bytes(), "run scripts/messages"


def test_a_translation_that_loses_a_value_or_says_things_twice_is_found() -> None:
    catalog = Catalog(locale="de")
    catalog.add("%(who)s waits", "Es wartet jemand")
    catalog.add(("%d day", "%d days"), ("ein Tag", "%d Tage"))
    catalog.add("guessed", "geraten", flags=("fuzzy",))
    catalog.add("twice", "Das ist der ganze Satz." * 3)
    assert messages.missing(catalog) == ["%(who)s waits", "guessed", "twice"]


def test_every_noun_and_column_on_screen_has_a_name_to_translate() -> None:
    """Django makes names in English of what has none. Those are never shown: nobody edits or filters by them."""
    unnamed = {
        f"{model._meta.model_name}.{field.name}"
        for app in messages.APPS
        for model in apps.get_app_config(app).get_models()
        for field in model._meta.fields
        if not field.auto_created and not isinstance(field.verbose_name, Promise)
    }
    assert unnamed - UNSEEN == set()


def test_no_message_hides_behind_a_name_that_is_not_looked_for() -> None:
    """`gettext_lazy as _lazy` kept words out of the catalogue, and nobody missed them there."""
    imports = re.compile(r"^from django\.utils\.translation import (\w*gettext\w*)(?: as (\w+))?$", re.MULTILINE)
    used = {
        alias or name
        for app in messages.APPS
        for path in (messages.PROJECT / app).rglob("*.py")
        for name, alias in imports.findall(path.read_text("utf-8"))
    }
    assert {"_", "_lazy"} <= used <= set(messages.KEYWORDS)
