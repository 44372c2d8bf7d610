"""Somebody types ./run: what is printed, what is kept, and how it ends."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from ris import running
from tests.conftest import MakeDepartment
from tests.department import PROCESSES, Department
from tests.journeys.web import Browser
from tests.waiting import wait_until


def left_behind(department: Department) -> list[str]:
    """Every process that still has this department's data directory in its environment."""
    mark = f"BUCKY_DATA={department.data}".encode()
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue  # ended while we looked
    return found


def test_the_first_start_prints_a_password_and_the_second_installs_nothing(make_department: MakeDepartment) -> None:
    department = make_department(start=False).start(["./run"])
    first = department.output
    assert f"Sign in as admin with the password {department.admin_password}" in first
    ready = next(line for line in first.splitlines() if line.startswith("Bucky is ready"))
    assert all(str(address) in ready for address in (department.http, department.mllp, department.dicom))
    assert "logout-form" in Browser(department).first

    department.stop()
    assert ("Bucky runs as root." in first) is (os.geteuid() == 0)
    assert "Warning" not in department.output
    department.start(["./run"])
    assert "Installing" not in department.latest_output
    assert "password" not in department.latest_output
    assert "logout-form" in Browser(department).first


def test_secrets_and_records_can_be_read_by_no_other_account(make_department: MakeDepartment) -> None:
    department = make_department(start=False).start()
    department.stop()
    assert department.data.stat().st_mode & 0o777 == 0o700
    open_to_others = [path.name for path in department.data.glob("*") if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_another_terminal_finds_the_doors_that_were_named_in_the_first(make_department: MakeDepartment) -> None:
    department = make_department()
    message = department.data.with_name("message.hl7")
    message.write_bytes(b"MSH|^~\\&|HIS|H|BUCKY|RIS|20260101||ADT^A04|T1|P|2.5.1\rPID|1||4711^^^HIS^MR||Doe^Jane\r")
    said = department.manage("hl7_send", str(message), without=running.NAMES)
    assert (said.stdout, said.stderr) == ("1/1 T1: accepted (AA)\n", "")
    said = department.manage("scanner", "CT1", without=running.NAMES)
    assert "The worklist of CT1 is empty" in said.stderr
    department.stop()
    assert not (department.data / "doors").exists()


def test_a_secret_is_made_once(make_department: MakeDepartment) -> None:
    department = make_department()
    secrets = [(department.data / name).read_text() for name in ("secret_key", "admin_password")]
    department.restart()
    assert secrets == [(department.data / name).read_text() for name in ("secret_key", "admin_password")]
    assert all(secret.strip() not in department.latest_output for secret in secrets)


@pytest.mark.parametrize("name", PROCESSES)
def test_one_process_dies_and_all_stop_with_its_exit_code(make_department: MakeDepartment, name: str) -> None:
    department = make_department()
    department.kill(name)
    assert department.wait() == 128 + signal.SIGKILL
    assert left_behind(department) == []
    assert f"{name} stopped (exit code 137)" in department.output


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)])
def test_a_stop_that_was_asked_for_is_quick_and_leaves_nothing_behind(
    make_department: MakeDepartment, number: signal.Signals, code: int
) -> None:
    department = make_department()
    assert department.stop(number) == code
    assert "(exit code 137)" not in department.output, "all went by themselves before the supervisor's patience ended"
    assert left_behind(department) == []
    assert "Traceback" not in department.output


def test_ctrl_c_while_it_still_starts_leaves_nothing_behind(make_department: MakeDepartment) -> None:
    department = make_department(start=False)
    department.launch()
    wait_until(lambda: "started (pid=" in department.output, what="the first process")
    assert department.stop() == 130
    assert left_behind(department) == []
    assert "Bucky is ready" not in department.output


def test_nothing_outlives_a_supervisor_that_is_killed(make_department: MakeDepartment) -> None:
    department = make_department()
    department.process.kill()
    department.wait()
    wait_until(lambda: not left_behind(department), what="all processes to end")


