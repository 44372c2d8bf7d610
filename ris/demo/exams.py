# ruff: noqa: E501 - a table reads best one row a line
"""The exam catalogue of the demo department."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ExamRow:
    """One exam. protocols and steps: one entry a step; steps is empty where there is only the one.

    weight: how often it is ordered. stations: AE titles it may be done on, any of the modality where empty.
    sex: of the grown-ups that it is for; everybody where empty.
    """

    code: str
    meaning: str
    modality: str
    body_part: str
    minutes: int
    weight: int
    reasons: tuple[str, ...]
    protocols: tuple[tuple[str, str], ...]
    preparation: str = ""
    contrast: str = ""
    pre_medication: str = ""
    steps: tuple[tuple[str, str, int], ...] = ()
    stations: tuple[str, ...] = ()
    sex: str = ""

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """Modality and minutes of each step."""
        if not self.steps:
            return ((self.modality, self.minutes),)
        return tuple((modality or self.modality, minutes) for _, modality, minutes in self.steps)


IODINE = "Iodinated contrast, 350 mg/mL"
GADOLINIUM = "Gadolinium-based contrast"
FASTING = "Do not eat for 6 hours before the exam. Clear water is allowed."
KIDNEY = "Bring a creatinine value that is not older than 4 weeks. Do not eat for 4 hours before the exam."
METAL = "Tell us about a pacemaker, implants or metal in the body. Leave watch, keys and cards outside the room."
BLADDER = "Drink one litre of water in the hour before the exam and do not empty the bladder."
NO_PREPARATION = "No preparation is needed."

_HEAD = ("Headache for two weeks", "Fall on the head", "Sudden weakness of the left arm", "Dizziness")
_CHEST = ("Cough for six weeks", "Shortness of breath", "Control after pneumonia", "Chest pain")
_BELLY = ("Pain in the right lower abdomen", "Loss of weight", "Raised liver values", "Control after operation")
_SPINE = ("Low back pain, numb left foot", "Neck pain into the right arm", "Control after operation")
_JOINT = ("Twisted while playing football", "Pain for three months", "Fall from a ladder", "Cannot lift the arm")
_BREAST = ("Screening", "Lump felt on the left", "Control after six months", "Mother had breast cancer")
_VESSEL = ("Swollen left leg", "Pain when walking", "Murmur over the neck")
_BONE = ("Search for metastases", "Pain after knee replacement")

# fmt: off
EXAMS: Sequence[ExamRow] = (
    ExamRow("CTHEAD", "CT head without contrast", "CT", "HEAD", 10, 9, _HEAD, (("CT-HEAD-N", "Head native"),), NO_PREPARATION, stations=("CT1", "CT2")),
    ExamRow("CTHEADC", "CT head with contrast", "CT", "HEAD", 15, 3, _HEAD, (("CT-HEAD-C", "Head contrast"),), KIDNEY, IODINE),
    ExamRow("CTSINUS", "CT paranasal sinuses", "CT", "PARANASAL SINUS", 10, 3, ("Sinusitis that comes back", "Before operation"), (("CT-SIN", "Sinuses low dose"),), NO_PREPARATION),
    ExamRow("CTNECK", "CT neck with contrast", "CT", "NECK", 15, 2, ("Swelling of the neck", "Hoarse voice"), (("CT-NECK-C", "Neck contrast"),), KIDNEY, IODINE),
    ExamRow("CTCHEST", "CT chest without contrast", "CT", "CHEST", 10, 6, _CHEST, (("CT-CHEST-N", "Chest native"),), NO_PREPARATION),
    ExamRow("CTPE", "CT pulmonary angiography", "CT", "CHEST", 15, 4, ("Suspected pulmonary embolism",), (("CT-PE", "Pulmonary arteries"),), KIDNEY, IODINE, stations=("CT1",)),
    ExamRow("CTABD", "CT abdomen and pelvis with contrast", "CT", "ABDOMEN", 20, 8, _BELLY, (("CT-ABD-PV", "Abdomen portal venous"),), KIDNEY, IODINE),
    ExamRow("CTKUB", "CT kidneys and ureters, low dose", "CT", "KIDNEY", 10, 4, ("Colic on the left", "Blood in the urine"), (("CT-KUB", "Stone search"),), NO_PREPARATION),
    ExamRow("CTCOLON", "CT colonography", "CT", "COLON", 40, 1, ("Incomplete colonoscopy",), (("CT-COL", "Colon supine and prone"),), "Follow the bowel preparation sheet from the day before.", stations=("CT2",)),
    ExamRow("CTANGIO", "CT angiography of the legs", "CT", "LOWER LIMB", 25, 2, _VESSEL, (("CT-RUNOFF", "Run-off"),), KIDNEY, IODINE),
    ExamRow("CTBIOPSY", "CT guided biopsy", "CT", "LUNG", 60, 1, ("Nodule in the right lung",), (("CT-PLAN", "Planning scan"), ("CT-BX", "Biopsy, single slices")), FASTING, pre_medication="Local anaesthetic", steps=(("Planning scan", "", 15), ("Biopsy under CT", "", 45)), stations=("CT2",)),
    ExamRow("MRHEAD", "MR head", "MR", "HEAD", 25, 7, _HEAD, (("MR-HEAD", "Head standard"),), METAL),
    ExamRow("MRHEADC", "MR head with contrast", "MR", "HEAD", 35, 4, ("Known multiple sclerosis, control", "Control of a meningioma"), (("MR-HEAD-C", "Head contrast"),), METAL, GADOLINIUM),
    ExamRow("MRCSPINE", "MR cervical spine", "MR", "CSPINE", 25, 4, _SPINE, (("MR-CSP", "Cervical spine"),), METAL),
    ExamRow("MRLSPINE", "MR lumbar spine", "MR", "LSPINE", 25, 7, _SPINE, (("MR-LSP", "Lumbar spine"),), METAL),
    ExamRow("MRKNEEL", "MR left knee", "MR", "KNEE", 25, 5, _JOINT, (("MR-KNEE", "Knee"),), METAL),
    ExamRow("MRKNEER", "MR right knee", "MR", "KNEE", 25, 5, _JOINT, (("MR-KNEE", "Knee"),), METAL),
    ExamRow("MRSHOULD", "MR shoulder", "MR", "SHOULDER", 25, 3, _JOINT, (("MR-SHO", "Shoulder"),), METAL),
    ExamRow("MRMRCP", "MR bile ducts (MRCP)", "MR", "ABDOMEN", 30, 2, ("Gallstones", "Raised bilirubin"), (("MR-MRCP", "Bile ducts"),), FASTING),
    ExamRow("MRPROST", "MR prostate", "MR", "PROSTATE", 40, 2, ("PSA 6.2", "PSA rising"), (("MR-PROST", "Prostate multiparametric"),), METAL, GADOLINIUM, stations=("MR1",), sex="M"),
    ExamRow("MRHEART", "MR heart", "MR", "HEART", 60, 1, ("Suspected myocarditis", "Scar after infarction"), (("MR-CARD", "Heart cine and late"),), METAL, GADOLINIUM, stations=("MR1",)),
    ExamRow("MRARTHRO", "MR arthrography of the shoulder", "MR", "SHOULDER", 50, 1, ("Suspected tear of the labrum",), (("RF-INJ", "Injection under fluoroscopy"), ("MR-ARTHRO", "Shoulder after injection")), METAL, GADOLINIUM, steps=(("Injection into the joint", "RF", 20), ("MR after injection", "MR", 30)), stations=("MR1",)),
    ExamRow("XRCHEST", "Chest X-ray, two views", "DX", "CHEST", 10, 14, _CHEST, (("XR-CHEST2", "Chest PA and lateral"),), NO_PREPARATION),
    ExamRow("XRABD", "Abdomen X-ray", "DX", "ABDOMEN", 10, 3, ("Suspected ileus", "Constipation"), (("XR-ABD", "Abdomen"),), NO_PREPARATION),
    ExamRow("XRHANDL", "X-ray left hand", "DX", "HAND", 10, 4, _JOINT, (("XR-HAND", "Hand two views"),), NO_PREPARATION),
    ExamRow("XRHANDR", "X-ray right hand", "DX", "HAND", 10, 4, _JOINT, (("XR-HAND", "Hand two views"),), NO_PREPARATION),
    ExamRow("XRKNEE", "X-ray knee", "DX", "KNEE", 10, 5, _JOINT, (("XR-KNEE", "Knee two views"),), NO_PREPARATION),
    ExamRow("XRANKLE", "X-ray ankle", "DX", "ANKLE", 10, 5, _JOINT, (("XR-ANK", "Ankle two views"),), NO_PREPARATION),
    ExamRow("XRHIP", "X-ray pelvis and hip", "DX", "HIP", 10, 4, ("Fall at home", "Control after hip replacement"), (("XR-HIP", "Pelvis and hip"),), NO_PREPARATION),
    ExamRow("XRSPINE", "X-ray lumbar spine", "DX", "LSPINE", 10, 3, _SPINE, (("XR-LSP", "Lumbar spine two views"),), NO_PREPARATION),
    ExamRow("USABD", "Ultrasound abdomen", "US", "ABDOMEN", 20, 8, _BELLY, (("US-ABD", "Abdomen"),), FASTING),
    ExamRow("USKIDNEY", "Ultrasound kidneys and bladder", "US", "KIDNEY", 15, 4, ("Rising creatinine", "Urinary infection"), (("US-KUB", "Kidneys and bladder"),), BLADDER),
    ExamRow("USTHYR", "Ultrasound thyroid", "US", "THYROID", 15, 4, ("Nodule felt", "Overactive thyroid"), (("US-THY", "Thyroid"),), NO_PREPARATION),
    ExamRow("USCAROT", "Ultrasound neck vessels", "US", "NECK", 20, 3, _VESSEL, (("US-CAR", "Carotids Doppler"),), NO_PREPARATION),
    ExamRow("USVEINS", "Ultrasound leg veins", "US", "LOWER LIMB", 20, 4, _VESSEL, (("US-DVT", "Leg veins compression"),), NO_PREPARATION),
    ExamRow("MGSCREEN", "Mammography screening", "MG", "BREAST", 10, 6, _BREAST, (("MG-SCR", "Four views"),), "Do not use powder or deodorant on the day of the exam.", sex="F"),
    ExamRow("MGASSESS", "Breast assessment", "MG", "BREAST", 35, 2, _BREAST, (("MG-TOMO", "Tomosynthesis"), ("US-BREAST", "Breast")), "Do not use powder or deodorant on the day of the exam.", steps=(("Mammography with tomosynthesis", "MG", 15), ("Ultrasound of the breast", "US", 20)), sex="F"),
    ExamRow("RFSWALL", "Barium swallow", "RF", "ESOPHAGUS", 20, 2, ("Difficulty in swallowing",), (("RF-SWALL", "Swallow"),), FASTING, "Barium sulphate"),
    ExamRow("NMBONE", "Bone scan, whole body", "NM", "WHOLEBODY", 60, 2, _BONE, (("NM-INJ", "Injection"), ("NM-BONE", "Whole body late")), "Drink a litre of water between injection and pictures.", steps=(("Injection of the tracer", "", 15), ("Whole body pictures", "", 45))),
    ExamRow("NMTHYR", "Thyroid scan", "NM", "THYROID", 30, 2, ("Nodule felt", "Overactive thyroid"), (("NM-THY", "Thyroid"),), "Tell us about contrast media in the last 8 weeks."),
    ExamRow("PTCT", "PET-CT whole body", "PT", "WHOLEBODY", 45, 0, ("Staging of lymphoma",), (("PT-WB", "Whole body"),), FASTING),
)
# fmt: on
"""The last one waits for a scanner that the department does not have yet."""
