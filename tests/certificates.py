"""Certificates as a hospital's authority would issue them, made by openssl."""

import subprocess
from pathlib import Path

from ris import tls


def make_certificate(directory: Path, name: str) -> tls.Files:
    """Make a certificate for localhost that is its own authority, and its key."""
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    words = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    words += ["-keyout", str(key), "-out", str(certificate), "-days", "2", "-subj", f"/CN={name}"]
    words += ["-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(words, check=True, capture_output=True)
    return tls.Files(certificate, key)
