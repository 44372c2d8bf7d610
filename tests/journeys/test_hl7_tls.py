"""A department whose HL7 door speaks TLS beside plain MLLP."""

import socket
import ssl
from pathlib import Path

from hl7.message import read
from hl7.mllp import frame
from tests.certificates import make_certificate
from tests.conftest import MakeDepartment
from tests.messages import adt, pid
from tests.ports import free_port


def test_a_sender_comes_over_tls(make_department: MakeDepartment, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "door")
    port = free_port()
    made = make_department(
        BUCKY_MLLP_TLS=f"127.0.0.1:{port}", BUCKY_TLS_CERT=str(files.certificate), BUCKY_TLS_KEY=str(files.key)
    )
    made.private("Doe^Jane", "19620417")
    context = ssl.create_default_context(cafile=str(files.certificate))
    with (
        socket.create_connection(("127.0.0.1", port), timeout=120) as plain,
        context.wrap_socket(plain, server_hostname="localhost") as secure,
    ):
        secure.sendall(frame(adt("A04", pid("TLS1"), control_id="OVERTLS")))
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += secure.recv(65536)
    acknowledged = read(answer.strip(b"\x0b\x1c\r"))["MSA"]
    assert (acknowledged.get("1"), acknowledged.get("2")) == ("AA", "OVERTLS")


def test_a_certificate_that_cannot_be_used_is_one_clear_line(make_department: MakeDepartment, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no certificate")
    made = make_department(start=False, BUCKY_MLLP_TLS=f"127.0.0.1:{free_port()}", BUCKY_TLS_CERT=str(damaged))
    done = made.manage("hl7_listen")
    assert done.returncode != 0
    assert "BUCKY_TLS_CERT: the certificate cannot be used" in done.stderr
    assert "Traceback" not in done.stderr
