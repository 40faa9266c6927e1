"""The figures of an answer that a person must check: doses, numbers with units, frequencies.

A model cannot vouch for a number. So the app lists each one, exactly as it stands, beside the answer.
A figure that is missed is the worst error here, one too many a small nuisance: therefore **every**
number is listed, with the unit or the words that belong to it where they are known, and only these
are left out:

- the numbers of a list at the beginning of a line, and references such as ``[3]`` and ``(3)``;
- years, dates, and the ages of people;
- digits that belong to a name: HLA-B27, SF6, COVID-19, type 2 diabetes, 제3뇌신경.

Numbers in words count where a unit or a frequency follows: "two drops", "하루 두 번".

The work grows with the length of the text and no faster: every expression matches at each digit where
a number begins, whatever follows, and goes on behind it; repetitions give nothing back (possessive
quantifiers) or are bounded. The many expressions are tried only where a figure can begin, which a short one
finds: in a text without figures they would cost ten times as much, in one call that no thread can interrupt.
"""

import re
from collections.abc import Iterator
from functools import cache

_S = "[ \t\u00a0\u2009\u202f]"
_GAP = f"{_S}{{0,2}}"

# --- units -------------------------------------------------------------------------------------

_LATIN_UNITS = (
    # mass, volume, amount
    "mm ?Hg|cm ?H2O|kg|mg|mcg|µg|μg|ug|ng|grams?|milligrams?|micrograms?|kilograms?|g|"
    "mL|ml|dL|µL|μL|uL|ul|L|cc|lit(?:re|er)s?|millilit(?:re|er)s?|microlit(?:re|er)s?|"
    "IU|I\\.U\\.|international units?|units?|U|mEq|mmol|µmol|μmol|mol|mOsm|M|mM|"
    # length, pressure
    "km|cm|mm|µm|μm|um|nm|m|microns?|micromet(?:re|er)s?|millimet(?:re|er)s?|centimet(?:re|"
    "er)s?|met(?:re|er)s?|"
    "inch(?:es)?|feet|ft|disc diameters?|disk diameters?|disc areas?|DD|"
    "kPa|millimet(?:re|er)s of mercury|"
    # optics and tests
    "D|DS|DC|diopt(?:re|er)s?|prism diopt(?:re|er)s?|PD|logMAR|letters?|lines?|cpd|degrees?|deg|"
    "dB|decibels?|Hz|kHz|MHz|cells?|points?|steps?|"
    # energy, light, radiation
    "mJ|J|mW|W|kV|V|mA|cGy|Gy|mSv|Sv|lux|cd|joules?|watts?|"
    # time
    "milliseconds?|ms|seconds?|secs?|s|minutes?|mins?|hours?|hrs?|h|days?|nights?|weeks?|wks?|"
    "months?|mos?|years?|yrs?|"
    # forms
    "drops?|gtts?|tablets?|tabs?|pills?|capsules?|caps?|doses?|injections?|applications?|vials?|"
    "ampoules?|bottles?|puffs?|sprays?|sachets?|patch(?:es)?|"
    "teaspoons?|tsp|sessions?|cycles?|courses?|visits?|shots?|spots?|burns?|lit(?:re|er)s?|"
    # rates and parts
    "percentage points?|percent|per ?cent|ppm|fold|times|gauge|G|Fr|french|x|X|beats|bpm|mg%|st|"
    "nd|rd|th"
)
_KOREAN_UNITS = (
    "밀리그램|마이크로그램|나노그램|킬로그램|그램|밀리리터|마이크로리터|리터|시시|밀리미터|마이크로미터|센티미터|나노미터|미터|마이크론|미크론|"
    "수은주밀리미터|디옵터|디옵트리|프리즘디옵터|프리즘|국제단위|단위|유닛|퍼센트|퍼센트포인트|프로(?![가-힣])|데시벨|헤르츠|줄(?!어|이|일|인)|와트|게이지|"
    "럭스|글자|"
    "밀리초|초(?!기|음)|분(?!의|석|비|류|포)|시간|일(?!반|부|차|정|치|으)|주일|주간|주(?!의|로|사|변|요)|개월|달(?!라)|년|박(?!리|동)|"
    "도(?!수|달|입|움)|"
    "방울|정(?!도|상|확|기|밀|량|면|맥|보|해)|알(?!려|레|아)|캡슐|회(?!복|의|전)|번|차례|병(?!원|변|력|행)|포(?!도|함)|앰플|바이알|"
    "배(?!양|출|경)|명(?!확|백)|개(?!선|인|방)|건(?!강|조|성)|례|점(?!안|차|막)|단계|가지|군데|세포|"
    "mg|mL|mm"
)
_SIGN_UNITS = "%|％|‰|°C|℃|℉|°|˚|º|Δ|∆|㎎|㎍|㎖|㎜|㎝|㎛|㎚|㎡|㎣|㎏|㎕|㎘|㏄|′|″"

