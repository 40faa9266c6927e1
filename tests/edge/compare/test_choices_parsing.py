"""Which option an answer names, and which it does not: the trained form, other forms, and what only looks so."""

import random

import pytest

from ophtimus_edge.compare.choices.parsing import Parsed, parse
from ophtimus_edge.text import sanitize

OPTIONS = ["About 32 mm", "About 19 mm", "glaucoma", "대략 24 mm"]

STRICT = {
    "Explanation:\nThe eye has 24 mm.\n\nAnswer:\nD) 대략 24 mm": "D",
    "Answer:\nB": "B",
    "Answer:\nB)": "B",
    "Answer:\nB  \nand more": "B",
    "Answer:\nA) wrong words": "A",
    "Explanation:\n첫째는 아니다.\n\nAnswer:\nC) glaucoma\n\nQuestion:\nNext?\n\nAnswer:\nA)": "C",
    "The answer is D.\n\nAnswer:\nB)": "B",
    "Answer:\nA)\nAnswer:\nB)": "A",
}
FALLBACK = {
    "Answer: B": "B",
    "Answer: B) About 19 mm": "B",
    "ANSWER: (B)": "B",
    "**Answer:** **B**": "B",
    "**Answer: B**": "B",
    "Answer:\n\nB) About 19 mm": "B",
    "Answer:\n**B) About 19 mm**": "B",
    "Answer:\nB. About 19 mm": "B",
    "Answer:\nC. glaucoma": "C",
    "Answer:\nB: About 19 mm": "B",
    "Answer:\nB About 19 mm": "B",
    "Answer:\nA About 32 mm": "A",
    "Answer:\n(B) About 19 mm": "B",
    "Answer:\n b) About 19 mm": "B",
    "Answer:\nOption B": "B",
    "Answer:\nThe correct answer is B.": "B",
    "The answer is B": "B",
    "The answer is A because it is long.": "A",
    "The correct option is (c).": "C",
    "The correct choice would be D, as every eye shows.": "D",
    "The answer is most likely B.": "B",
    "The best answer is option B: About 19 mm.": "B",
    "B is the correct answer.": "B",
    "Option C is correct.": "C",
    "It is long. D is the best option here.": "D",
    "B": "B",
    "B)": "B",
    "(b)": "B",
    "B) About 19 mm": "B",
    "> B. About 19 mm": "B",
    "D) 대략  24 mm": "D",
    "설명: 길이는 24 mm입니다.\n정답은 D입니다.": "D",
    "정답: B": "B",
    "정답은 (B)입니다": "B",
    "정답은 B번입니다.": "B",
    "정답 : 보기 B": "B",
    "답은 B이다.": "B",
    "**정답:** C": "C",
    "정답：Ｂ": "B",
    "따라서 B가 정답입니다.": "B",
    "따라서 (B)가 정답이다.": "B",
    "B번이 옳은 답입니다.": "B",
    "오답은 A이고, 정답은 C이다.": "C",
    "Answer:\nIt is the\u200b second.\nThe answer is B.": "B",
    "The wrong answer is A. The correct answer is B.": "B",
    "The answer is B.\n\nQuestion:\nAnother?\n\nThe answer is C.": "B",
}
NOTHING = [
    "",
    "Answer:\n",
    "Answer:",
    "Answer:\nE) there is none",  # the question has four
    "Answer:\nZ",
    "The answer is E.",
    "Answer:\nBecause the eye is long.",
    "Answer:\nA patient should be seen today.",
    "Answer:\nAbout 19 mm",  # an option's text without its letter
    "Answer:\nE. coli",
    "Answer:\nC. trachomatis",
    "The answer is B. cereus.",
    "The answer is B-scan ultrasonography.",
    "The answer is B cells.",
    "The answer is A cataract.",
    "The answer is D2 agonists.",
    "The answer is a",
    "The answer is A or B.",
    "The answer is either A or B.",
    "The answer is A, B and C.",
    "The answer is A. No, the answer is B.",
    "The answer is not A.",
    "The wrong answer is A.",
    "A is not correct.",
    "A is incorrect.",
    "Option A is wrong, and so is option C.",
    "A) About 32 mm\nB) About 19 mm\nC) glaucoma\nD) 대략 24 mm",  # the question again
    "Options:\nA) About 32 mm\nB) About 19 mm",
    "Vitamin A is the right drug.",
    "정답은 A가 아닙니다.",
    "정답은 A가 아니라 다른 것입니다.",
    "정답은 A와 B가 아닙니다.",
    "정답은 A 또는 B입니다.",
    "A가 정답이 아닙니다.",
    "오답은 A입니다.",
    "정답은 없습니다.",
    "Answer:\nI cannot tell.\n\nQuestion:\nAnother?\n\nThe answer is C.",
    "가나다라",
]


