"""A hospital with people of every role and two orders for tonight, for the stories on screen."""

import socket

from tests.department import Department

PASSWORD = "correct horse battery"

PREPARE = """
from django.contrib.auth.models import Group
from ris.models import User
from ris.roles import Role
from tests import factories
factories.station("CT1"); factories.station("MR1")
from ris.models import ExamQuestion
ExamQuestion.new(exam=factories.exam(), text="Weight over 120 kg?", required=True)
for role in Role:
    account = User.objects.create_user(role.name.lower(), password="correct horse battery")
    account.groups.add(Group.objects.get(name=role.value))
at = factories.today_at(23, 30)
print(at.strftime("%Y%m%d%H%M"))
"""

HEADER = (
    "MSH|^~\\&|HIS|GH|BUCKY|GH|20260105||{3}|{0}{3}|P|2.5.1||||||UNICODE UTF-8\rPID|1||{0}^^^HIS^MR||{1}||19620417|F\r"
)
ORDER = "PV1|1|O\rORC|NW|{0}P^HIS|||||^^^{2}^^R\rOBR|1|{0}P^HIS||CTABD^CT abdomen^L|||||||||||||||||||||||^^^{2}^^R\r"


def send(department: Department, message: str) -> str:
    """Send one message and return its answer."""
    with socket.create_connection(department.mllp, timeout=60) as connection:
        connection.sendall(b"\x0b" + message.encode() + b"\x1c\r")
        answer = b""
        while not answer.endswith(b"\x1c\r"):
            answer += connection.recv(65536)
    return answer.decode()


def filled(department: Department) -> Department:
    """Give a department two scanners, somebody of each role, and by HL7 two patients with an order for tonight."""
    prepared = department.manage("shell", "--verbosity", "0", "-c", PREPARE)
    assert prepared.returncode == 0, prepared.stderr
    tonight = prepared.stdout.split()[-1]
    for number, name in (("4711", "Müller^Łukasz"), ("4712", "Doe^Jane")):
        department.private(name.partition("^")[0], number)
        for kind, rest in (("ADT^A04", "PV1|1|O\r"), ("ORM^O01", ORDER)):
            assert "MSA|AA" in send(department, (HEADER + rest).format(number, name, tonight, kind))
    return department
