"""The listener over real sockets, with a stand-in for what a message means."""

import asyncio
import resource
import socket
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest

from hl7.listener import Handlers, Limits, Listener
from hl7.mllp import frame

QUICK = Limits(max_bytes=10_000, idle=5, frame=5, write=1, linger=1, stop=3)

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Story = Callable[["Door"], Awaitable[None]]


class Door:
    """A listener that answers each message with its own text, and notes what it worked on."""

    def __init__(self, limits: Limits = QUICK) -> None:
        self.seen: list[bytes] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.listener = Listener(Handlers(self.receive, self.refuse), limits)
        self.port = 0

    def receive(self, raw: bytes, peer: str) -> bytes:
        self.seen.append(raw)
        if raw == b"slow":
            self.go_on.wait(60)
        if raw == b"bug":
            raise ZeroDivisionError
        return b"" if raw == b"answer" else b"ok " + raw

    def refuse(self, head: bytes, peer: str) -> bytes:
        return b"too large " + head[:3]

    async def connect(self) -> Connection:
        return await asyncio.open_connection("127.0.0.1", self.port)


@asynccontextmanager
async def open_door(limits: Limits = QUICK) -> AsyncIterator[Door]:
    door = Door(limits)
    door.port = await door.listener.start("127.0.0.1", 0)
    try:
        yield door
    finally:
        door.go_on.set()
        await door.listener.close()


def tell(story: Story, limits: Limits = QUICK) -> None:
    async def run() -> None:
        async with open_door(limits) as door:
            await asyncio.wait_for(story(door), 20)

    asyncio.run(run())


async def ask(connection: Connection, data: bytes) -> bytes:
    reader, writer = connection
    writer.write(data)
    return await reader.readuntil(b"\x1c\r")


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.01)


async def hang_up(*connections: Connection) -> None:
    for _, writer in connections:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def test_a_connection_stays_open_for_many_messages() -> None:
    async def story(door: Door) -> None:
        connection = await door.connect()
        for number in range(1000):
            content = b"%d" % number
            assert await ask(connection, frame(content)) == frame(b"ok " + content)
        await hang_up(connection)

    tell(story)


def test_two_hundred_messages_sent_at_once_are_answered_in_order() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        writer.write(b"".join(frame(b"%d" % number) for number in range(200)))
        for number in range(200):
            assert await reader.readuntil(b"\x1c\r") == frame(b"ok %d" % number)
        await hang_up((reader, writer))

    tell(story)


def test_a_message_that_comes_byte_by_byte_is_answered() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        for byte in frame(b"drip"):
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(0)
        assert await reader.readuntil(b"\x1c\r") == frame(b"ok drip")
        await hang_up((reader, writer))

    tell(story)


def test_a_sender_without_carriage_return_is_answered() -> None:
    async def story(door: Door) -> None:
        connection = await door.connect()
        assert await ask(connection, b"\x0bhello\x1c") == frame(b"ok hello")
        assert await ask(connection, b"\x0bagain\x1c") == frame(b"ok again")
        await hang_up(connection)

    tell(story)


def test_a_sender_that_closes_its_side_still_gets_its_answer() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        writer.write(frame(b"one") + b"\x0btwo\x1c")
        writer.write_eof()
        assert await reader.read() == frame(b"ok one") + frame(b"ok two")
        await hang_up((reader, writer))

    tell(story)


def test_what_is_an_answer_itself_gets_none() -> None:
    async def story(door: Door) -> None:
        connection = await door.connect()
        assert await ask(connection, frame(b"answer") + frame(b"next")) == frame(b"ok next")
        await hang_up(connection)

    tell(story)


def test_a_message_over_the_bound_is_refused_and_the_connection_closed() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        writer.write(b"\x0bMSH" + b"x" * 300_000)
        assert await reader.read() == frame(b"too large MSH")
        await hang_up((reader, writer))
        assert door.seen == []

    tell(story)


def test_sixty_four_mebibytes_are_refused_without_being_kept() -> None:
    def flood(port: int) -> bytes:
        with socket.create_connection(("127.0.0.1", port), timeout=60) as sender:
            try:
                sender.sendall(b"\x0bMSH" + b"x" * (64 << 20))
            except OSError:
                return b""  # closed on while it was still sending: refused as well
            return sender.recv(100)

    async def story(door: Door) -> None:
        answer = await asyncio.to_thread(flood, door.port)
        assert answer in (b"", frame(b"too large MSH"))

    tell(story)


def test_an_idle_connection_is_closed_after_its_time() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        assert await reader.read() == b""
        await hang_up((reader, writer))

    tell(story, Limits(idle=0.1))


def test_a_drip_of_bytes_does_not_extend_the_deadline_of_a_frame() -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        started = time.monotonic()
        writer.write(b"\x0b")
        closed = asyncio.ensure_future(reader.read())
        while not closed.done():
            writer.write(b"x")
            await asyncio.wait([closed], timeout=0.05)
        assert time.monotonic() - started < 30
        await asyncio.gather(closed, return_exceptions=True)
        await hang_up((reader, writer))

    tell(story, Limits(idle=10, frame=0.4))


