"""MLLP over TLS: real sockets, certificates made by openssl."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from hl7.listener import Limits
from hl7.mllp import frame
from ris import tls
from ris.seldom import Seldom
from tests.certificates import make_certificate
from tests.hl7.test_listener import Connection, Door

QUICK = Limits(max_bytes=10_000, idle=5, frame=5, write=1, linger=1, handshake=1, stop=3)

Story = Callable[["SecureDoor"], Awaitable[None]]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    """The certificate of the door."""
    return make_certificate(tmp_path_factory.mktemp("ours"), "door")


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> tls.Files:
    """The certificate of a sender."""
    return make_certificate(tmp_path_factory.mktemp("sender"), "sender")


class SecureDoor(Door):
    """A listener with a TLS address beside its plain one."""

    secure_port = 0

    async def connect_securely(self, trust: tls.Files, me: tls.Files | None = None) -> Connection:
        context = ssl.create_default_context(cafile=str(trust.certificate))
        if me is not None:
            context.load_cert_chain(me.certificate, me.key)
        return await asyncio.open_connection("127.0.0.1", self.secure_port, ssl=context, server_hostname="localhost")


@asynccontextmanager
async def open_door(files: tls.Files) -> AsyncIterator[SecureDoor]:
    door = SecureDoor(QUICK)
    door.port = await door.listener.start("127.0.0.1", 0)
    door.secure_port = await door.listener.start("127.0.0.1", 0, files.context())
    try:
        yield door
    finally:
        await door.listener.close()


def tell(story: Story, files: tls.Files) -> None:
    async def run() -> None:
        async with open_door(files) as door:
            await asyncio.wait_for(story(door), 20)

    asyncio.run(run())


async def ask(connection: Connection, message: bytes) -> bytes:
    reader, writer = connection
    writer.write(frame(message))
    return await reader.readuntil(b"\x1c\x0d")


async def leave(*connections: Connection) -> None:
    for _, writer in connections:
        writer.close()
    await asyncio.gather(*(writer.wait_closed() for _, writer in connections), return_exceptions=True)


def certificate_of(connection: Connection) -> bytes:
    found = connection[1].get_extra_info("ssl_object").getpeercert(binary_form=True)
    assert isinstance(found, bytes)
    return found


def test_messages_over_tls_are_answered_beside_plain_ones(ours: tls.Files) -> None:
    async def story(door: SecureDoor) -> None:
        secure, plain = await door.connect_securely(ours), await door.connect()
        assert [await ask(secure, b"one"), await ask(plain, b"two")] == [frame(b"ok one"), frame(b"ok two")]
        assert await ask(secure, b"x" * 9000) == frame(b"ok " + b"x" * 9000)
        assert secure[1].get_extra_info("ssl_object").version() == "TLSv1.3"
        await leave(secure, plain)

    tell(story, ours)


@pytest.mark.parametrize(("version", "works"), [("-tls1_1", False), ("-tls1_2", True), ("-tls1_3", True)])
def test_only_tls_1_2_and_1_3_are_spoken(ours: tls.Files, version: str, works: bool) -> None:
    async def story(door: SecureDoor) -> None:
        words = ["s_client", "-connect", f"127.0.0.1:{door.secure_port}", version, "-cipher", "DEFAULT@SECLEVEL=0"]
        process = await asyncio.create_subprocess_exec(
            "openssl", *words, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, stderr=-3
        )
        await process.communicate(b"Q\n")
        assert (process.returncode == 0) == works

    tell(story, ours)


def test_a_sender_shows_its_certificate_where_one_is_asked_for(
    ours: tls.Files, sender: tls.Files, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tls, "_handshakes", Seldom())

    async def story(door: SecureDoor) -> None:
        known = await door.connect_securely(ours, sender)
        assert await ask(known, b"one") == frame(b"ok one")
        for stranger in (None, ours):
            refused = await door.connect_securely(ours, stranger)  # a TLS 1.3 client is told a moment later
            with pytest.raises((OSError, asyncio.IncompleteReadError)):
                await ask(refused, b"two")
            await leave(refused)
        assert door.seen == [b"one"]
        await leave(known)

    tell(story, tls.Files(ours.certificate, ours.key, sender.certificate))
    said = [record.getMessage() for record in caplog.records if record.name == "ris.tls"]
    assert said == [
        "a device at 127.0.0.1 could not come in over TLS (PEER_DID_NOT_RETURN_A_CERTIFICATE)",
        "a device at 127.0.0.1 could not come in over TLS (CERTIFICATE_VERIFY_FAILED)",
    ]


def test_a_silent_client_keeps_nobody_waiting_and_is_cut_off(ours: tls.Files) -> None:
    async def story(door: SecureDoor) -> None:
        silent = [await asyncio.open_connection("127.0.0.1", door.secure_port) for _ in range(20)]
        silent[0][1].write(b"\x16\x03\x01")
        secure = await door.connect_securely(ours)
        assert await ask(secure, b"one") == frame(b"ok one")
        for reader, _ in silent:
            assert await reader.read() == b""
        await leave(secure, *silent)

    tell(story, ours)


def test_a_scanner_on_this_port_is_let_go_at_once(ours: tls.Files, caplog: pytest.LogCaptureFixture) -> None:
    """It would wait for the answer to its association request. It polls, and is logged once in a while."""

    async def story(door: SecureDoor) -> None:
        plain, again, secure = await door.connect(), await door.connect(), await door.connect_securely(ours)
        for reader, writer in (plain, again, secure):
            writer.write(b"\x01\x00\x00\x00\x00\x44\x00\x01" + bytes(66))
            assert await reader.read() == b""
        await leave(plain, again, secure)

    tell(story, ours)
    said = [record.getMessage() for record in caplog.records if record.name == "hl7.listener"]
    assert said == ["a connection from 127.0.0.1 was closed: it began DICOM"]


def test_tls_on_the_plain_port_is_closed_at_once(ours: tls.Files) -> None:
    async def story(door: SecureDoor) -> None:
        door.secure_port, secure_port = door.port, door.secure_port
        with pytest.raises(OSError):  # noqa: PT011 (which one depends on who closes first)
            await door.connect_securely(ours)
        door.secure_port = secure_port
        secure = await door.connect_securely(ours)
        assert await ask(secure, b"one") == frame(b"ok one")
        await leave(secure)

    tell(story, ours)


def test_plain_bytes_on_the_tls_port_are_no_message(ours: tls.Files) -> None:
    async def story(door: SecureDoor) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", door.secure_port)
        writer.write(frame(b"one"))
        assert b"ok" not in await reader.read()
        assert door.seen == []
        await leave((reader, writer))

    tell(story, ours)


def test_a_new_certificate_is_used_without_a_restart(ours: tls.Files, tmp_path: Path) -> None:
    files = make_certificate(tmp_path, "changing")
    assert files.key is not None

    async def story(door: SecureDoor) -> None:
        renewed = asyncio.Event()

        async def renew(context: ssl.SSLContext) -> None:
            await door.listener.renew(context)
            renewed.set()

        following = asyncio.create_task(tls.follow(files, renew, every=0.02))
        before = await door.connect_securely(files)
        assert files.key is not None
        files.certificate.write_bytes(ours.certificate.read_bytes())  # its key is not there yet: nothing changes
        await asyncio.sleep(0.1)
        assert not renewed.is_set()
        assert ours.key is not None
        files.key.write_bytes(ours.key.read_bytes())
        await renewed.wait()
        after = await door.connect_securely(ours)
        assert certificate_of(after) != certificate_of(before)
        assert [await ask(before, b"one"), await ask(after, b"two")] == [frame(b"ok one"), frame(b"ok two")]
        following.cancel()
        await leave(before, after)

    tell(story, files)


def test_files_that_cannot_be_used_are_refused(ours: tls.Files, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.pem"
    damaged.write_text("no certificate")
    for files in (
        tls.Files(tmp_path / "missing.pem"),
        tls.Files(damaged),
        tls.Files(ours.certificate),
        tls.Files(ours.certificate, ours.key, damaged),
    ):
        with pytest.raises(OSError):  # noqa: PT011 (ssl.SSLError or FileNotFoundError)
            files.context()
