"""Queries that come at the same time: what they share is asked once, and no answer is older than its question."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any

import pytest
from django.db import OperationalError, connection, connections
from django.utils import timezone
from pydicom.uid import ImplicitVRLittleEndian
from pynetdicom.dsutils import encode

from ris.models import Patient
from tests import factories
from tests.worklist.asking import keys
from tests.worklist.door import Engine, Notebook, associate, encoded, open_door, query, statuses, three_steps
from worklist.host import BATCH, Answers, Opened, opened
from worklist.moment import Moment
from worklist.prepared import LIVE
from worklist.query import Caller
from worklist.rounds import Query, Rounds, Source
from worklist.upperlayer import DataSets
from worklist.workers import Outcome, Workers

CT1, CT2 = (Query(b"list", "1.2.840.10008.1.2", Caller(title)) for title in ("CT1", "CT2"))
NOON = Moment("noon", timezone.now())


class List:
    """Some answers, numbered by the reading that found them."""

    pending, cut, changed = 0xFF00, False, 0

    def __init__(self, reading: int, matches: int) -> None:
        self.keys: dict[str, Any] = {}
        self.shown: list[int] = []
        self.skipped: list[int] = []
        self.reading, self.matches = reading, matches

    def __iter__(self) -> Iterator[bytes]:
        for number in range(self.matches):
            self.shown.append(number)
            yield b"%d of reading %d" % (number, self.reading)


class Schedule:
    """A source that counts its readings. on_reading: what happens during each, by its number."""

    def __init__(self, matches: int = 2, on_reading: Callable[[int], object] = lambda _: None) -> None:
        self.matches = matches
        self.on_reading = on_reading
        self.looks = self.readings = 0
        self.moment: Moment | None = None
        self.read: dict[Query, List] = {}

    def look(self) -> Moment | None:
        self.looks += 1
        return self.moment

    def kept(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> Opened | None:
        before = self.read.get(Query(identifier, transfer_syntax, caller))
        return opened(List(before.reading, self.matches)) if before and moment is self.moment else None

    def reply(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment | None) -> Answers:
        query = Query(identifier, transfer_syntax, caller)
        if moment and query in self.read:
            return List(self.read[query].reading, self.matches)
        self.readings += 1
        reading = self.readings
        self.on_reading(reading)
        self.read[query] = List(reading, self.matches)
        return List(reading, self.matches)


@asynccontextmanager
async def answered_by(source: Source) -> AsyncIterator[Rounds]:
    workers = Workers(asyncio.get_running_loop())
    workers.start()
    try:
        yield Rounds(workers, source)
    finally:
        await asyncio.to_thread(workers.close)


def test_those_who_ask_the_same_at_the_same_time_share_a_reading() -> None:
    async def ask() -> list[list[bytes]]:
        async with answered_by(schedule) as rounds:
            opened = await asyncio.gather(*(rounds.ask(query) for query in (CT1, CT1, CT2, CT1)))
        return [first for _, _, first in opened]

    schedule = Schedule()
    found = asyncio.run(ask())
    assert (schedule.looks, schedule.readings) == (1, 2)
    assert found[0] == found[1] == found[3]
    assert {len(first) for first in found} == {2}
    assert found[2] != found[0]


def test_one_that_comes_during_a_reading_waits_for_the_next() -> None:
    """What was committed between its coming and the reading before would be missed."""
    begun, go_on = threading.Event(), threading.Event()

    def in_the_first(reading: int) -> None:
        if reading == 1:
            begun.set()
            assert go_on.wait(60)

    async def ask() -> tuple[list[bytes], list[bytes]]:
        async with answered_by(Schedule(on_reading=in_the_first)) as rounds:
            early = rounds.ask(CT1)
            await asyncio.to_thread(begun.wait, 60)
            late = rounds.ask(CT1)
            _, _, second = await late
            go_on.set()
            _, _, first = await early
        return first, second

    first, second = asyncio.run(ask())
    assert (first[0], second[0]) == (b"0 of reading 1", b"0 of reading 2")


def test_what_holds_at_the_moment_is_not_read_again() -> None:
    async def ask() -> list[bytes]:
        async with answered_by(schedule) as rounds:
            firsts = [(await rounds.ask(CT1))[2][0] for _ in range(3)]
            schedule.moment = Moment("later", NOON.at)
            schedule.read.clear()
            return [*firsts, (await rounds.ask(CT1))[2][0]]

    schedule = Schedule()
    schedule.moment = NOON
    assert asyncio.run(ask()) == [b"0 of reading 1"] * 3 + [b"0 of reading 2"]
    assert schedule.looks == 4


def test_a_list_that_is_taken_in_pieces_belongs_to_one() -> None:
    async def ask() -> list[tuple[int, list[bytes], list[int]]]:
        async with answered_by(Schedule(matches=BATCH + 1)) as rounds:
            opened = await asyncio.gather(*(rounds.ask(CT1) for _ in range(3)))
        return [(len(first), list(rest), answers.shown) for answers, rest, first in opened]

    for first, rest, shown in asyncio.run(ask()):
        assert (first, len(rest), shown) == (BATCH, 1, list(range(BATCH + 1)))


def test_a_database_that_cannot_be_looked_at_is_read() -> None:
    class Unseen(Schedule):
        def look(self) -> Moment | None:
            raise OperationalError("server closed the connection")

    async def ask() -> list[bytes]:
        async with answered_by(Unseen()) as rounds:
            return (await rounds.ask(CT1))[2]

    assert len(asyncio.run(ask())) == 2


def test_what_goes_wrong_is_told_to_all_who_asked_and_to_nobody_else() -> None:
    class Half(Schedule):
        def reply(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment | None) -> Answers:
            if caller == CT2.caller:
                raise ZeroDivisionError
            return super().reply(identifier, transfer_syntax, caller, moment)

    async def ask() -> list[object]:
        async with answered_by(Half()) as rounds:
            asked = [rounds.ask(query) for query in (CT2, CT1, CT2)]
            return [type(one) for one in await asyncio.gather(*asked, return_exceptions=True)]

    assert asyncio.run(ask()) == [ZeroDivisionError, tuple, ZeroDivisionError]


def test_what_cannot_be_told_of_a_question_is_read_and_the_next_is_answered() -> None:
    """As where the profiles cannot be read, of which the database says that it is there."""

    class Unsure(Schedule):
        def kept(self, identifier: bytes, transfer_syntax: str, caller: Caller, moment: Moment) -> Opened | None:
            if caller == CT2.caller:
                raise OperationalError("canceling statement due to statement timeout")
            return super().kept(identifier, transfer_syntax, caller, moment)

    async def ask() -> list[object]:
        async with answered_by(schedule) as rounds, asyncio.timeout(60):
            return [
                type(one)
                for _ in range(6)  # more often than there are threads
                for one in await asyncio.gather(rounds.ask(CT2), rounds.ask(CT1), return_exceptions=True)
            ]

    schedule = Unsure()
    schedule.moment = NOON
    assert asyncio.run(ask()) == [tuple] * 12


def test_work_that_breaks_ends_no_thread() -> None:
    def breaks() -> list[Outcome]:
        raise ZeroDivisionError

    async def work() -> str:
        workers = Workers(asyncio.get_running_loop(), threads=1)
        workers.start()
        try:
            workers.put(breaks)
            async with asyncio.timeout(60):
                return await workers.submit(lambda: "done")
        finally:
            await asyncio.to_thread(workers.close)

    assert asyncio.run(work()) == "done"


def test_a_connection_that_hangs_keeps_only_its_own_scanner_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both wait before the time is over, as scanners do: nobody comes after them."""
    monkeypatch.setattr("worklist.rounds.LOOK_SECONDS", 0.5)
    hangs, go_on = threading.Event(), threading.Event()

    class OneHangs(Engine):
        def look(self) -> Moment | None:
            if not hangs.is_set():
                hangs.set()
                assert go_on.wait(120)
            return None

    source = OneHangs(encoded(three_steps))
    with ThreadPoolExecutor(1) as elsewhere, open_door(Notebook(), source=source) as door:
        unlucky, lucky = associate(door), associate(door)
        waits = elsewhere.submit(query, unlucky)
        assert hangs.wait(60)
        assert statuses(query(lucky)) == [0xFF00] * 3 + [0]
        go_on.set()
        assert statuses(waits.result(60)) == [0xFF00] * 3 + [0]