def test_a_peer_that_does_not_read_its_answers_is_cut_off_and_others_are_served() -> None:
    async def story(door: Door) -> None:
        deaf_socket = socket.socket()
        deaf_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf_socket.setblocking(False)
        await asyncio.get_running_loop().sock_connect(deaf_socket, ("127.0.0.1", door.port))
        deaf = await asyncio.open_connection(sock=deaf_socket)
        deaf[1].transport.pause_reading()  # type: ignore[attr-defined]
        content = b"y" * 9000
        for _ in range(1500):
            deaf[1].write(frame(content))
        other = await door.connect()
        assert await ask(other, frame(b"hello")) == frame(b"ok hello")
        await until(lambda: len(door.listener._at_work) == 1)
        assert await ask(other, frame(b"still here")) == frame(b"ok still here")
        await hang_up(other)
        deaf[1].transport.abort()

    tell(story)


def test_a_slow_message_holds_up_its_own_connection_only() -> None:
    async def story(door: Door) -> None:
        door.go_on.clear()
        slow, other = await door.connect(), await door.connect()
        slow[1].write(frame(b"slow") + frame(b"after"))
        await until(lambda: b"slow" in door.seen)
        assert await ask(other, frame(b"hello")) == frame(b"ok hello")
        assert b"after" not in door.seen, "one message at a time keeps the sender's order"
        door.go_on.set()
        assert await slow[0].readuntil(b"\x1c\r") == frame(b"ok slow")
        assert await slow[0].readuntil(b"\x1c\r") == frame(b"ok after")
        await hang_up(slow, other)

    tell(story)


def test_a_stop_lets_the_message_in_hand_be_answered() -> None:
    async def run() -> None:
        async with open_door() as door:
            door.go_on.clear()
            busy, idle = await door.connect(), await door.connect()
            busy[1].write(frame(b"slow") + frame(b"not taken any more"))
            await until(lambda: b"slow" in door.seen)
            stopping = asyncio.ensure_future(door.listener.close())
            assert await idle[0].read() == b""
            with pytest.raises(ConnectionRefusedError):
                await door.connect()
            door.go_on.set()
            assert await busy[0].read() == frame(b"ok slow")
            await stopping
            assert door.seen == [b"slow"]
            await hang_up(busy, idle)

    asyncio.run(run())


def test_a_stop_does_not_wait_for_ever(caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        async with open_door(Limits(stop=0.2)) as door:
            door.go_on.clear()
            busy = await door.connect()
            busy[1].write(frame(b"slow"))
            await until(lambda: b"slow" in door.seen)
            await asyncio.wait_for(door.listener.close(), 3)
            door.go_on.set()
            await hang_up(busy)

    asyncio.run(run())
    assert "cut off" in caplog.text


def test_a_message_that_cannot_be_answered_closes_the_connection_without_an_answer(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def story(door: Door) -> None:
        reader, writer = await door.connect()
        writer.write(frame(b"bug"))
        assert await reader.read() == b""
        await hang_up((reader, writer))

    tell(story)
    assert "ZeroDivisionError" in caplog.text


def test_connections_over_the_limit_are_closed_and_the_others_stay() -> None:
    async def story(door: Door) -> None:
        kept = await door.connect()
        assert await ask(kept, frame(b"1")) == frame(b"ok 1")
        reader, writer = await door.connect()
        with pytest.raises((OSError, asyncio.IncompleteReadError)):
            await ask((reader, writer), frame(b"2"))
        assert await ask(kept, frame(b"3")) == frame(b"ok 3")
        await hang_up(kept, (reader, writer))

    tell(story, Limits(connections=1))


def test_a_thousand_connections_do_not_keep_one_waiting() -> None:
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))  # both ends are in this process

    async def story(door: Door) -> None:
        idle = [await door.connect() for _ in range(1000)]
        connection = await door.connect()
        assert await ask(connection, frame(b"hello")) == frame(b"ok hello")
        await hang_up(connection, *idle)

    tell(story)


def test_an_unfinished_frame_is_noted_when_the_next_begins(caplog: pytest.LogCaptureFixture) -> None:
    async def story(door: Door) -> None:
        connection = await door.connect()
        assert await ask(connection, b"\x0bMSH|lost" + frame(b"MSH|found")) == frame(b"ok MSH|found")
        await hang_up(connection)

    tell(story)
    assert "without an end" in caplog.text


def test_several_processes_take_connections_at_one_port() -> None:
    async def run() -> None:
        first, second = Door(), Door()
        port = first.port = await first.listener.start("127.0.0.1", 0, shared=True)
        second.port = await second.listener.start("127.0.0.1", port, shared=True)
        while not (first.seen and second.seen):
            connection = await first.connect()
            assert await ask(connection, frame(b"hello")) == frame(b"ok hello")
            connection[1].close()
        await first.listener.close()
        connection = await first.connect()
        assert await ask(connection, frame(b"still")) == frame(b"ok still"), (
            "one that ends leaves the port to the other"
        )
        connection[1].close()
        await second.listener.close()

    asyncio.run(run())
