"""Keeps patients out of what the DICOM libraries print; what they tell is told by this door without values."""

import logging
import warnings

from pydicom import config as pydicom_config


def keep_silent() -> None:
    """Silence pydicom and pynetdicom: they log identifiers and the words of exceptions, and warn with values."""
    for name in ("pynetdicom", "pydicom"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    pydicom_config.settings.reading_validation_mode = pydicom_config.IGNORE
    warnings.filterwarnings("ignore", module=r"pydicom|pynetdicom")
