"""Private servers for the tests: PostgreSQL, Redis, Orthanc. Each on a free port, in a temporary directory.

    with Postgres() as postgres:
        url = postgres.new_database()      # postgresql://..., a database that nobody else uses
        postgres.stop(); postgres.start()  # the same data, the same port

    with Redis() as redis: redis.url
    with Orthanc(department) as orthanc: orthanc.find_worklist({"ScheduledProcedureStepSequence": [...]})

They stop with the test process, even when that is killed. As root they run as `postgres` or `nobody`.
"""

import json
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import urllib.request
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg2
import redis

from ris.supervisor import follow
from tests.ports import free_port
from tests.waiting import wait_until

REDIS_KEY_SPACES = 4096


def program(name: str, *, package: str, folders: Sequence[str] = ()) -> str:
    """Find a program, first in `folders` (newest last in name order), then on the path."""
    for pattern in folders:
        found = sorted(Path("/").glob(f"{pattern.lstrip('/')}/{name}"))
        if found:
            return str(found[-1])
    path = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not path:
        raise RuntimeError(f"{name} is missing: apt-get install {package}")
    return path


class Server:
    """A program that runs in its own directory until it is told to stop."""

    name = "server"
    account = "nobody"  # who runs it when the tests run as root
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        """Make the directory; nothing runs yet."""
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix=f"bucky-{self.name}-"))
        self._process: subprocess.Popen[bytes] | None = None
        self._user = self.account if os.geteuid() == 0 else None
        if self._user:
            shutil.chown(self.directory, self._user)

    def command(self) -> list[str]:
        """Give the command line."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Say whether it serves, by asking it for real."""
        raise NotImplementedError

    def _as_user(self) -> dict[str, Any]:
        if not self._user:
            return {}
        return {"user": self._user, "group": pwd.getpwnam(self._user).pw_gid, "extra_groups": []}

    def start(self) -> None:
        """Start it and wait until it serves."""
        parent, number = os.getpid(), self.stop_signal
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                cwd=self.directory,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop it
                preexec_fn=lambda: follow(parent, number),
                **self._as_user(),
            )
        wait_until(self._started, what=f"{self.name} to serve")

    def _started(self) -> bool:
        assert self._process
        if self._process.poll() is not None:
            raise RuntimeError(f"{self.name} ended: {(self.directory / 'log').read_text()[-2000:]}")
        return self.answers()

    @property
    def pid(self) -> int:
        """Give the process id of the running server."""
        assert self._process
        return self._process.pid

    def stop(self, number: signal.Signals | None = None) -> None:
        """Stop it and wait until it has; `number` is another signal than its polite one."""
        if self._process:
            self._process.send_signal(number or self.stop_signal)
            try:
                self._process.wait(60)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
            self._process = None

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


