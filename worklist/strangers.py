"""Who comes to the DICOM door and does not get as far as an association: others than DICOM, failed TLS handshakes."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Stranger:
    """One that does not speak DICOM. begins: how. words: for the log. code: a value of RefusedCall.Reason."""

    begins: tuple[bytes, ...]
    words: str
    code: str


STRANGERS = (
    Stranger((b"\x16\x03",), "TLS on the plain port", "TLS"),
    Stranger((b"GET ", b"HEAD ", b"POST ", b"PUT ", b"OPTION", b"CONNEC", b"PRI * "), "HTTP", "HTTP"),
    Stranger((b"\x0b",), "HL7 over MLLP", "MLLP"),
)
"""A TLS handshake (RFC 8446 section 5.1), a request of HTTP, the start of a block of MLLP."""

HANDSHAKES = {
    "PEER_DID_NOT_RETURN_A_CERTIFICATE": "NO_CERT",
    "CERTIFICATE_VERIFY_FAILED": "BAD_CERT",
    "UNSUPPORTED_PROTOCOL": "VERSION",
    "NO_SHARED_CIPHER": "VERSION",
    "HTTP_REQUEST": "NOT_TLS",
    "WRONG_VERSION_NUMBER": "NOT_TLS",
}
"""How a failed handshake is kept, by OpenSSL's name for it."""
_ALERTS = ("UNKNOWN_CA", "CERTIFICATE")


def stranger(began: bytes) -> Stranger | None:
    """Return who begins a connection so, None when nobody is known to."""
    return next((one for one in STRANGERS if began.startswith(one.begins)), None)


def code_of(reason: str) -> str:
    """Return how a failed handshake is kept, a value of RefusedCall.Reason. reason: OpenSSL's name for it."""
    if "_ALERT_" in reason and any(alert in reason for alert in _ALERTS):
        return "OUR_CERT"
    return HANDSHAKES.get(reason, "NO_SHAKE")