# "mg/kg/day", "cells/mm²", "mg per kg"
_PER = (
    f"(?:{_GAP}[/∕]{_GAP}(?:[0-9]{{1,4}}(?:\\.[0-9]{{1,3}})?{_S}?)?"
    "(?:kg|m[2²3³]|mm[2²3³]|cm[2²3³]|day|d|hour|hr|h|week|wk|month|min|dose|mL|ml|dL|L|l|µL|μL|"
    "uL|g|eye|mm ?Hg|㎏|㎡|㎖|일|시간|회|주|분|눈|년)"
    f"(?![A-Za-z])|{_S}per{_S}(?:kilogram|kg|day|hour|week|month|year|minute|dose|eye|mL|ml|"
    f"square met(?:re|er))(?![A-Za-z])){{0,3}}+"
)
_UNIT = (
    f"(?:(?:{_GAP}-?(?i:{_LATIN_UNITS})(?![A-Za-z])|{_GAP}(?:{_SIGN_UNITS})|"
    f"{_GAP}(?:{_KOREAN_UNITS}))"
    f"(?:[²³]|\\^?[23](?![0-9]))?{_PER}|{_GAP}[/∕]{_GAP}(?:day|일|mm[2²3³]|m[2²]|hour)(?![A-Za-z]))"
)

# --- numbers -----------------------------------------------------------------------------------

_VULGAR = "½⅓⅔¼¾⅕⅖⅗⅘⅙⅛⅜⅝⅞"
_DIGITS = f"(?:\\d++(?:[.,·]\\d++)*+[⁰¹²³⁴-⁹⁻]*+[{_VULGAR}]?|\\.\\d++|[{_VULGAR}])"
_SCALE = (
    f"(?:{_S}?(?:million|billion|thousand|hundred)(?![A-Za-z])|{_S}?[십백천만억]{{1,3}}(?![가-힣]{{0,1}}의))?"
)
# Signs that stand before a number, behind a letter too: the minus of "OD-3.00" must not be lost.
_BEFORE = f"(?:[≥≤<>＜＞±~～≈∼]{_GAP})?(?:(?<![0-9)\\]%])[-+−–±])?"
_JOIN = (
    f"(?:{_GAP}[~∼～–—−-]{_GAP}|{_GAP}[/∕⁄×xX*:^@]{_GAP}|{_S}(?:to|and|or){_S}"
    f"|{_S}?(?:에서|내지|부터|또는|분의){_S}?)"
)
_NUMBER = f"{_BEFORE}{_DIGITS}{_SCALE}(?:{_JOIN}[-+−±]?{_DIGITS}{_SCALE})*+"

# --- numbers in words --------------------------------------------------------------------------