class Postgres(Server):
    """A PostgreSQL cluster without passwords on loopback. Its user is `bucky`."""

    name = "postgres"
    account = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients

    def __init__(self, *, durable: bool = False) -> None:
        """Make the directory. durable: for benchmarks; these tests kill programs, they do not cut the power."""
        super().__init__()
        self._fsync = "on" if durable else "off"

    def command(self) -> list[str]:
        """Run it in the foreground."""
        options = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.directory),
            "fsync": self._fsync,
            "full_page_writes": self._fsync,
            "max_connections": "200",
            "shared_buffers": "64MB",
            "log_min_messages": "fatal",
        }
        flags = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [self._binary("postgres"), "-D", str(self.directory / "cluster"), "-p", str(self.port), *flags]

    def start(self) -> None:
        """Make the cluster the first time, then start it."""
        if not (self.directory / "cluster").exists():
            words = ["--auth=trust", "--username=bucky", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"]
            made = subprocess.run(
                [self._binary("initdb"), "-D", str(self.directory / "cluster"), *words],
                cwd=self.directory,
                capture_output=True,
                text=True,
                check=False,
                **self._as_user(),
            )
            if made.returncode:
                raise RuntimeError(f"initdb: {made.stderr[-2000:]}")
        super().start()

    @staticmethod
    def _binary(name: str) -> str:
        return program(name, package="postgresql", folders=["/usr/lib/postgresql/*/bin"])

    def answers(self) -> bool:
        """Connect: an open port is not yet a server that takes queries."""
        try:
            self._connect().close()
        except psycopg2.OperationalError:
            return False
        return True

    def _connect(self) -> Any:
        return psycopg2.connect(self.url("postgres"), connect_timeout=60)

    def url(self, database: str) -> str:
        """Give the DATABASE_URL of one database."""
        return f"postgresql://bucky@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Make an empty database with a name of its own and give its DATABASE_URL."""
        return new_database(self.url("postgres"))


def new_database(server: str, template: str = "template1") -> str:
    """Make a database beside the one that the URL `server` names, empty or a copy of `template`; give its URL."""
    name = f"bucky_{secrets.token_hex(6)}"
    connection = psycopg2.connect(server, connect_timeout=60)
    connection.autocommit = True
    try:
        connection.cursor().execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        connection.close()
    return f"{server.rpartition('/')[0]}/{name}"


def drop_database(url: str) -> None:
    """Remove a database that `new_database` made."""
    server, _, name = url.rpartition("/")
    connection = psycopg2.connect(f"{server}/postgres", connect_timeout=60)
    connection.autocommit = True
    try:
        connection.cursor().execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        connection.close()


class Redis(Server):
    """A Redis that keeps nothing on disk."""

    name = "redis"

    @property
    def url(self) -> str:
        """Give the REDIS_URL."""
        return f"redis://127.0.0.1:{self.port}/0"

    def command(self) -> list[str]:
        """Run it in the foreground."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self.directory)]
        words += ["--databases", str(REDIS_KEY_SPACES)]
        return [program("redis-server", package="redis-server"), *words]

    def answers(self) -> bool:
        """Ask PING."""
        client = redis.Redis(port=self.port, socket_timeout=60)
        try:
            return bool(client.ping())
        except (redis.ConnectionError, redis.TimeoutError):
            return False
        finally:
            client.close()


DICOMWEB = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
"""Where Debian's orthanc-dicomweb puts the plug-in; ./test installs it."""


class Orthanc(Server):
    """Orthanc as a worklist client of the DICOM door at `called` (AE title, host, port), and as an archive."""

    name = "orthanc"

    def __init__(self, *, ae_title: str, called: tuple[str, str, int], dicomweb: bool = False, login: str = "") -> None:
        """Take its own AE title, by which the station is known, and whom it calls.

        dicomweb: whether it serves DICOMweb below /dicom-web. login: USER:PASSWORD that HTTP needs, empty for none.
        """
        super().__init__()
        self.dicom_port = free_port()
        settings = {
            "Name": "scanner",
            "DicomAet": ae_title,
            "HttpPort": self.port,
            "HttpBindAddresses": ["127.0.0.1"],
            "RemoteAccessAllowed": False,
            "AuthenticationEnabled": bool(login),
            "RegisteredUsers": dict([login.split(":")]) if login else {},
            "DicomServerEnabled": True,
            "DicomPort": self.dicom_port,
            "DicomCheckCalledAet": True,
            "DicomAlwaysAllowFind": True,
            "DicomModalities": {"bucky": list(called)},
            "StorageDirectory": str(self.directory),
            "IndexDirectory": str(self.directory),
            "DefaultEncoding": "Utf8",
            "Plugins": [str(DICOMWEB)] if dicomweb else [],
            "DicomWeb": {"Enable": dicomweb, "Root": "/dicom-web/"},
        }
        assert not dicomweb or DICOMWEB.exists(), "Debian's package orthanc-dicomweb is missing: see ./test"
        self._login = b64encode(login.encode()).decode()
        (self.directory / "orthanc.json").write_text(json.dumps(settings))
        if self._user:
            shutil.chown(self.directory / "orthanc.json", self._user)

    def command(self) -> list[str]:
        """Run it in the foreground."""
        return [program("Orthanc", package="orthanc"), str(self.directory / "orthanc.json")]

    def answers(self) -> bool:
        """Ask for its name."""
        try:
            return bool(self._ask("/system"))
        except OSError:
            return False

    def _ask(self, path: str, body: Any = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        with self._open(path, data) as answer:
            return json.load(answer)

    def _open(self, path: str, data: bytes | None) -> Any:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data)
        if self._login:
            request.add_header("Authorization", f"Basic {self._login}")
        return urllib.request.urlopen(request, timeout=120)  # noqa: S310 - our own address

    def store(self, file: bytes) -> None:
        """Put a DICOM file into the archive."""
        self._open("/instances", file).close()

    def echo(self) -> None:
        """Send C-ECHO; raises OSError when it is not answered with success."""
        self._ask("/modalities/bucky/echo", {})

    def find_worklist(self, query: dict[str, Any]) -> list[dict[str, Any]]:
        """Send C-FIND; `query` and the answers have DICOM keywords for keys and lists for sequences."""
        answer: list[dict[str, Any]] = self._ask("/modalities/bucky/find-worklist", {"Query": query, "Short": False})
        return answer
