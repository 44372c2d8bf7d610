"""The settings a department may change: one table, from the environment to checked values.

The table drives everything that knows a setting: reading it, refusing it in one clear line, `.env.example`
and docs/reference/settings.md. No Django here, so that `./run` can check a value before anything starts.
"""

import os
import re
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import environ
import tzlocal

PROJECT = Path(__file__).resolve().parent.parent


class ConfigError(Exception):
    """One or more settings have a value that Bucky cannot use; one line for each."""


class Address(NamedTuple):
    """Where a door listens."""

    host: str
    port: int

    def __str__(self) -> str:
        """Write it as people type it: HOST:PORT, with brackets around an IPv6 host."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def address(text: str) -> Address:
    """Read HOST:PORT. Port 0 is refused: nobody could find a door that moves at every start."""
    match = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^\s:\[\]]+):([0-9]{1,5})", text)
    if not match:
        raise ValueError("is not HOST:PORT")
    port = int(match[2])
    if not 1 <= port <= 65535:
        raise ValueError("has a port outside 1 to 65535")
    return Address(match[1].strip("[]"), port)


def address_if_any(text: str) -> Address | None:
    """Read HOST:PORT; empty means that the door stays shut."""
    return address(text) if text else None


def file_if_any(text: str) -> Path | None:
    """Read the name of a file, which must be there; a relative one starts beside manage.py. Empty means none."""
    if not text:
        return None
    if "\0" in text:
        raise ValueError("is not a file name")
    path = (PROJECT / Path(text).expanduser()).absolute()  # not resolved: renewing tools move symbolic links
    if not path.is_file():
        raise ValueError("is not a file")
    return path


def ae_title(text: str) -> str:
    """Read a DICOM application entity title (PS3.5 table 6.2-1, VR AE)."""
    title = text.strip(" ")
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", title):
        raise ValueError("is not an AE title (1 to 16 ASCII characters, no backslash)")
    return title


def yes_no(text: str) -> bool:
    """Read a switch."""
    word = text.lower()
    if word in ("1", "yes", "true", "on"):
        return True
    if word in ("0", "no", "false", "off"):
        return False
    raise ValueError("is not 1 or 0")


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Make the check for a whole number from `low` to `high`."""

    def check(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not low <= int(text) <= high:
            raise ValueError(f"is not a whole number from {low} to {high}")
        return int(text)

    return check


def one_of(*words: str) -> Callable[[str], str]:
    """Make the check for one word out of a few."""

    def check(text: str) -> str:
        if text not in words:
            raise ValueError(f"is not one of: {', '.join(words)}")
        return text

    return check


def folder(text: str) -> Path:
    """Read a directory; a relative one starts beside manage.py, wherever the command was typed."""
    if "\0" in text:
        raise ValueError("is not a directory name")
    path = (PROJECT / Path(text).expanduser()).resolve()
    if path.exists() and not path.is_dir():
        raise ValueError("is not a directory")
    return path


def time_zone(text: str) -> str:
    """Read an IANA time zone name; empty means the machine's own, or UTC when it has none."""
    if not text:
        try:
            text = tzlocal.get_localzone_name() or "UTC"
            ZoneInfo(text)
        except (LookupError, OSError, ValueError):
            text = "UTC"
        return text
    try:
        ZoneInfo(text)
    except (LookupError, OSError, ValueError):
        raise ValueError("is not a time zone name such as Europe/Berlin") from None
    return text


def uid_root(text: str) -> str:
    """Read a DICOM UID root (PS3.5 chapter 9), short enough to leave room for what follows."""
    if not re.fullmatch(r"[0-2](\.(0|[1-9][0-9]*))+", text) or len(text) > 24:
        raise ValueError("is not a UID root (dotted numbers, at most 24 characters)")
    return text


def namespace(text: str) -> str:
    """Read the name of an assigning authority (HL7 HD.1): up to 20 characters without HL7 delimiters."""
    if not re.fullmatch(r"[A-Za-z0-9_. -]{1,20}", text):
        raise ValueError("is not 1 to 20 letters, digits, dots, hyphens, underscores or spaces")
    return text


def names(text: str) -> list[str]:
    """Read a list of host names with commas between them."""
    return [name.strip() for name in text.split(",") if name.strip()]


class Login(NamedTuple):
    """How to sign in to another system. url: where, and nowhere else. authorization: value of the HTTP header."""

    url: str
    authorization: str


_LOGIN = re.compile(
    r"(?P<name>[^=]*[^=\s])\s*=\s*(?P<url>https?://\S+)\s+"
    r"(?:(?P<basic>basic)\s+(?P<user>\S.*:.*)|bearer\s+(?P<token>[A-Za-z0-9._~+/=-]+))"
)


def logins(text: str) -> dict[str, Login]:
    """Read logins of other systems: NAME=URL basic USER:PASSWORD or NAME=URL bearer TOKEN, with ; between them.

    Returns NAME -> login (RFC 7617, RFC 6750).
    """
    found: dict[str, Login] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        read = _LOGIN.fullmatch(part)
        if read is None:
            raise ValueError("is not NAME=URL basic USER:PASSWORD or NAME=URL bearer TOKEN, with ; between several")
        secret = f"Basic {b64encode(read['user'].encode()).decode()}" if read["basic"] else f"Bearer {read['token']}"
        found[read["name"]] = Login(read["url"], secret)
    return found


def database(text: str) -> dict[str, Any]:
    """Read a database URL into Django's terms; empty means SQLite in the data directory: {}."""
    if not text:
        return {}
    scheme = text.partition(":")[0]
    if scheme not in ("sqlite", "postgres", "postgresql"):
        raise ValueError("does not begin with postgresql:// or sqlite://")
    try:
        return dict(environ.Env.db_url_config(text))
    except Exception:  # the parser below raises many kinds; the text may hold a password, so it is not repeated
        raise ValueError("is not a database URL") from None


def broker(text: str) -> str:
    """Read a Redis URL; empty means the file broker in the data directory."""
    if text and not re.fullmatch(r"(rediss?|unix|redis\+socket)://\S+", text):
        raise ValueError("does not begin with redis:// or rediss://")
    return text


@dataclass(frozen=True)
class Setting:
    """One row of the table: what people write, what it means, and what makes of it a value or a refusal."""

    name: str
    default: str
    meaning: str
    check: Callable[[str], Any]
    secret: bool = False

    def read(self, text: str) -> Any:
        """Turn the text into the value. Raises ConfigError: one line with setting, text and reason."""
        try:
            return self.check(text)
        except ValueError as reason:
            shown = "the value" if self.secret else repr(text)
            raise ConfigError(f"{self.name}: {shown} {reason}") from None


SETTINGS = (
    Setting("BUCKY_HTTP", "127.0.0.1:8000", "Where browsers reach the web pages: HOST:PORT.", address),
    Setting("BUCKY_MLLP", "127.0.0.1:2575", "Where HL7 senders reach the MLLP listener: HOST:PORT.", address),
    Setting(
        "BUCKY_MLLP_TLS",
        "",
        "Where HL7 senders reach the MLLP listener over TLS: HOST:PORT. Empty: nowhere.",
        address_if_any,
    ),
    Setting(
        "BUCKY_TLS_CERT", "", "Our certificate with its chain, a PEM file. Read anew when it changes.", file_if_any
    ),
    Setting("BUCKY_TLS_KEY", "", "Its key, a PEM file without a pass phrase. Empty: in the same file.", file_if_any),
    Setting(
        "BUCKY_TLS_CLIENT_CA",
        "",
        "Authorities whose certificates senders and scanners must show, a PEM file. Empty: they need none.",
        file_if_any,
    ),
    Setting("BUCKY_DICOM", "127.0.0.1:11112", "Where scanners reach the worklist: HOST:PORT.", address),
    Setting(
        "BUCKY_DICOM_TLS", "", "Where scanners reach the worklist over TLS: HOST:PORT. Empty: nowhere.", address_if_any
    ),
    Setting("BUCKY_AE_TITLE", "BUCKY", "The AE title that scanners must call.", ae_title),
    Setting(
        "BUCKY_ARCHIVE_LOGINS",
        "",
        "Logins for the DICOMweb of archives, by name and address: NAME=URL basic USER:PASSWORD or"
        " NAME=URL bearer TOKEN, with ; between several.",
        logins,
        secret=True,
    ),
    Setting(
        "BUCKY_ARCHIVE_CA",
        "",
        "Authorities of archives' HTTPS certificates beside this machine's own, a PEM file.",
        file_if_any,
    ),
    Setting("BUCKY_DATA", "./data", "Directory for everything Bucky keeps. Relative to manage.py.", folder),
    Setting("BUCKY_DEMO", "1", "Load the demo department on the first start of a new data directory: 1 or 0.", yes_no),
    Setting(
        "BUCKY_TIME_ZONE", "", "Time zone of the department, such as Europe/Berlin. Empty: this machine's.", time_zone
    ),
    Setting(
        "BUCKY_LANGUAGE", "en", "Language of the screens for people who have chosen none: en or de.", one_of("en", "de")
    ),
    Setting(
        "DATABASE_URL",
        "",
        "postgresql://USER:PASSWORD@HOST:PORT/NAME. Empty: SQLite in the data directory.",
        database,
        secret=True,
    ),
    Setting(
        "BUCKY_STATEMENT_SECONDS",
        "30",
        "Seconds that PostgreSQL may take for one statement of a page, a message or a scanner's query. 0: no limit.",
        whole_number(0, 86_400),
    ),
    Setting(
        "REDIS_URL", "", "redis://HOST:PORT/0. Empty: background work waits in the data directory.", broker, secret=True
    ),
    Setting(
        "BUCKY_ALLOWED_HOSTS", "", "Host names browsers may use, with commas. This machine's names always work.", names
    ),
    Setting("BUCKY_HTTPS", "0", "1 when browsers come over HTTPS through a proxy: secure cookies and HSTS.", yes_no),
    Setting(
        "BUCKY_PROXIES",
        "0",
        "Proxies between browsers and Bucky, each of which sets X-Forwarded-For. 0: do not read it.",
        whole_number(0, 9),
    ),
    Setting("BUCKY_DEBUG", "0", "1 shows tracebacks in the browser. Never with real patients.", yes_no),
    Setting(
        "BUCKY_UNKNOWN_CALLERS",
        "accept",
        "Scanners whose AE title is not a station here: accept or refuse.",
        one_of("accept", "refuse"),
    ),
    Setting("BUCKY_DICOM_MAX_ASSOCIATIONS", "200", "Associations open at the same time.", whole_number(1, 10_000)),
    Setting(
        "BUCKY_DICOM_MAX_PER_ADDRESS",
        "50",
        "Associations that one network address may have open, so that a broken device leaves room for others.",
        whole_number(1, 10_000),
    ),
    Setting(
        "BUCKY_WORKLIST_MAX_ANSWERS",
        "10000",
        "Steps in one answer to a scanner; a query that matches more is refused.",
        whole_number(1, 100_000),
    ),
    Setting("BUCKY_QUERY_LOG_DAYS", "30", "Days that worklist queries are kept in the log.", whole_number(1, 3650)),
    Setting("BUCKY_UID_ROOT", "2.25", "Root of the DICOM UIDs that Bucky makes. 2.25 needs no registration.", uid_root),
    Setting(
        "BUCKY_PATIENT_ID_ISSUER",
        "BUCKY",
        "Assigning authority of a patient identifier when a message names none.",
        namespace,
    ),
    Setting(
        "BUCKY_MLLP_PROCESSES",
        "1",
        "Processes that take HL7 messages on the same ports, one a core at most. More than 1 helps PostgreSQL only.",
        whole_number(1, 64),
    ),
    Setting("BUCKY_MLLP_MAX_BYTES", "10485760", "Largest HL7 message in bytes.", whole_number(1024, 1_073_741_824)),
    Setting("BUCKY_MLLP_IDLE_SECONDS", "3600", "Seconds a quiet HL7 connection stays open.", whole_number(1, 604_800)),
    Setting("BUCKY_MLLP_FRAME_SECONDS", "60", "Seconds one HL7 message may take to arrive.", whole_number(1, 86_400)),
)


def read_env_file() -> None:
    """Take what `.env` says into the environment, which wins where it says something itself."""
    if (PROJECT / ".env").is_file():
        environ.Env.read_env(PROJECT / ".env")


def load(environment: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Read all settings from variables (default: the process's and `.env`'s) into name -> value.

    Raises ConfigError that names every wrong setting, one line each.
    """
    if environment is None:
        read_env_file()
        environment = os.environ
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for setting in SETTINGS:
        try:
            values[setting.name] = setting.read(environment.get(setting.name, "").strip() or setting.default)
        except ConfigError as reason:
            wrong.append(str(reason))
    for name in ("BUCKY_MLLP_TLS", "BUCKY_DICOM_TLS"):
        if values.get(name) and "BUCKY_TLS_CERT" in values and not values["BUCKY_TLS_CERT"]:
            wrong.append(f"{name}: needs BUCKY_TLS_CERT, the certificate to show")
    wrong.extend(_unknown(environment))
    if wrong:
        raise ConfigError("\n".join(wrong))
    return values


def _unknown(environment: Mapping[str, str]) -> Iterator[str]:
    """A misspelt name would be ignored in silence: say so instead."""
    known = {setting.name for setting in SETTINGS}
    for name in sorted(environment):
        if name.startswith("BUCKY_") and name not in known:
            yield f"{name}: there is no such setting (docs/reference/settings.md lists them)"
