"""Senders at the HL7 door, over real sockets: clients that we did not write, and several at once."""

import functools
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hl7.message import Message
from hl7.sender import Sender
from ris.config import PROJECT
from tests.department import Department
from tests.messages import adt, msh, orm, pid
from tests.messages import send as written
from tests.waiting import wait_until

PEERS = PROJECT / "tests" / "peers"
CATALOGUE = """
from ris.models import Exam, Site, Station
site = Site.new(code="GH", name="General Hospital", time_zone="Europe/Berlin", is_default=True)
Station.new(ae_title="CT1", name="CT1", site=site, modality="CT")
Exam.new(code="CTABD", meaning="CT abdomen", modality="CT", duration=20)
"""


def code_of(answer: Message) -> str:
    """Return MSA-1."""
    return answer["MSA"].get("1") or ""


@pytest.fixture(scope="module")
def door(department: Department) -> Department:
    """A running department with one CT."""
    department.private("Doe^Jane", "Roe^Mary", "19750923", "Nodó", "Pythón", "Visit7", "19620417")
    made = department.manage("shell", "-v0", "-c", CATALOGUE)
    assert made.returncode == 0, made.stderr
    return department


@pytest.mark.parametrize(
    ("command", "prefix"),
    [(["node", "hl7_node.mjs"], "NODE"), ([sys.executable, "hl7_python.py"], "PY")],
    ids=["node-hl7-client", "python-hl7"],
)
def test_a_client_keeps_one_connection_for_a_thousand_messages(
    door: Department, tmp_path: Path, command: list[str], prefix: str
) -> None:
    done = subprocess.run(
        [*command, door.mllp.host, str(door.mllp.port), "1000"],
        cwd=PEERS,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.stdout.split("\n")[:-1] == [f"AA {prefix}{number}" for number in range(1, 1001)], done.stderr[-2000:]


def test_two_hundred_messages_sent_at_once_are_answered_in_order(door: Department) -> None:
    messages = [adt("A08", pid(f"ALL{number % 7}"), control_id=f"ALL{number}") for number in range(200)]
    with Sender(door.mllp) as sender:
        sender.write(*messages)
        answers = [sender.answer() for _ in messages]
    assert [answer["MSA"].get("2") for answer in answers] == [f"ALL{number}" for number in range(200)]
    assert {answer["MSA"].get("1") for answer in answers} == {"AA"}


def test_enhanced_mode_gets_two_answers_on_the_same_connection(door: Department) -> None:
    header = msh("ADT^A04", control_id="TWICE").split("|")
    header[14:16] = ["AL", "AL"]
    raw = written("|".join(header), pid("TW1"))
    with Sender(door.mllp) as sender:
        sender.write(raw, adt("A08", pid("TW1"), control_id="AFTER"))
        answers = [sender.answer() for _ in range(3)]
    found = [(code_of(answer), answer["MSA"].get("2")) for answer in answers]
    assert found == [("CA", "TWICE"), ("AA", "TWICE"), ("AA", "AFTER")]


def test_the_answer_to_a_message_that_is_too_large_arrives(door: Department) -> None:
    too_large = adt("A08", pid(), "OBX|1|TX|||" + "x" * 11_000_000, control_id="LARGE")
    with Sender(door.mllp) as sender:
        sender.write(too_large)
        answer = sender.answer()
        assert (answer["MSA"].get("1"), answer["MSA"].get("2"), answer["ERR"].get("3")) == ("AR", "LARGE", "102")
        with pytest.raises(ConnectionError):
            sender.answer()
    with Sender(door.mllp) as other:
        assert code_of(other.send(adt("A08", pid("SMALL")))) == "AA"


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Do the same in several threads that start together."""
    start = threading.Barrier(count)

    def run(number: int) -> None:
        start.wait()
        work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_one_message_over_several_connections_at_once_has_one_effect(door: Department) -> None:
    answers: list[Message] = []

    def send(number: int) -> None:
        with Sender(door.mllp) as sender:
            sender.write(orm("NW", placer="RACE", patient=pid("RACER"), control_id="RACE1").replace(b"V100", b"VRACE"))
            answers.append(sender.answer())

    at_once(8, send)
    assert [answer["MSA"].get("1") for answer in answers] == ["AA"] * 8
    assert len({answer["MSH"].get("10") for answer in answers}) == 1, "all got the answer of the one that was applied"
    assert door.rows("SELECT count(*) FROM ris_order WHERE placer_order_number = 'RACE'") == [(1,)]
    states = door.rows(
        "SELECT state, count(*) FROM hl7_inboundmessage WHERE control_id = 'RACE1' GROUP BY state ORDER BY state"
    )
    assert states == [("applied", 1), ("repeated", 7)]


def test_several_connections_may_bring_the_same_new_patient_at_once(door: Department) -> None:
    answers: list[str] = []

    def send(number: int) -> None:
        with Sender(door.mllp) as sender:
            message = orm("NW", placer=f"NEW{number}", patient=pid("NEWCOMER"))
            answers.append(code_of(sender.send(message.replace(b"V100", b"VNEW"))))

    at_once(8, send)
    assert answers == ["AA"] * 8
    assert door.rows("SELECT count(*) FROM ris_patientidentifier WHERE value = 'NEWCOMER'") == [(1,)]


def test_the_commands_of_the_guide_do_what_it_says(door: Department, tmp_path: Path) -> None:
    guide = (PROJECT / "docs" / "howto" / "connect-a-his.md").read_text()
    [commands] = re.findall(r"```sh\n(.*?)```", guide, re.DOTALL)
    installed = [line for line in commands.splitlines() if "-m venv" not in line and "pip install" not in line]
    run = "\n".join(installed).replace(".tutorial/bin", str(Path(sys.executable).parent))
    done = subprocess.run(
        ["sh", "-e", "-c", run.replace("-p 2575", f"-p {door.mllp.port}")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert "MSA|AA|M1" in done.stdout
    assert "MSA|AA|M2" in done.stdout
    state = "SELECT s.state, s.modality FROM ris_scheduledprocedurestep s JOIN ris_requestedprocedure p ON"
    assert door.rows(f"{state} p.id = s.requested_procedure_id WHERE p.code = 'CTHEAD'") == [("SCHEDULED", "CT")]


def test_hl7_send_says_in_words_what_was_answered(door: Department, tmp_path: Path) -> None:
    good, bad = tmp_path / "good.hl7", tmp_path / "bad.hl7"
    good.write_bytes(adt("A08", pid("W1"), control_id="W1") + adt("A08", pid("W2"), control_id="W2"))
    bad.write_bytes(adt("A08", pid("W3", birth_date="20260230"), control_id="W3").replace(b"\r", b"\n"))
    done = door.manage("hl7_send", str(good))
    assert done.stdout == "1/2 W1: accepted (AA)\n2/2 W2: accepted (AA)\n"
    assert done.returncode == 0
    done = door.manage("hl7_send", str(good), str(bad), "--to", str(door.mllp))
    assert "3/3 W3: refused (AE): PID-7 is a date that does not exist." in done.stdout
    assert "1 of 3 message(s) were not accepted" in done.stderr
    assert done.returncode == 1


ASKED = {
    "AL AL": "stored (CA), accepted (AA)",
    "AL NE": "stored (CA)",
    "NE NE": "no answer, as it asked for none",
    "NE ER": "refused (AE): PID-7 is a date that does not exist.",
    "SU AL": "stored (CA), accepted (AA)",
}
"""MSH-15 and MSH-16 -> what is said of the answers."""


def test_hl7_send_waits_for_what_each_message_asks_for(door: Department, tmp_path: Path) -> None:
    file = tmp_path / "enhanced.hl7"
    for number, (asked, said) in enumerate(ASKED.items()):
        patient = pid("E1", birth_date="20260230" if "refused" in said else "20000101")
        raw = adt("A08", patient, control_id=f"E{number}")
        with file.open("ab") as out:
            out.write(raw.replace(b"|P|2.5.1||||", b"|P|2.5.1|||" + asked.replace(" ", "|").encode()))
    done = door.manage("hl7_send", str(file))
    assert done.stdout.splitlines() == [
        f"{number}/5 E{number - 1}: {said}" for number, said in enumerate(ASKED.values(), start=1)
    ]


def test_a_replay_that_is_killed_is_taken_up_and_does_nothing_twice(door: Department) -> None:
    names = [f"KILL{number}" for number in range(60)]
    with Sender(door.mllp) as sender:
        for name in names:
            assert code_of(sender.send(orm("NW", placer=name, control_id=f"NW{name}"))) == "AA"
            assert code_of(sender.send(orm("ZZ", placer=name, control_id=name))) == "AA"
    row = "from hl7.models import OrderControl; OrderControl.objects.create(control='ZZ', action='hold')"
    door.manage("shell", "-v0", "-c", row)

    def held() -> int:
        return int(door.rows("SELECT count(*) FROM ris_event WHERE kind = 'order.held'")[0][0])

    def has_held(count: int) -> bool:
        return held() >= count

    words = [sys.executable, "manage.py", "hl7_replay", "--type", "ORM", "--state", "kept"]
    for enough in (5, 20):
        with subprocess.Popen(words, cwd=PROJECT, env=door.environment, stdout=subprocess.DEVNULL) as replay:
            wait_until(functools.partial(has_held, enough), what=f"{enough} messages to be sent again")
            replay.kill()
    assert held() < len(names), "it was killed in the middle"
    assert door.manage(*words[2:]).returncode == 0
    assert held() == len(names)
    done = "SELECT control_id FROM hl7_inboundmessage WHERE state = 'applied' AND control_id LIKE 'KILL%'"
    assert sorted(name for (name,) in door.rows(done)) == sorted(names), "each was applied once"
    assert door.rows("SELECT count(*) FROM hl7_inboundmessage WHERE state = 'kept' AND control_id LIKE 'KILL%'") == [
        (0,)
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.hl7"], "nowhere.hl7: No such file or directory"),
        ([__file__], "none begins with MSH"),
        ([str(PEERS / "package.json"), "--to", "here"], "--to: 'here' is not HOST:PORT"),
    ],
)
def test_hl7_send_says_in_one_line_what_is_wrong(door: Department, words: list[str], told: str) -> None:
    done = door.manage("hl7_send", *words)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_stop_is_quick_with_connections_open(door: Department) -> None:
    """Last in this module: it stops the listener, and the department with it."""
    senders = [Sender(door.mllp) for _ in range(20)]
    assert code_of(senders[0].send(written(msh("ADT^A08"), pid("LAST")))) == "AA"
    os.kill(door.pid("hl7"), signal.SIGTERM)
    assert door.wait() == 0, "the listener ends with 0, and all others with it"
    for sender in senders:
        with pytest.raises(ConnectionError):
            sender.answer()
        sender.close()
