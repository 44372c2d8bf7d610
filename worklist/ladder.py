"""Asks archives whether the study of an exam is there, by C-FIND or QIDO-RS: for scanners that tell nothing."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from pydicom.dataset import Dataset
from pynetdicom.association import Association

from ris.actions import closing
from ris.actor import system
from ris.models import Evidence, ScheduledProcedureStep
from worklist import qido
from worklist.models import Archive, Sighting
from worklist.mpps_rules import text
from worklist.qido import Study
from worklist.scu import Called, CallFailed, calling, code_of, status_of

log = logging.getLogger(__name__)

STUDY_ROOT_FIND = "1.2.840.10008.5.1.4.1.2.2.1"
QUIET = timedelta(minutes=5)
"""How long a study must not have grown."""
LOOKED_BACK = timedelta(days=2)
"""How long after its planned start an exam is asked for."""
AT_ONCE = 200
"""Exams that one look asks for. Where more are open, the next look goes on where this one ended."""
LOOK_EVERY = timedelta(minutes=1)


def close_what_is_archived(now: datetime | None = None) -> int:
    """Complete the steps whose study lies in an archive and grows no more; returns how many."""
    now = now or timezone.now()
    Sighting.objects.filter(since__lt=now - LOOKED_BACK * 2).delete()
    steps = _candidates(now)
    closed = 0
    for archive in Archive.objects.filter(active=True, asked=True) if steps else ():
        try:
            with _asking(archive) as ask:
                for step in steps:
                    closed += _ask_and_close(ask, archive, step, now)
        except CallFailed as reason:
            log.warning("an archive could not be asked for studies: %s", reason)
    return closed


Ask = Callable[[str], Study | None]
"""What an archive says of a study, by its UID; None when it has none. Raises CallFailed."""


@contextmanager
def _asking(archive: Archive) -> Iterator[Ask]:
    """Ask by QIDO-RS where the archive's DICOMweb is known, else by C-FIND over one association. Raises CallFailed."""
    if archive.dicomweb_url:
        yield lambda uid: qido.study(archive.dicomweb_url, archive.name, uid)
        return
    called = Called(archive.host, archive.port, archive.ae_title, settings.BUCKY_AE_TITLE)
    with calling(called, STUDY_ROOT_FIND) as assoc:
        yield lambda uid: _find(assoc, called, uid)


def _candidates(now: datetime) -> list[ScheduledProcedureStep]:
    steps = ScheduledProcedureStep.objects.filter(
        state__in=closing.CLOSABLE[Evidence.ARCHIVE],
        station__closed_by_archive=True,
        start__gte=now - LOOKED_BACK,
        start__lt=now + timedelta(hours=12),
        requested_procedure__order__on_hold=False,
    ).exclude(closures__evidence=Evidence.ARCHIVE)
    steps = steps.select_related("requested_procedure").order_by("start", "pk")
    parts = max(1, -(-steps.count() // AT_ONCE))
    turn = int(now.timestamp() // LOOK_EVERY.total_seconds()) % parts
    return list(steps[turn * AT_ONCE : (turn + 1) * AT_ONCE])


def _ask_and_close(ask: Ask, archive: Archive, step: ScheduledProcedureStep, now: datetime) -> bool:
    """Ask for the study of one step, and close the step when it is there and has not grown for QUIET."""
    uid = step.requested_procedure.study_instance_uid
    found = ask(uid)
    if found is None:
        return False
    if any(found.modalities) and step.modality not in found.modalities:
        return False  # the study has begun with another step of the procedure
    images = found.images
    seen, _new = Sighting.objects.get_or_create(
        archive=archive, study_instance_uid=uid, defaults={"images": images, "since": now}
    )
    if seen.images != images:
        Sighting.objects.filter(pk=seen.pk).update(images=images, since=now)
        return False
    if now - seen.since < QUIET:
        return False
    minutes = (now - seen.since).total_seconds() // 60
    told = {"archive": archive.name, "images": images, "minutes": minutes}
    if images:
        words = ngettext(
            "%(archive)s has %(images)d image of its study, and has got no more for %(minutes)d minutes.",
            "%(archive)s has %(images)d images of its study, and has got no more for %(minutes)d minutes.",
            images,
        )
    else:  # an archive need not tell how many it has
        words = _("%(archive)s has had its study for %(minutes)d minutes; it does not say of how many images.")
    return closing.close(by=system(archive.name), step=step, evidence=Evidence.ARCHIVE, words=words % told)


def _find(assoc: Association, called: Called, uid: str) -> Study | None:
    """Return what the archive says of a study; None when it has none of this UID. Raises CallFailed."""
    identifier = Dataset()
    identifier.QueryRetrieveLevel = "STUDY"
    identifier.StudyInstanceUID = uid
    identifier.ModalitiesInStudy = identifier.NumberOfStudyRelatedInstances = None
    found: Study | None = None
    for status, answer in assoc.send_c_find(identifier, STUDY_ROOT_FIND):
        code = status_of(status, called)
        if code in (0xFF00, 0xFF01) and answer is not None and text(answer, "StudyInstanceUID") == uid:
            count = text(answer, "NumberOfStudyRelatedInstances")
            images = int(count) if count.isdecimal() and len(count) < 9 else 0
            found = Study(tuple(text(answer, "ModalitiesInStudy").split("\\")), images)
        elif code not in (0, 0xFF00, 0xFF01):
            raise CallFailed(f"{called} refused the query, {code_of(status)}")
    return found