_ONE = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|"
    "eighteen|nineteen|twenty|thirty|forty|fifty|sixty|seventy|eighty|ninety|hundred|thousand|"
    "half|several|a few|a couple of|a dozen"
)
_WORDS = f"(?:a{_S})?(?:{_ONE})(?:(?:{_S}|-|{_S}(?:to|or|and){_S})(?:a{_S})?(?:{_ONE})){{0,4}}"
_WORD_UNIT = (
    "milligrams?|micrograms?|grams?|mg|mcg|g|mL|ml|millilit(?:re|er)s?|lit(?:re|er)s?|IU|units?|"
    "mm|cm|microns?|millimet(?:re|er)s?|centimet(?:re|er)s?|met(?:re|er)s?|mmHg|millimet(?:re|"
    "er)s of mercury|"
    "diopt(?:re|er)s?|prism diopt(?:re|er)s?|letters?|lines?|degrees?|decibels?|"
    "seconds?|minutes?|hours?|days?|nights?|weeks?|months?|years?|decades?|"
    "drops?|tablets?|pills?|capsules?|doses?|injections?|vials?|ampoules?|puffs?|sprays?|"
    "teaspoons?|times|fold|"
    "percent|per ?cent|%|thirds?|quarters?|fifths?|tenths?|disc diameters?"
)
# Words stand in capitals at the beginning of a sentence: "Two tablets daily."
_IN_WORDS = (
    f"(?i:(?<![A-Za-z])(?:(?:{_WORDS})(?:{_S}|-)(?:a{_S}|an{_S}|"
    f"of{_S}a{_S})?(?:{_WORD_UNIT})(?![A-Za-z])"
    f"|an?{_S}(?:hour|minute|week|month|year|third|quarter|tablet|capsule|single{_S}dose|"
    f"day)(?![A-Za-z]))"
    f"(?:{_S}(?:a|per|each|every){_S}(?:day|night|hour|week|month|year)(?![A-Za-z]))?)"
)
_SINO = (
    "(?<![가-힣])[일이삼사오육칠팔구십백천만영점]{1,8}"
    f"{_S}?(?:밀리그램|마이크로그램|그램|퍼센트|밀리리터|밀리미터|디옵터|국제단위|단위|시간|개월|주일)"
)
_COUNT = "(?:한두|두세|두서너|서너|너댓|네댓|대여섯|한|두|세|네|다섯|여섯|일곱|여덟|아홉|열두|열|반|몇)"
_IN_KOREAN = (
    f"(?<![가-힣]){_COUNT}(?:{_S}?(?:시간|방울|차례|캡슐|개월|숟갈)|{_S}(?:알|정|주|달|병|포|배|회|가지)(?![가-힣]{{3}}))"
    f"|(?<![가-힣])(?:두세|두|세|네|다섯|여섯|한두|서너){_S}?번(?!째)"
    f"|(?<![가-힣])(?:이틀|사흘|나흘|닷새|엿새|열흘|보름|일주일|이주일|반년|한달|하루{_S}이틀)"
)

# --- how often ---------------------------------------------------------------------------------

