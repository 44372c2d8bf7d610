"""Nothing that was answered AA is lost or done twice, whatever dies in between."""

import functools
import itertools
import threading
from collections.abc import Iterator

import pytest

from hl7.sender import Sender
from ris.config import Address
from tests.conftest import MakeDepartment
from tests.department import Department
from tests.journeys.mllp import send_until_accepted
from tests.journeys.test_hl7_door import CATALOGUE, code_of
from tests.messages import adt, orm, pid
from tests.services import Postgres
from tests.waiting import wait_until

COUNT = 200
CONNECTIONS = 4


class Ledger:
    """A sender's book: what it has to send, and what was answered AA."""

    def __init__(self) -> None:
        self.messages = {
            f"LEDGER{number}": orm(
                "NW", placer=f"L{number}", patient=pid(f"LP{number % 20}"), control_id=f"LEDGER{number}"
            ).replace(b"V100", f"VL{number % 20}".encode())
            for number in range(COUNT)
        }
        self.accepted: set[str] = set()

    def has_accepted(self, count: int) -> bool:
        """Tell whether at least so many were answered AA."""
        return len(self.accepted) >= count

    def send_all(self, door: Address) -> None:
        """Send what is not accepted yet over several connections, until all is or the door closes."""
        left = iter([name for name in self.messages if name not in self.accepted])
        lock = threading.Lock()
        threads = [threading.Thread(target=self._send, args=(door, left, lock)) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _send(self, door: Address, left: Iterator[str], lock: threading.Lock) -> None:
        try:
            with Sender(door) as sender:
                while True:
                    with lock:
                        name = next(left, None)
                    if name is None:
                        return
                    if code_of(sender.send(self.messages[name])) == "AA":
                        self.accepted.add(name)
        except OSError:
            return


def orders(department: Department) -> list[str]:
    """Return the control ids whose orders are there, in order."""
    rows = department.rows("SELECT placer_order_number FROM ris_order ORDER BY placer_order_number")
    return sorted(f"LEDGER{number[1:]}" for (number,) in rows)


@pytest.mark.parametrize(("process", "times"), [("hl7-2", 2), ("web", 1)])
def test_a_process_killed_while_messages_come_in_loses_and_doubles_nothing(
    make_department: MakeDepartment, process: str, times: int
) -> None:
    department = make_department(BUCKY_MLLP_PROCESSES="2")
    department.private("Doe^Jane", "19620417")
    said = "BUCKY_MLLP_PROCESSES: SQLite has one writer at a time; more processes need PostgreSQL\n"
    assert (said in department.output) is ("postgres" not in department.environment["DATABASE_URL"])
    department.manage("shell", "-v0", "-c", CATALOGUE)
    ledger = Ledger()
    for number in range(times):
        sending = threading.Thread(target=ledger.send_all, args=(department.mllp,))
        sending.start()
        enough = (number + 1) * COUNT // 4
        wait_until(functools.partial(ledger.has_accepted, enough), what=f"{enough} messages to be accepted")
        department.kill(process)
        sending.join()
        assert department.wait() != 0
        department.start()
        there = orders(department)
        assert len(there) == len(set(there))
        assert ledger.accepted <= set(there), "what was answered AA is there"
    ledger.send_all(department.mllp)
    assert ledger.has_accepted(COUNT)
    assert orders(department) == sorted(ledger.messages), "each is there once"


def test_while_the_database_is_away_messages_are_answered_ar_and_the_connection_goes_on(
    own_postgres: Postgres, make_department: MakeDepartment
) -> None:
    numbers = itertools.count()
    department = make_department(DATABASE_URL=own_postgres.new_database())
    with Sender(department.mllp) as sender, Sender(department.mllp) as other:

        def ask(who: Sender) -> str:
            return code_of(who.send(adt("A08", pid("AWAY"), control_id=f"AWAY{next(numbers)}")))

        assert (ask(sender), ask(other)) == ("AA", "AA")
        own_postgres.stop()
        assert [ask(who) for who in (sender, other, sender)] == ["AR", "AR", "AR"]
        own_postgres.start()
        assert (ask(sender), ask(other)) == ("AA", "AA")
    kept = department.rows("SELECT control_id FROM hl7_inboundmessage WHERE state = 'applied' ORDER BY id")
    assert kept == [("AWAY0",), ("AWAY1",), ("AWAY5",), ("AWAY6",)]
    department.stop()


def test_a_database_stopped_in_the_middle_of_many_messages_claims_nothing_that_is_not_there(
    own_postgres: Postgres, make_department: MakeDepartment
) -> None:
    department = make_department(DATABASE_URL=own_postgres.new_database())
    department.manage("shell", "-v0", "-c", CATALOGUE)
    ledger = Ledger()
    sending = threading.Thread(target=ledger.send_all, args=(department.mllp,))
    sending.start()
    wait_until(lambda: ledger.has_accepted(COUNT // 4), what="a quarter of the messages to be accepted")
    own_postgres.stop()
    sending.join()
    own_postgres.start()
    assert ledger.accepted <= set(orders(department))
    for name in sorted(set(ledger.messages) - ledger.accepted):
        send_until_accepted(department.mllp, ledger.messages[name])
    assert orders(department) == sorted(ledger.messages)
    department.stop()