def test_nothing_is_read_for_those_who_have_gone() -> None:
    begun, go_on = threading.Event(), threading.Event()

    class Slow(Schedule):
        def look(self) -> Moment | None:
            begun.set()
            assert go_on.wait(60)
            return super().look()

    async def ask() -> None:
        async with answered_by(schedule) as rounds:
            gone = rounds.ask(CT1)
            await asyncio.to_thread(begun.wait, 60)
            gone.cancel()
            go_on.set()
            await rounds.ask(CT2)

    schedule = Slow()
    asyncio.run(ask())
    assert list(schedule.read) == [CT2]


@pytest.mark.django_db(transaction=True)
def test_whoever_asks_after_a_commit_sees_it_however_many_ask_at_the_same_time() -> None:
    jane = factories.patient("Doe^Jane")
    factories.step(patient=jane)
    query = Query(encode(keys(PatientName="Doe*", PatientID=None), True, True) or b"", ImplicitVRLittleEndian, CT1[2])

    async def poll(rounds: Rounds, over: asyncio.Event) -> None:
        while not over.is_set():
            await rounds.ask(query)

    many = 8 if connection.vendor == "postgresql" else 0  # SQLite in memory locks its tables against each other

    async def ask() -> list[tuple[str, DataSets]]:
        over, seen = asyncio.Event(), []
        async with answered_by(LIVE) as rounds:
            scanners = [asyncio.create_task(poll(rounds, over)) for _ in range(many)]
            for number in range(60):
                name = f"Doe^Jane{number:02}"
                await asyncio.to_thread(committed, name)
                seen.append((name, (await rounds.ask(query))[2]))
            over.set()
            await asyncio.gather(*scanners)
        return seen

    def committed(name: str) -> None:
        try:
            Patient.objects.filter(pk=jane.pk).update(patient_name=name)
        finally:
            connections.close_all()

    for name, (answer,) in asyncio.run(ask()):
        assert name.encode() in answer