_PERIOD = "(?:second|minute|hour|day|night|morning|evening|week|month|year)"
_OFTEN = (
    # twice a day, three times daily, 4 times/day, 4x daily
    f"(?i:(?<![A-Za-z])(?:once|twice|thrice|(?:{_WORDS}|{_NUMBER}){_S}times|"
    f"{_NUMBER}{_S}?[x×](?![A-Za-z0-9]))"
    f"(?:{_S}(?:a|per|each|every|in{_S}a){_S}{_PERIOD}(?![A-Za-z])|{_S}?/{_S}?(?:day|d|wk|"
    f"week)(?![A-Za-z])"
    f"|{_S}(?:daily|hourly|nightly|weekly|monthly|yearly)(?![A-Za-z]))"
    f"|(?<![A-Za-z])(?:twice|thrice)(?![A-Za-z])"
    # every 4 hours, every other day, every four to six hours, every hour
    f"|(?<![A-Za-z])(?:every|each){_S}(?:(?:{_NUMBER}|{_WORDS}|other|second|third|"
    f"few){_S}?)?{_PERIOD}s?(?![A-Za-z])"
    f"|(?<![A-Za-z])every{_S}(?:{_NUMBER}{_S}?(?:h|hrs?|min|mins|d|wks?|mo)(?![A-Za-z]))"
    # "daily life" is no dose
    f"|(?<![A-Za-z])(?:(?:half|two|three|four|six)-)?(?:hourly|daily|nightly|weekly|fortnightly|"
    f"monthly|yearly|annually)"
    f"(?![A-Za-z])(?!{_S}(?:life|living|activit|wear|routine|task|basis{_S}of))"
    f"|(?<![A-Za-z])(?:at{_S}bedtime|at{_S}night|before{_S}bed|as{_S}needed|"
    f"in{_S}the{_S}(?:morning|evening)s?)(?![A-Za-z])"
    # q4h, q 2-4 h, q.4.h., qhs, b.i.d., bid, tds
    f"|(?<![A-Za-z])q\\.?{_S}?[0-9]{{1,2}}(?:{_S}?[-–~]{_S}?[0-9]{{1,2}})?\\.?{_S}?(?:hours?|"
    f"hrs?|h|days?|d|min|weeks?|wks?|w|months?|mo)(?![A-Za-z])"
    # In capitals, "O.D." is an eye.
    "|(?<![A-Za-z])(?:b\\.i\\.d|t\\.i\\.d|q\\.i\\.d|q\\.d\\.s|t\\.d\\.s|q\\.o\\.d|q\\.h\\.s|"
    "q\\.d|q\\.h|q\\.a\\.m|q\\.p\\.m|p\\.r\\.n|h\\.s|b\\.d|(?-i:o\\.d))(?:\\.|(?![A-Za-z]))"
    "|(?<![A-Za-z])(?:bid|tid|qid|qod|qhs|qam|qpm|qd|qds|tds|prn|bd|qh|hs)(?![A-Za-z])"
    # "Behçet disease (BD)" and its patients are no dose.
    f"(?<!disease{_S}\\(bd)(?!{_S}(?:patients?|uveitis)(?![A-Za-z])))"
)
_KOREAN_AMOUNT = f"(?:{_NUMBER}|{_COUNT})"
_KOREAN_OFTEN = (
    # 1일 2회, 하루에 두 번, 일 3회, 주 2회, 한 달에 한 번, 2주에 1회
    "(?:(?<![가-힣])(?:하루|매일|일주일|이틀|사흘|일|주|월|연|한 ?달|한 ?주|매주|매월)"
    f"|(?<!\\d)\\d{{1,3}}{_S}?(?:일|주일|주|개월|달|년|시간))(?:에|마다|당)?{_S}?(?:최대|총|약)?{_S}?"
    f"{_KOREAN_AMOUNT}{_S}?(?:회|번|차례|방울|정|알|캡슐|mg|mL|㎎|g|밀리그램|밀리리터)(?![A-Za-z])(?:씩)?"
    # 6시간마다, 2시간 간격, 두 시간마다
    f"|(?:{_NUMBER}|(?<![가-힣]){_COUNT}){_S}?(?:시간|분|일|주|개월|달|년){_S}?(?:마다|간격|에{_S}한{_S}?번)"
    f"|(?<![가-힣])(?:매{_S}?시간|매일|매시|매주|매월|매달|매년|격일|격주|하루걸러|이틀에{_S}한{_S}?번|이틀마다|날마다|아침저녁|취침{_S}?전|"
    f"자기{_S}?전|필요{_S}?시|수시로)"
)


@cache
def _unit_after() -> re.Pattern[str]:
    return re.compile(f"[\\])]{_UNIT}")


@cache
def _figure() -> re.Pattern[str]:
    """What a figure is. It takes a tenth of a second to compile: not when the program starts."""
    return re.compile(
        f"(?P<often>{_KOREAN_OFTEN}|{_OFTEN})|(?P<number>{_NUMBER})(?P<unit>{_UNIT})?|(?P<words>{_IN_WORDS}|{_SINO}|{_IN_KOREAN})"
    )


# Where one can begin: a sign or digit of a number, or the first letter of a word.
_BEGIN = re.compile(f"[\\d.{_VULGAR}≥≤<>＜＞±~～≈∼+−–-]|(?<![A-Za-z])[A-Za-z]|(?<![가-힣])[가-힣]")

# --- what is left out --------------------------------------------------------------------------

