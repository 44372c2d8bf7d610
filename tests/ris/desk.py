"""A person at the desk, for the stories of the screens."""

import html
import itertools
import re
from typing import Any

from django.contrib.auth.models import Group
from django.test import Client

from ris.models import User
from ris.roles import Role

_numbers = itertools.count(1)


class Desk:
    """One signed-in browser without a browser: looks at pages, presses buttons, and never sees a 500."""

    def __init__(self, role: Role | None, *, superuser: bool = False) -> None:
        """Sign in somebody new of this role; None has no role."""
        # Without a password: hashing one takes longer than most of these tests.
        self.user: User = User.objects.create(username=f"user{next(_numbers)}", is_superuser=superuser)
        if role is not None:
            self.user.groups.add(Group.objects.get(name=role.value))
        self.client = Client(REMOTE_ADDR="10.1.2.3")
        self.client.force_login(self.user)

    def get(self, address: str, status: int = 200) -> str:
        """Open a page; its text."""
        return self._text(self.client.get(address), status)

    def post(self, address: str, /, **values: Any) -> str:
        """Send a form and go where it leads; the text of the page there."""
        return self._text(self.client.post(address, values, follow=True), 200)

    def post_in_vain(self, status: int, address: str, /, **values: Any) -> str:
        """Send a form that is refused with an HTTP status."""
        return self._text(self.client.post(address, values), status)

    def _text(self, response: Any, status: int) -> str:
        page: str = response.content.decode()
        assert response.status_code == status, f"{response.status_code} instead of {status}"
        return page


def text_of(page: str) -> str:
    """Return what a reader of a page sees: without tags, blanks made one."""
    body = re.sub(r"(?s)<(script|style|svg).*?</\1>", " ", page)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", body)).split())


def token_in(page: str) -> str:
    """Return the one-time number of the form on a page."""
    found = re.search(r'name="token" value="(\w+)"', page)
    assert found
    return found[1]
