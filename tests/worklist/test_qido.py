"""What an archive answers over DICOMweb, and what it may not do to us."""

import json
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from django.core.exceptions import ValidationError

from ris.config import Login
from tests.certificates import make_certificate
from worklist import qido
from worklist.models import Archive
from worklist.qido import Study, study
from worklist.scu import CallFailed

UID = "1.2.840.99.1"


def row(uid: str = UID, modalities: Any = ("CT",), images: Any = (12,)) -> dict[str, Any]:
    return {
        "0020000D": {"vr": "UI", "Value": [uid]},
        "00080061": {"vr": "CS", "Value": list(modalities)},
        "00201208": {"vr": "IS", "Value": list(images)},
    }


class Web:
    """An archive that answers every request with the same status, headers and body, and keeps what it was asked."""

    def __init__(self, status: int = 200, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.asked: list[tuple[str, dict[str, list[str]], str | None]] = []
        web = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                web.asked.append((parts.path, parse_qs(parts.query), self.headers["Authorization"]))
                self.send_response(status)
                for name, value in (headers or {"Content-Length": str(len(body))}).items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None: ...

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/dicom-web"


@contextmanager
def web(status: int = 200, body: Any = b"", headers: dict[str, str] | None = None) -> Iterator[Web]:
    opened = Web(status, body if isinstance(body, bytes) else json.dumps(body).encode(), headers)
    thread = threading.Thread(target=opened.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield opened
    finally:
        opened.server.shutdown()
        thread.join()
        opened.server.server_close()


def test_the_study_is_asked_for_by_its_uid_with_the_login_of_this_archive(settings: Any) -> None:
    with web(body=[row("9.9"), row()]) as archive:
        logins = {"PACS": Login(archive.url, "Bearer t0ken"), "OTHER": Login(archive.url, "Bearer no")}
        settings.BUCKY_ARCHIVE_LOGINS = logins
        assert study(archive.url + "/", "PACS", UID) == Study(("CT",), 12)
        study(archive.url, "THIRD", UID)
    fields = {"StudyInstanceUID": [UID], "includefield": ["00080061", "00201208"]}
    assert archive.asked == [("/dicom-web/studies", fields, "Bearer t0ken"), ("/dicom-web/studies", fields, None)]


@pytest.mark.parametrize(
    ("url", "other"),
    [
        ("https://pacs.example/dicom-web", "https://pacs.evil/dicom-web"),
        ("https://pacs.example/dicom-web", "http://pacs.example/dicom-web"),
        ("https://pacs.example/dicom-web", "https://pacs.example:8443/dicom-web"),
        ("https://pacs.example/dicom-web", "https://pacs.example/other"),
        ("https://pacs.example/dicom-web", "https://pacs.example/dicom-web/../other"),
        ("https://pacs.example", "https://pacs.example.evil"),
    ],
)
def test_a_login_goes_to_no_other_address(settings: Any, url: str, other: str) -> None:
    settings.BUCKY_ARCHIVE_LOGINS = {"PACS": Login(url, "Bearer t0ken")}
    with pytest.raises(CallFailed, match="The login of PACS in BUCKY_ARCHIVE_LOGINS is for another address"):
        study(other, "PACS", UID)
    with pytest.raises(ValidationError) as refused:
        Archive(name="PACS", ae_title="PACS", host="127.0.0.1", dicomweb_url=other).clean()
    assert url in str(refused.value)
    Archive(name="PACS", dicomweb_url=url.replace("pacs", "PACS") + "/").clean()
    Archive(name="PACS 2", dicomweb_url=other).clean()


@pytest.mark.parametrize(
    ("status", "body", "found"),
    [
        (204, b"", None),
        (200, [], None),
        (200, [row("1.2.3")], None),
        (200, [{"0020000D": {"vr": "UI", "Value": [UID]}}], Study((), 0)),
        (200, [row(modalities=("PT", "CT"), images=("7",))], Study(("PT", "CT"), 7)),
        (200, [row(modalities=(None,), images=("many",))], Study((), 0)),
        (200, [row(images=(10**12,))], Study(("CT",), 0)),
        (200, [None, 4, {"0020000D": 4}, {"0020000D": {"Value": "x"}}, {"0020000D": {}}], None),
        (200, {"0020000D": {"Value": [UID]}}, None),
    ],
)
def test_what_is_read_of_an_answer(status: int, body: Any, found: Study | None) -> None:
    with web(status, body) as archive:
        assert study(archive.url, "PACS", UID) == found


@pytest.mark.parametrize(
    ("status", "body", "headers", "words"),
    [
        (401, b"", None, "answered with HTTP status 401"),
        (503, b"<html>", None, "answered with HTTP status 503"),
        (302, b"", {"Location": "http://127.0.0.1:9/", "Content-Length": "0"}, "answered with HTTP status 302"),
        (200, b"<html>", None, "sent no JSON"),
        (200, b"[" * 100_000, None, "sent no JSON"),
        (200, b" " * (qido.LARGEST_ANSWER + 1), None, "sent too long an answer"),
        (200, b"[", {"Content-Length": "900"}, "sent no JSON"),
        (200, b"[]", {"Transfer-Encoding": "chunked"}, "cannot be asked"),
    ],
)
def test_an_answer_that_is_none_is_a_failed_call(
    status: int, body: bytes, headers: dict[str, str] | None, words: str
) -> None:
    with web(status, body, headers) as archive, pytest.raises(CallFailed) as failed:
        study(archive.url, "PACS", UID)
    assert words in str(failed.value)
    assert archive.url not in str(failed.value)


def test_nobody_there_and_a_certificate_of_somebody_else(settings: Any, tmp_path: Path) -> None:
    with pytest.raises(CallFailed, match="cannot be asked"):
        study("http://127.0.0.1:1/dicom-web", "PACS", UID)
    files = make_certificate(tmp_path, "archive")
    with web(body=[row()]) as archive:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(files.certificate, files.key)
        archive.server.socket = context.wrap_socket(archive.server.socket, server_side=True)
        url = archive.url.replace("http://127.0.0.1", "https://localhost")
        with pytest.raises(CallFailed, match="SSLCertVerificationError"):
            study(url, "PACS", UID)
        settings.BUCKY_ARCHIVE_CA = files.certificate
        assert study(url, "PACS", UID) == Study(("CT",), 12)


@pytest.mark.parametrize("head", [b"HTTP/1.1 200 OK\r\nX-Pad: ", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_an_archive_that_sends_byte_by_byte_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, head: bytes) -> None:
    monkeypatch.setattr(qido, "SECONDS", 0.5)
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def drip() -> None:
            line, _ = server.accept()
            with line, suppress(OSError):
                line.sendall(head)
                while not over.wait(0.05):
                    line.sendall(b" ")

        thread = threading.Thread(target=drip)
        thread.start()
        with pytest.raises(CallFailed, match="was too slow"):
            study(f"http://127.0.0.1:{server.getsockname()[1]}/dicom-web", "PACS", UID)
        over.set()
        thread.join()


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://pacs.example/dicom-web", True),
        ("http://10.0.0.5:8042/dicom-web/", True),
        ("", True),
        ("file:///etc/passwd", False),
        ("ftp://pacs.example/", False),
        ("https://alice:secret@pacs.example/", False),
        ("https://pacs.example/?key=1", False),
        ("pacs.example", False),
    ],
)
def test_which_addresses_an_archive_may_have(url: str, good: bool) -> None:
    archive = Archive(name="PACS", ae_title="PACS", host="pacs.example", dicomweb_url=url)
    if good:
        archive.clean_fields()
    else:
        with pytest.raises(ValidationError):
            archive.clean_fields()
