"""Sends N messages over one connection with python-hl7's MLLPClient and prints each answer: MSA-1, a blank, MSA-2.

python hl7_python.py HOST PORT COUNT

Runs as a program of its own, because python-hl7's package has the same name as one of ours.
"""

import sys

import hl7
from hl7.client import MLLPClient

host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
with MLLPClient(host, port, encoding="utf-8") as client:
    for number in range(1, count + 1):
        message = hl7.parse(
            f"MSH|^~\\&|PYTHON|HIS|BUCKY|RAD|20260105080000||ADT^A08|PY{number}|P|2.3.1||||||UNICODE UTF-8\r"
            f"PID|1||N{number % 10}^^^HIS^MR||Pythón^Visit{number}\r"
        )
        answer = hl7.parse(client.send_message(message).strip(b"\x0b\x1c\r"), encoding="utf-8")
        print(answer["MSA.F1"], answer["MSA.F2"])