@pytest.mark.parametrize(("text", "letter"), STRICT.items())
def test_the_trained_form_is_read_strictly(text: str, letter: str) -> None:
    assert parse(text, OPTIONS) == Parsed(letter, "strict")


@pytest.mark.parametrize(("text", "letter"), FALLBACK.items())
def test_other_forms_are_read_by_the_fallback(text: str, letter: str) -> None:
    assert parse(text, OPTIONS) == Parsed(letter, "fallback")


@pytest.mark.parametrize("text", NOTHING)
def test_what_names_no_letter_or_two_is_not_guessed(text: str) -> None:
    assert parse(text, OPTIONS) == Parsed("", "unparsed")


def test_a_letter_counts_only_where_the_question_has_it() -> None:
    for text, how in (("Answer:\nE) eye", "strict"), ("The answer is E.", "fallback")):
        assert parse(text, [*OPTIONS, "eye"]) == Parsed("E", how)
        assert parse(text, OPTIONS).letter == ""
    assert parse("Answer:\nC)", OPTIONS[:2]).letter == ""
    assert parse("Answer:\nB)", OPTIONS[:2]).letter == "B"


def test_an_option_that_begins_with_a_letter_is_told_from_it() -> None:
    bacteria = ["C. trachomatis", "E. coli", "B. cereus", "A. fumigatus", "S. aureus"]
    assert parse("Answer:\nB) E. coli", bacteria) == Parsed("B", "strict")
    assert parse("The answer is B. E. coli", bacteria) == Parsed("B", "fallback")
    for text in ("Answer:\nE. coli", "The answer is B. cereus.", "A. fumigatus"):
        assert parse(text, bacteria).letter == ""


@pytest.mark.parametrize(
    "part",
    [
        " ",
        "\n",
        "Answer:",
        "answer is ",
        "Answer:\n",
        "(",
        "*",
        "A, ",
        "A or ",
        "정답은 ",
        "\ufdfa",
        "B) ",
        "option ",
        "a\u0301",
    ],
)
def test_hostile_length_is_read_in_one_pass(part: str) -> None:
    """A quarter of a million characters; a reading that goes back and forth would take an hour."""
    long = part * (250_000 // len(part))
    assert parse(long, OPTIONS).how == "unparsed"
    assert parse(f"Answer:\nB)\n{long}", OPTIONS) == Parsed("B", "strict")


def test_any_text_is_read_as_a_letter_of_the_question_or_none() -> None:
    draw = random.Random(5)
    alphabet = [
        "Answer",
        "answer",
        "Answer:\n",
        ":",
        "\n",
        " ",
        ")",
        "(",
        ".",
        *"ABCDEFabcde",
        " is ",
        "정답",
        "은 ",
        "가 ",
        "\x1b[2J",
        "\ud800",
    ]
    hows = set()
    for _ in range(3000):
        text = sanitize("".join(draw.choices(alphabet, k=draw.randrange(1, 14))))
        for count in (2, 4):
            found = parse(text, OPTIONS[:count])
            hows.add(found.how)
            assert (found.letter in set("ABCD"[:count])) == (found.how != "unparsed")
    assert hows == {"strict", "fallback", "unparsed"}
