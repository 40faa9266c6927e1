"""The words that deny, forbid or turn round what they stand beside, in English and Korean.

Korean verbs are found by their stems with the syllables that can follow: 금합니다, 금한다 and 금해야 forbid, 지금 and
요금 do not; 피합니다 avoids, 피하주사 goes under the skin.
"""

import re

# Words that look like a denial and are none, or two that cancel out.
NEUTRAL = re.compile(
    r"\bnot (?:only|just|merely|simply)\b|\bwhether or not\b|\bor not\b|\bno doubt\b"
    r"|\b(?:not|no|n['’]t) (?:more|less|greater|higher|longer|lower|fewer) than\b"
    r"|\b(?:not|never) (?:to )?exceed\w*|넘지 ?(?:않|말|마)"
    r"|\b(?:do not|don['’]t|never|not) (?:forget|hesitate|fail) to\b"
    r"|\b(?:not|never|cannot)\b(?= [^.,;]{1,40}\bwithout\b)|(?<=\bwithout )(?=fail\b)"
    r"|뿐(?:만)? (?:아니라|아니고)|(?<![이가] )아니면|아니[요오](?![가-힣])|잊지 ?(?:마|말)|주저하지 ?(?:마|말)"
    r"|피할 수(?:가|는)? ?없|(?:상관|관계|어김|틀림|빠짐|끊임|변함) ?없이|못지 ?않",
    re.IGNORECASE,
)
# The stem of a verb that forbids, avoids or is without, and the syllables that can follow it.
_FORBIDDEN = r"금기|금지(?![급불])|금물|(?:(?<![가-힣])|(?<=엄))금[하합한해할함했]|삼[가갑간갈갔]"
_AVOIDED = (
    r"(?<![가-힣])[회기]?피(?:하(?:고|며|면|십|세|시|는|도|여|지(?!방)|기|거|되|라|려|였|다|자)|합|한(?![가-힣])|한다|할|함|했|"
    r"해(?:야|요|서|라|주| 주)|해(?=[.,;]|$))"
)
# "인도시아닌그린" and "비구아니드" deny nothing.
_IS_NOT = r"(?:(?<![가-힣])|(?<=[이가은는도]))아(?:니(?![요오]|하)|닌|닐)|아[님닙]"
# "없이" and "없는" stand below; "없어지다" is to go away, "없애다" to take away.
_THERE_IS_NONE = r"없(?![이는애앤앨앱앴]|어[지진질집져졌])"
# Of the whole clause.
CLAUSE = re.compile(
    r"\b(?:cannot|can not|not|never|no longer|\w+n['’]t|contra-?indicat\w+|avoid\w*|with(?:hold|held)\w*|"
    r"stop(?:s|ped|ping)?|discontinu\w+|prohibit\w*|forbid\w*|refrain\w*|fail(?:s|ed)? to|unlikely|unsafe|"
    r"unnecessary|inappropriate|ineffective|impossible|inadvisable|unsuitable|absent|excluded|"
    r"none|nobody|no one|nothing|hardly|scarcely)\b"
    r"|(?<!까)[지치](?:는|도|를)? ?(?:않|못|아니|마(?=[세십시라])|말)"
    r"|(?<![가-힣])(?<!눈 )(?:안|못) (?=[가-힣])|안 ?(?:되|된|돼|됩)"
    rf"|{_FORBIDDEN}|{_AVOIDED}|중단|중지|끊|불필요|불가(?![피역])|부적절|부적합"
    rf"|{_IS_NOT}|{_THERE_IS_NONE}",
    re.IGNORECASE,
)
# Of what stands behind it, in English; of what stands before it, in Korean.
BESIDE = re.compile(
    r"\b(?:no(?![.,!]| (?:one|longer)\b)|without|lack(?:s|ing)?(?: of)?|absence of|free (?:of|from)|neither|nor|"
    r"rather than|instead of|if not|denie[sd]|denying|negative for)\b|(?P<korean>없이|없는)",
    re.IGNORECASE,
)
# What tells somebody not to do something, among the words above.
FORBIDS = re.compile(
    r"\b(?:do not|don['’]t|never|(?:must|should|may) not|mustn['’]t|shouldn['’]t|avoid|contra-?indicated|"
    r"prohibited|stop|discontinue|withhold|refrain)\b"
    rf"|지 ?(?:마(?=[세십시라])|말(?!고))|안 ?(?:되|된|돼|됩)|않아야|않도록|{_FORBIDDEN}|{_AVOIDED}"
    r"|중단(?:하[십세]|해야|합)",
    re.IGNORECASE,
)
# How much of something there is, by words for more and for less of it; "not" before one turns only this word.
# "Painful" speaks of the same as "with pain"; the other scales have a name that is no word.
_SCALES = (
    (
        "=often",
        "common|commonly|frequent|frequently|usual|usually|often|typical|typically|흔하|흔한|흔히|흔합|흔(?=치)|자주|대개",
        "uncommon|uncommonly|infrequent|infrequently|unusual|rare|rarely|seldom|atypical|드물|드문",
    ),
    ("pain", "painful|painfully", "painless|painlessly"),
    ("통증", "아픈", "무통성|무통"),
    ("=normal", "normal|normally|(?<!비)정상", "abnormal|abnormally|비정상"),
    ("=reversible", "reversible|(?<!비)가역", "irreversible|비가역"),
    ("=affected", "affected", "unaffected"),
    ("=treated", "treated", "untreated"),
    ("=complete", "complete|completely", "incomplete|incompletely"),
    ("=stable", "stable", "unstable"),
    ("=proliferative", "(?<!non-)proliferative|(?<!비)증식", "non-?proliferative|비증식"),
    ("=arteritic", "(?<!non-)arteritic|(?<!비)동맥염성", "non-?arteritic|비동맥염성"),
    (
        "=positive",
        "positive|(?<![배영종])양성(?!자| ?(?:[가-힣]+ )?(?:종양|결절|병변|신생물|질환))",
        "negative(?! for\\b)|(?<![소발])음성",
    ),
    ("=benign", "benign|양성 ?종양", "malignant|악성 ?종양"),
)
SCALE = {
    name: (
        re.compile(rf"(?<![A-Za-z])(?:{more})(?![A-Za-z])", re.IGNORECASE),
        re.compile(rf"(?<![A-Za-z])(?:{less})(?![A-Za-z])", re.IGNORECASE),
    )
    for name, more, less in _SCALES
}
TO_SCALE = re.compile(r"\s+(?:(?:at all|very|so|that|an?|be|been|entirely|always|\w+ly)\s+)?", re.IGNORECASE)
FROM_SCALE = re.compile(r"하?(?:이|은|는|가)?\s?")
YES_NO = re.compile(
    r"\W*(?:(?P<yes>yes|true|네|예|그렇습니다)|(?P<no>no|false|아니요|아니오|아닙니다))(?=[,.!]|$)",
    re.IGNORECASE,
)
