"""A browser without windows: signs in and reads pages of a running department."""

import http.cookiejar
import re
import urllib.parse
import urllib.request

from tests.department import Department


class Browser:
    """The administrator at the desk of a department."""

    def __init__(self, department: Department) -> None:
        """Sign in; `first` is the page that follows."""
        self._url = department.url
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', self.read("login/"))
        assert token
        form = {
            "csrfmiddlewaretoken": token[1],
            "username": "admin",
            "password": department.admin_password,
            "next": "/",
        }
        self.first = self.read("login/", urllib.parse.urlencode(form).encode())

    def read(self, path: str, form: bytes | None = None) -> str:
        """Open a page, or send a form to it; its text."""
        with self._opener.open(f"{self._url}{path}", form, timeout=60) as answer:
            return str(answer.read().decode())