def test_after_a_kill_it_starts_again_on_the_same_data(make_department: MakeDepartment) -> None:
    department = make_department()
    department.process.kill()
    department.wait()
    wait_until(lambda: not left_behind(department), what="all processes to end")
    department.start()
    assert "logout-form" in Browser(department).first


@pytest.fixture
def somebody_listens() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield int(server.getsockname()[1])


@pytest.mark.parametrize("door", ["BUCKY_HTTP", "BUCKY_MLLP", "BUCKY_DICOM", "BUCKY_MLLP_TLS", "BUCKY_DICOM_TLS"])
def test_a_busy_port_is_one_line_before_anything_starts(
    make_department: MakeDepartment, somebody_listens: int, door: str
) -> None:
    where = f"127.0.0.1:{somebody_listens}"
    department = make_department(start=False, BUCKY_TLS_CERT=__file__)
    department.environment[door] = where
    department.launch()
    assert department.wait() == 2
    assert department.output == f"{door}: {where} is busy: another program listens there\n"
    assert not (department.data / "bucky.sqlite3").exists()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("BUCKY_MLLP", "2575x", "BUCKY_MLLP: '2575x' is not HOST:PORT"),
        ("BUCKY_DICOM", "192.0.2.1:11112", "BUCKY_DICOM: 192.0.2.1:11112 is not an address of this machine"),
        (
            "BUCKY_HTTP",
            "no.such.invalid:80",
            "BUCKY_HTTP: no.such.invalid:80 has a host name that this machine does not know",
        ),
        ("BUCKY_DATA", "/dev/null/data", "BUCKY_DATA: cannot use /dev/null/data (Not a directory)"),
        ("BUCKY_DATA", "/proc/none/data", "BUCKY_DATA: cannot use /proc/none/data (No such file or directory)"),
    ],
)
def test_a_wrong_value_is_one_line(make_department: MakeDepartment, name: str, value: str, line: str) -> None:
    department = make_department(start=False)
    department.environment[name] = value
    department.launch(["./run"])
    assert department.wait() == 2
    assert department.output == f"{line}\n"


def test_a_database_that_is_away_is_one_line(make_department: MakeDepartment) -> None:
    department = make_department(start=False, DATABASE_URL="postgresql://bucky@127.0.0.1:1/ris")
    department.launch()
    assert department.wait() == 2
    assert len(department.output.splitlines()) == 1
    assert department.output.startswith("DATABASE_URL: the database does not answer (")


def test_two_doors_cannot_share_a_port(make_department: MakeDepartment) -> None:
    department = make_department(start=False)
    department.environment["BUCKY_DICOM"] = department.environment["BUCKY_MLLP"]
    department.launch()
    assert department.wait() == 2
    assert department.output == f"BUCKY_DICOM: {department.mllp} is already BUCKY_MLLP\n"


def test_a_data_directory_is_run_once_at_a_time(make_department: MakeDepartment) -> None:
    first = make_department()
    second = make_department(start=False, BUCKY_DATA=str(first.data))
    second.launch()
    assert second.wait() == 2
    assert second.output == f"BUCKY_DATA: {first.data} is in use by another ./run\n"


def test_the_doors_are_on_loopback_unless_told_otherwise(make_department: MakeDepartment) -> None:
    department = make_department()
    listening = {
        line.split()[1].split(":")[0]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[3] == "0A" and int(line.split()[1].split(":")[1], 16) in _ports(department)
    }
    assert listening == {"0100007F"}  # 127.0.0.1


def _ports(department: Department) -> set[int]:
    return {department.http.port, department.mllp.port, department.dicom.port}


def test_a_killed_helper_process_stops_everything_too(make_department: MakeDepartment) -> None:
    department = make_department()
    runner = int(re.findall(r"PPid:\s+(\d+)", Path(f"/proc/{department.pid('hl7')}/status").read_text())[0])
    os.kill(runner, signal.SIGKILL)
    assert department.wait() == 137
    assert left_behind(department) == []
