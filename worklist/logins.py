"""Which login goes to which archive: a setting, by name and address."""

from urllib.parse import urlsplit

from django.conf import settings

_PORTS = {"http": ":80", "https": ":443"}


class WrongAddress(Exception):
    """There is a login for an archive of this name, but for another address: `url`."""

    def __init__(self, name: str, url: str) -> None:
        self.url = url
        super().__init__(f"The login of {name} in BUCKY_ARCHIVE_LOGINS is for another address than its DICOMweb has")


def login_for(name: str, base: str) -> str:
    """Return the header that signs in to an archive at its address, empty where none is set. Raises WrongAddress.

    Who may edit archives must not be able to have a login sent elsewhere.
    """
    login = settings.BUCKY_ARCHIVE_LOGINS.get(name)
    if login is None:
        return ""
    if _place(login.url) != _place(base):
        raise WrongAddress(name, login.url)
    return str(login.authorization)


def _place(url: str) -> tuple[str, str, str]:
    """Return what makes two addresses the same."""
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower().removesuffix(_PORTS.get(parts.scheme, "")), parts.path.rstrip("/")
