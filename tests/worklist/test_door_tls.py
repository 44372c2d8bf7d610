"""DICOM over TLS beside plain DICOM, and room for others whatever one address does."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pynetdicom import AE
from pynetdicom.association import Association

from ris import tls
from ris.config import Address
from ris.seldom import Seldom
from tests.certificates import make_certificate
from tests.ports import free_port
from tests.waiting import wait_until
from tests.worklist.door import Notebook, associate, open_door, still_serves
from worklist.journal import RefusedCallEntry
from worklist.models import RefusedCall
from worklist.negotiation import VERIFICATION
from worklist.server import CannotListen, Door, Secure
from worklist.strangers import HANDSHAKES, STRANGERS, code_of

VERIFIED = 0x0000


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    """The certificate of the door."""
    return make_certificate(tmp_path_factory.mktemp("ours"), "door")


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    """The certificate of a scanner."""
    return make_certificate(tmp_path_factory.mktemp("theirs"), "scanner")


@contextmanager
def secure_door(files: tls.Files, notebook: Notebook | None = None) -> Iterator[tuple[Door, Address]]:
    at = Address("127.0.0.1", free_port())
    with open_door(notebook or Notebook(), secure=Secure(at, files)) as door:
        yield door, at


def scanner_over_tls(at: Address, trust: tls.Files, me: tls.Files | None = None) -> Association:
    context = ssl.create_default_context(cafile=str(trust.certificate))
    if me is not None:
        context.load_cert_chain(me.certificate, me.key)
    scanner = AE("CT1")
    scanner.acse_timeout = scanner.dimse_timeout = scanner.network_timeout = 90
    scanner.add_requested_context(VERIFICATION)
    return scanner.associate(at.host, at.port, ae_title="BUCKY", tls_args=(context, "localhost"))


def echoes(association: Association) -> bool:
    if not association.is_established:
        return False
    status: Any = association.send_c_echo()
    association.release()
    return bool(status.get("Status") == VERIFIED)


def shows(at: Address, certificate: tls.Files) -> bool:
    """Tell whether the door shows this certificate."""
    context = ssl.create_default_context(cafile=str(certificate.certificate))
    with socket.create_connection(at, timeout=60) as plain:
        try:
            context.wrap_socket(plain, server_hostname="localhost").close()
        except ssl.SSLCertVerificationError:
            return False
    return True


def test_scanners_over_tls_are_served_beside_plain_ones(ours: tls.Files) -> None:
    with secure_door(ours) as (door, at):
        assert echoes(scanner_over_tls(at, ours))
        still_serves(door)


def test_dcmtk_comes_over_tls(ours: tls.Files) -> None:
    with secure_door(ours) as (_, at):
        words = ["echoscu", "+tla", "+cf", str(ours.certificate), "-aet", "CT1", "-aec", "BUCKY", at.host, str(at.port)]
        assert subprocess.run(words, capture_output=True, timeout=120).returncode == 0


def test_a_scanner_shows_its_certificate_where_one_is_asked_for(ours: tls.Files, theirs: tls.Files) -> None:
    with secure_door(tls.Files(ours.certificate, ours.key, theirs.certificate)) as (door, at):
        assert echoes(scanner_over_tls(at, ours, theirs))
        assert not echoes(scanner_over_tls(at, ours))
        still_serves(door)


def test_why_a_scanner_does_not_come_in_is_told_once(
    ours: tls.Files, theirs: tls.Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_handshakes", Seldom())
    notebook = Notebook()
    with secure_door(tls.Files(ours.certificate, ours.key, theirs.certificate), notebook) as (_, at):
        for _ in range(3):
            assert not echoes(scanner_over_tls(at, ours))
        assert not echoes(scanner_over_tls(at, ours, ours))
        assert not shows(at, theirs)
        assert echoes(scanner_over_tls(at, ours, theirs))

        def codes() -> list[object]:
            return [entry.reason for entry in notebook.entries if isinstance(entry, RefusedCallEntry)]

        wait_until(lambda: len(codes()) == 5, what="the calls to be noted")
    assert codes() == ["NO_CERT", "NO_CERT", "NO_CERT", "BAD_CERT", "OUR_CERT"]
    said = [record.getMessage() for record in caplog.records if record.name == "ris.tls"]
    assert said == [
        "a device at 127.0.0.1 could not come in over TLS (PEER_DID_NOT_RETURN_A_CERTIFICATE)",
        "a device at 127.0.0.1 could not come in over TLS (CERTIFICATE_VERIFY_FAILED)",
        "a device at 127.0.0.1 could not come in over TLS (TLSV1_ALERT_UNKNOWN_CA)",
    ]


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("UNSUPPORTED_PROTOCOL", "VERSION"),
        ("HTTP_REQUEST", "NOT_TLS"),
        ("SSLV3_ALERT_CERTIFICATE_EXPIRED", "OUR_CERT"),
        ("UNEXPECTED_EOF_WHILE_READING", "NO_SHAKE"),
    ],
)
def test_why_a_handshake_fails_is_kept_as_one_of_few_reasons(reason: str, code: str) -> None:
    assert code_of(reason) == code


def test_every_stranger_has_a_reason() -> None:
    codes = {one.code for one in STRANGERS} | set(HANDSHAKES.values()) | {code_of("")}
    assert codes < set(RefusedCall.Reason.values)


def test_who_does_not_come_in_is_named_after_a_new_certificate_too(
    ours: tls.Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_handshakes", Seldom())
    with secure_door(ours) as (door, at):
        asyncio.run_coroutine_threadsafe(door.renew(ours.context()), door._loop).result(60)
        for address in ("127.0.0.2", "127.0.0.3"):
            with socket.create_connection(at, timeout=60, source_address=(address, 0)) as plain:
                plain.sendall(b"GET / HTTP/1.1\r\n\r\n")
                while plain.recv(64):
                    pass
        assert echoes(scanner_over_tls(at, ours))
    said = [record.getMessage() for record in caplog.records if record.name == "ris.tls"]
    assert said == [f"a device at 127.0.0.{n} could not come in over TLS (HTTP_REQUEST)" for n in (2, 3)]


def test_a_silent_hello_and_the_wrong_port_hold_nobody_up(ours: tls.Files) -> None:
    with secure_door(ours) as (door, at):
        with socket.create_connection(at, timeout=60) as silent, socket.create_connection(at, timeout=60) as plain:
            silent.sendall(b"\x16\x03\x01")
            plain.sendall(b"\x01\x00\x00\x00\x00\x44" + bytes(68))  # an association request without TLS
            assert echoes(scanner_over_tls(at, ours))
            while plain.recv(64):
                pass  # an alert at most, then the end
        assert not echoes(scanner_over_tls(door.address, ours))
        still_serves(door)


def test_a_new_certificate_is_used_without_a_restart(
    ours: tls.Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "LOOK_EVERY", 0.05)
    files = make_certificate(tmp_path, "changing")
    with secure_door(files) as (_, at):
        assert echoes(scanner_over_tls(at, files))
        assert files.key
        assert ours.key
        files.certificate.write_bytes(ours.certificate.read_bytes())
        files.key.write_bytes(ours.key.read_bytes())
        wait_until(lambda: shows(at, ours), what="the new certificate")
        assert echoes(scanner_over_tls(at, ours))


def test_what_cannot_be_used_is_named(ours: tls.Files, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = Address("127.0.0.1", other.getsockname()[1])
        with pytest.raises(CannotListen, match=str(taken)), open_door(Notebook(), secure=Secure(taken, ours)):
            pass
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no certificate")
    at = Address("127.0.0.1", free_port())
    with pytest.raises(OSError, match="PEM"), open_door(Notebook(), secure=Secure(at, tls.Files(damaged))):
        pass


def test_one_address_may_not_take_every_place() -> None:
    with open_door(Notebook(), most=10, most_per_address=1) as door:
        first = associate(door)
        refused = associate(door)
        assert refused.is_rejected
        assert refused.acceptor.primitive
        assert refused.acceptor.primitive.result == 2  # for now: the device may ask again
        scanner = AE("CT2")
        scanner.add_requested_context(VERIFICATION)
        assert echoes(scanner.associate(*door.address, ae_title="BUCKY", bind_address=("127.0.0.2", 0)))
        first.release()
        wait_until(lambda: not door.connections)
        still_serves(door)
