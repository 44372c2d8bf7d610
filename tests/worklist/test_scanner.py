"""`manage.py scanner`: what it asks, what it tells, and what it says when something is wrong."""

import io
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence as Items

from tests.worklist.archive import FakeArchive
from worklist import scanner, scu
from worklist.management.commands import scanner as command
from worklist.mpps_rules import check_creation, check_end, check_update
from worklist.scanner import Entry

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 22, 10, 0, tzinfo=UTC)


def entry(number: str) -> Entry:
    answer, step = Dataset(), Dataset()
    step.ScheduledProcedureStepID, step.ScheduledProcedureStepStartTime = f"S{number}", "101500"
    step.Modality, step.ScheduledProcedureStepDescription = "CT", "CT abdomen"
    answer.ScheduledProcedureStepSequence = Items([step])
    answer.AccessionNumber, answer.PatientName, answer.PatientID = f"A{number}", "Doe^Jane", "4711"
    answer.StudyInstanceUID = f"1.2.{number}"
    return Entry(answer)


@pytest.fixture
def pacs() -> Iterator[FakeArchive]:
    with FakeArchive() as opened:
        yield opened


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> list[Entry]:
    """The worklist that it gets."""
    found = [entry("1"), entry("2")]
    monkeypatch.setattr(scanner, "worklist", lambda called, day: found)
    return found


def play(pacs: FakeArchive, *words: str, called: str = "PACS", stderr: io.StringIO | None = None) -> list[str]:
    out = io.StringIO()
    at = ("--host", "127.0.0.1", "--port", str(pacs.port), "--called", called)
    call_command("scanner", "CT1", *at, *words, stdout=out, stderr=stderr)
    return out.getvalue().splitlines()


def why(pacs: FakeArchive, *words: str, **values: Any) -> str:
    with pytest.raises(CommandError) as info:
        play(pacs, *words, **values)
    return str(info.value)


def test_what_it_tells_keeps_every_rule_of_the_service() -> None:
    for entries in ([], [entry("1")], [entry("1"), entry("2")]):
        assert check_creation(scanner.beginning("CT1", "MR", entries, NOW)) == []
    done = scanner.ending(NOW, images=2)
    assert check_update(done) == ("COMPLETED", [])
    assert check_end("COMPLETED", done) == []
    assert check_end("DISCONTINUED", scanner.ending(NOW, reason="110514")) == []


def test_entries_that_are_named_are_performed_as_a_group(pacs: FakeArchive, listed: list[Entry]) -> None:
    begun, ended = play(pacs, "--pick", "A1", "--pick", "S2", "--images", "5")
    assert begun.startswith("in progress   2.25.")
    assert ended == "completed"
    (_, uid, created), (_, same, updated) = pacs.told
    assert uid == same
    assert [item.AccessionNumber for item in created.ScheduledStepAttributesSequence] == ["A1", "A2"]
    assert len(updated.PerformedSeriesSequence[0].ReferencedImageSequence) == 5


def test_a_group_of_several_patients_is_warned_of(pacs: FakeArchive, listed: list[Entry]) -> None:
    said = io.StringIO()
    play(pacs, "--pick", "A1", "--pick", "A2", stderr=said)
    assert said.getvalue() == ""
    listed[1].answer.PatientID = "4712"
    play(pacs, "--pick", "A1", "--pick", "A2", stderr=said)
    assert said.getvalue() == "Warning: these are entries of several patients, told as one group\n"


