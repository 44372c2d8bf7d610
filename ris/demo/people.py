# ruff: noqa: E501 - a table reads best one row a line
"""Invented people from many places: names are drawn from tables, so nobody in particular is meant."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from random import Random


@dataclass(frozen=True)
class Culture:
    """Names of one language. A name is one text, or "alphabetic|ideographic|phonetic"."""

    language: str
    weight: int
    families: tuple[str, ...]
    women: tuple[str, ...]
    men: tuple[str, ...]
    families_of_women: tuple[str, ...] = ()
    """Where a family name has another form for women, in the order of `families`."""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# fmt: off
CULTURES: Sequence[Culture] = (
    Culture("en", 8, _words("Ashdown Birch Calloway Dunmore Everly Fairbrook Garrow Hollis Kettering Lockwood Marsh Oakley Penrose Quill Redfern Stanhope" ), _words("Alice Beatrice Clara Edith Grace Hannah Ivy Mabel Nora Rose"), _words("Arthur Edmund Frank George Henry Jasper Leo Oscar Simon Walter")),
    Culture("de", 7, _words("Bäcker Böhm Grünwald Häußler Jäger Köhler Müller Schäfer Schröder Weiß Zöllner Lindemann"), _words("Anneliese Brünhild Gisela Heike Jördis Käthe Lieselotte Margarete Ulrike Yvonne"), _words("Björn Dietrich Götz Günther Jürgen Konrad Matthäus Rüdiger Sönke Wolfgang")),
    Culture("fr", 5, _words("Béranger Chêneau Delacôte Fèvre Garçon Lefrançois Mérault Noël Rivière Thévenet"), _words("Amélie Chloé Élodie Françoise Geneviève Hélène Noémie Zoé"), _words("André Étienne François Gaël Jérôme Loïc René Théo")),
    Culture("es", 5, _words("Aragón Benítez Castañeda Domínguez Ibáñez Muñoz Núñez Peñalver Quiñones Zúñiga"), _words("Begoña Concepción Inés Lucía María Pilar Sofía"), _words("Álvaro Andrés Iñaki José Óscar Ramón Tomás")),
    Culture("pl", 4, _words("Błaszczyk Dąbek Gołąb Jabłoński Łukasik Późniak Świątek Wróbel Żuraw"), _words("Agnieszka Elżbieta Grażyna Małgorzata Wisława Zofia"), _words("Bogusław Grzegorz Łukasz Michał Stanisław Zdzisław")),
    Culture("cs", 2, _words("Čapek Dvořáček Hruška Jelínek Kříž Šťastný"), _words("Anežka Božena Libuše Růžena"), _words("Jiří Luboš Ondřej Zdeněk")),
    Culture("sv", 2, _words("Ågren Åström Björklund Sjöberg Öhman Ölander"), _words("Åsa Göta Märta Ylva"), _words("Åke Göran Håkan Örjan")),
    Culture("da", 1, _words("Ærø Bjørn Kjær Østergaard Søndergaard"), _words("Bodil Kirsten Sørine Ærtha"), _words("Jørgen Søren Torbjørn Øjvind")),
    Culture("tr", 3, _words("Çelik Doğan Gündoğdu İnce Işık Özkan Şimşek Yıldız"), _words("Ayşe Çiğdem Gülşen İpek Şule"), _words("Çağrı İsmail Oğuz Ömer Şükrü")),
    Culture("vi", 2, _words("Nguyễn Trần Phạm Đặng Bùi"), _words("Ánh Hường Thảo Tuyết"), _words("Dũng Đức Quốc Tuấn")),
    Culture("ru", 5, _words("Берёзкин Воронцов Громов Ершов Журавлёв Зимин Ключевский Лебедев Орлов Щербаков"), _words("Анна Галина Екатерина Людмила Ольга Татьяна"), _words("Алексей Борис Дмитрий Николай Пётр Фёдор"), _words("Берёзкина Воронцова Громова Ершова Журавлёва Зимина Ключевская Лебедева Орлова Щербакова")),
    Culture("uk", 2, _words("Гайченко Їжакевич Кравець Лісовський Яремчук"), _words("Ганна Євгенія Оксана Соломія"), _words("Андрій Григорій Ілля Юрій"), _words("Гайченко Їжакевич Кравець Лісовська Яремчук")),
    Culture("el", 3, _words("Αλεξίου Βασιλάκης Γεωργιάδης Δημητρίου Καρράς Οικονόμου Παππάς"), _words("Αικατερίνη Ελένη Ευγενία Μαρία Σοφία"), _words("Γεώργιος Δημήτριος Ιωάννης Κωνσταντίνος Νικόλαος"), _words("Αλεξίου Βασιλάκη Γεωργιάδου Δημητρίου Καρρά Οικονόμου Παππά")),
    Culture("ar", 4, _words("الحداد النجار الخطيب السمان المصري الدباغ الصباغ"), _words("أمينة زينب فاطمة ليلى مريم نور"), _words("أحمد حسن خالد سامي عمر يوسف")),
    Culture("he", 3, _words("אלון ברק גולן הררי כרמי שגיא"), _words("דבורה חנה מרים רבקה תמר"), _words("אורי דניאל יונתן משה נועם")),
    Culture("ja", 4, _words("Yamada|山田|やまだ Satou|佐藤|さとう Takahashi|高橋|たかはし Watanabe|渡辺|わたなべ Kobayashi|小林|こばやし Matsumoto|松本|まつもと Inoue|井上|いのうえ" ), _words("Hanako|花子|はなこ Sakura|桜|さくら Yumiko|由美子|ゆみこ Keiko|恵子|けいこ Aoi|葵|あおい"), _words("Tarou|太郎|たろう Kenji|健二|けんじ Hiroshi|浩|ひろし Daisuke|大輔|だいすけ Makoto|誠|まこと")),
    Culture("zh", 4, _words("Wang|王| Li|李| Zhang|张| Chen|陈| Zhao|赵| Huang|黄| Zhou|周|"), _words("Xiulan|秀兰| Meiling|美玲| Lihua|丽华| Yan|燕| Jing|静|"), _words("Wei|伟| Jianguo|建国| Ming|明| Xiaodong|小东| Zhiqiang|志强|")),
    Culture("ko", 3, _words("Kim|金|김 Lee|李|이 Park|朴|박 Choi|崔|최 Jung|鄭|정"), _words("Minji|敏智|민지 Seoyeon|瑞妍|서연 Eunju|恩珠|은주 Hyejin|惠珍|혜진"), _words("Minsu|敏洙|민수 Jihoon|志勳|지훈 Sungho|成浩|성호 Youngsoo|永洙|영수")),
    Culture("th", 1, _words("ศรีสุข แก้วมณี ทองดี วงศ์ไทย"), _words("กัญญา มาลี สุดา อรุณี"), _words("ชัยวัฒน์ ธนากร ประเสริฐ สมชาย")),
    Culture("hi", 1, _words("शर्मा वर्मा गुप्ता मिश्रा"), _words("अनीता कविता मीरा सुनीता"), _words("अरुण मोहन राजेश विजय")),
)
# fmt: on

STREETS = _words("Acacia Bridge Canal Elm Garden Harbour Juniper Lantern Mill Orchard Poplar Quarry Station Willow")
DOCTORS = (
    "Abernathy^Ruth^^Dr",
    "Brandt^Jörg^^Dr",
    "Cardoso^Inês^^Dr",
    "Eklund^Signe^^Dr",
    "Ferrand^Hélène^^Dr",
    "Ionescu^Radu^^Dr",
    "Kaplan^Deniz^^Dr",
    "Novotná^Eva^^Dr",
    "Okafor^Chidi^^Dr",
    "Tanaka^Emi^^Dr",
    "Varga^István^^Dr",
    "Whitlock^Tom^^Dr",
)
SERVICES = ("Emergency", "Internal medicine", "Surgery", "Orthopaedics", "Neurology", "Paediatrics", "General practice")
ALLERGIES = ("Iodinated contrast: rash", "Penicillin", "Latex")
ALERTS = ("Pacemaker", "Kidney function reduced", "Takes blood thinners")
NEEDS = ("Wheelchair", "Interpreter", "Hard of hearing", "Stretcher")


@dataclass(frozen=True)
class Person:
    """One invented patient: columns of Patient, and the sites that know them by a number."""

    columns: dict[str, object]
    at_clinic: bool
    is_child: bool

    def may_have(self, sex: str) -> bool:
        """Tell whether an exam for grown-ups of this sex fits; empty stands for everybody."""
        return not sex or (self.columns["sex"] == sex and not self.is_child)


def invent(random: Random, count: int, today: date) -> list[Person]:
    """Return `count` people, all of another name and birth date as far as the tables go."""
    weights = [culture.weight for culture in CULTURES]
    return [_person(random, random.choices(CULTURES, weights)[0], today) for _ in range(count)]


def _person(random: Random, culture: Culture, today: date) -> Person:
    sex = random.choice("FM")
    families = culture.families_of_women if sex == "F" and culture.families_of_women else culture.families
    family, given = random.choice(families), random.choice(culture.women if sex == "F" else culture.men)
    groups = ["^".join(parts) for parts in zip(_groups(family), _groups(given), strict=True)]
    years = min(97, max(0, int(random.triangular(1, 97, 62))))
    grown = min(1.0, 0.35 + years / 26)
    columns: dict[str, object] = {
        "patient_name": groups[0],
        "patient_name_ideographic": groups[1].strip("^"),
        "patient_name_phonetic": groups[2].strip("^"),
        "birth_date": today - timedelta(days=years * 365 + random.randrange(365)),
        "sex": sex,
        "address": f"{random.randint(1, 120)} {random.choice(STREETS)} Street, Riverside",
        "phone": f"+00 555 {random.randint(0, 999_999):06d}",
        "primary_language": culture.language,
        "weight": Decimal(random.randint(480, 1050)).scaleb(-1) * Decimal(str(round(grown, 2))),
        "size": Decimal(random.randint(150, 192)).scaleb(-2) * Decimal(str(round(min(1.0, 0.45 + years / 30), 2))),
    }
    columns["weight"] = _rounded(columns["weight"], "0.1")
    columns["size"] = _rounded(columns["size"], "0.01")
    for name, choices, share in (
        ("allergies", ALLERGIES, 0.1),
        ("medical_alerts", ALERTS, 0.08),
        ("special_needs", NEEDS, 0.08),
    ):
        if random.random() < share:
            columns[name] = random.choice(choices)
    return Person(columns, at_clinic=random.random() < 0.3, is_child=years < 16)


def _groups(name: str) -> list[str]:
    """Return the alphabetic, ideographic and phonetic form of one part of a name."""
    return [*name.split("|"), "", ""][:3]


def _rounded(value: object, step: str) -> Decimal:
    return Decimal(str(value)).quantize(Decimal(step))