_LIST_NUMBER = re.compile(f"[0-9]{{1,3}}(?=[.):]{_S}|[.)]$|\\. |\\)\\n)", re.MULTILINE)
_LINE_BEGIN = re.compile(f"(?:^|\n){_S}{{0,12}}[(*#]{{0,4}}$")
_DATE = re.compile(r"(?:19|20)\d\d[-./]\d{1,2}[-./]\d{1,2}")
_YEAR = re.compile(r"(?:19[5-9]|20[0-3])\d")
_BEFORE_YEAR = re.compile(
    r"(?:^|[^A-Za-z])(?:in|since|until|by|year|published|updated|of)[ \n]$", re.IGNORECASE
)
_AGE_AFTER = re.compile(
    rf"{_GAP}(?:세(?!트|대|포|기|션|균)|살(?!균))|(?:{_S}|-)(?:years?|months?|weeks?|days?)(?:-old|{_S}old|{_S}of{_S}age)"
)
_AGE_AFTER_UNIT = re.compile(rf"-old|{_S}old(?![A-Za-z])|{_S}of{_S}age(?![A-Za-z])")
_AGE_UNIT = re.compile(r"[ -]?(?:years?|months?|weeks?|days?)")
_AGE_BEFORE = re.compile(rf"(?:^|[^A-Za-z])(?:aged?|ages|age of|over the age of){_S}$", re.IGNORECASE)
_NAME_BEFORE = re.compile(r"(?:[A-Za-zα-ωΑ-Ω]-?|[^A-Za-z][Tt]ype[ -]|^[Tt]ype[ -]|(?:^|[^가-힣])제)$")
# Written against their number without a space, these are measurements and no names.
_LABEL_BEFORE = re.compile(
    r"(?:^|[^A-Za-z])(?:x|IOP|pH|VA|CCT|ECD|AXL?|ESR|CRP|BP|CDR|MD|PSD|T|N|J)[-:]?$", re.IGNORECASE
)
_LONGEST_CONTEXT = 24


def figures(text: str) -> list[str]:
    """The figures of an answer, to be checked by a person.

    Returns:
        Exact parts of ``text``, in its order; a figure that stands in it several times comes once.
    """
    return list(dict.fromkeys(figure for _, figure in placed_figures(text)))


def placed_figures(text: str, *, ages: bool = False) -> Iterator[tuple[int, str]]:
    """Every figure with the place where it begins, in order; one that stands there twice comes twice.

    Args:
        ages: also the ages of people, "2세" and "2-year-old": a limit of age is no figure to check beside an
            answer, but where two answers differ in one, it is a difference.
    """
    figure = _figure()
    at = 0
    while begin := _BEGIN.search(text, at):
        match = figure.match(text, begin.start())
        at = match.end() if match else begin.end()
        if not match:
            continue
        age = _age(text, match)
        if (ages and age is not None) or (age is None and not _left_out(text, match)):
            whole = match.group() + (age or "")
            at = match.start() + len(whole)
            yield match.start() + len(whole) - len(whole.lstrip()), whole.strip()


def _age(text: str, match: re.Match[str]) -> str | None:
    """What stands behind a number that is an age and belongs to it, "세" or "-year-old"; None for no age."""
    start, end = match.span()
    number, unit = match["number"], match["unit"]
    if number is None:
        return None
    after = text[end : end + _LONGEST_CONTEXT]
    if behind := (_AGE_AFTER_UNIT if unit else _AGE_AFTER).match(after):
        return behind.group()
    before = text[max(0, start - _LONGEST_CONTEXT) : start]
    return "" if _AGE_BEFORE.search(before) and (unit is None or _AGE_UNIT.fullmatch(unit)) else None


def _left_out(text: str, match: re.Match[str]) -> bool:
    number = match["number"]
    if number is None:
        return False
    start, end = match.span()
    before = text[max(0, start - _LONGEST_CONTEXT) : start]
    after = text[end : end + _LONGEST_CONTEXT]
    unit = match["unit"]
    if unit:
        return unit.strip() == "년" and bool(_YEAR.fullmatch(number))
    if _DATE.fullmatch(number) or (_YEAR.fullmatch(number) and _BEFORE_YEAR.search(before)):
        return True
    if not number.lstrip("-").isdigit() or _unit_after().match(after):
        return False
    return (
        (len(number) < 4 and before[-1:] + after[:1] in ("[]", "()"))
        or bool(
            _LINE_BEGIN.search(before if start > len(before) else f"\n{before}")
            and _LIST_NUMBER.match(text, start)
        )
        or (bool(_NAME_BEFORE.search(before)) and not _LABEL_BEFORE.search(before))
        or after[:1] == "형"
    )