def test_without_a_pick_it_shows_the_list_and_asks_who_sits_there(
    pacs: FakeArchive, listed: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = ["  1  10:15  Doe Jane  S1  A1  4711  CT abdomen", "  2  10:15  Doe Jane  S2  A2  4711  CT abdomen"]
    monkeypatch.setattr(command.Command, "_can_ask", lambda self: False)
    assert play(pacs) == shown
    monkeypatch.setattr(command.Command, "_can_ask", lambda self: True)
    answers = iter(["", "9", "2"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    assert play(pacs) == shown
    assert why(pacs) == "There is no entry 9"
    assert play(pacs, "--end", "discontinue", "--reason", "110514")[-1] == "discontinued  110514"
    assert pacs.told[0][2].ScheduledStepAttributesSequence[0].ScheduledProcedureStepID == "S2"
    reason = pacs.told[1][2].PerformedProcedureStepDiscontinuationReasonCodeSequence[0]
    assert (reason.CodeValue, reason.CodeMeaning) == ("110514", "Incorrect worklist entry selected")


def test_each_failure_is_told_in_words(pacs: FakeArchive, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "it is not called OTHER" in why(pacs, called="OTHER")
    assert "does not offer this service" in why(pacs) or "offers none of what was asked for" in why(pacs)
    pacs.answers = [0x0213]
    assert "did not let us begin the step, status 0213" in why(pacs, "--unscheduled")
    pacs.answers = [0, 0x0110]
    assert "did not let us end the step, status 0110" in why(pacs, "--unscheduled")
    assert "cannot be reached: nobody listens there" in why(pacs, "--unscheduled", "--port", "1")
    monkeypatch.setattr(scu, "CONNECT_SECONDS", 1)
    with socket.create_server(("127.0.0.1", 0)) as other:
        said = why(pacs, "--unscheduled", "--port", str(other.getsockname()[1]))
        assert "does not answer in DICOM" in said
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, ExitStack() as callers:
        for _ in range(2):  # there is no room for more: the next one gets no answer, as from behind a firewall
            caller = callers.enter_context(socket.socket())
            caller.setblocking(False)
            caller.connect_ex(full.getsockname())
        said = why(pacs, "--unscheduled", "--port", str(full.getsockname()[1]))
        assert "cannot be reached: no answer in 1 seconds" in said
    assert "this host is not known" in why(pacs, "--unscheduled", "--host", "no.such.host.invalid")
    monkeypatch.setattr(scanner, "worklist", lambda called, day: [entry("1"), entry("2")])
    assert why(pacs, "--pick", "4711") == "2 entries have the number 4711. Pick by step ID: S1, S2"
    assert why(pacs, "--pick", "A3") == "No entry of this list has the number A3. Without --pick the list is shown"
    assert why(pacs, "--pick", "A1", "--pick", "S1") == "S1 is the number of an entry that is picked already"
    monkeypatch.setattr(scanner, "worklist", lambda called, day: [])
    assert "is empty on 2026-01-02" in why(pacs, "--day", "2026-01-02")


def test_who_sits_there_reads_whom_it_calls_and_how_long_it_may_take(pacs: FakeArchive) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    seen = []
    for stream in (io.StringIO(), Terminal()):
        play(pacs, "--unscheduled", stderr=stream)
        seen.append(stream.getvalue())
    assert seen == ["", f"Calling PACS at 127.0.0.1:{pacs.port} as CT1; it has 10 seconds to answer\n"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--day", "31.12.2026"], "argument --day: 31.12.2026 is no day: write it as 2026-11-23"),
        (["--day", "2026-02-30"], "argument --day: 2026-02-30 is no day: write it as 2026-11-23"),
        (["--port", "70000"], "argument --port: 70000 is no number from 1 to 65535"),
        (["--images", "-1"], "argument --images: -1 is no number from 0 to 10000"),
        (["--seconds", "nan"], "argument --seconds: nan is no number from 0 to 86400"),
        (["--seconds", "soon"], "argument --seconds: soon is no number from 0 to 86400"),
        (["--called", "A_VERY_LONG_TITLE"], "argument --called: A_VERY_LONG_TITLE is no AE title"),
        (["--modality", "ct"], "argument --modality: ct is no modality"),
        (["--reason", ""], "argument --reason:  is no code"),
        (["--unscheduled", "--pick", "A1"], "--pick names what is on the worklist"),
    ],
)
def test_a_wrong_argument_is_named_before_anything_is_sent(pacs: FakeArchive, words: list[str], said: str) -> None:
    with pytest.raises(CommandError) as info:
        play(pacs, *words)
    assert said in str(info.value)
    assert info.value.returncode == 2 or "argument" in said  # the parser's own, which ends with 2 on a command line
    assert pacs.told == []
