"""The quiz without a screen: files of questions, drawing, the order of options, marks and scores."""

import csv
import io
import json
from pathlib import Path

import pytest

from ophtimus_edge.errors import TrainingDataError
from ophtimus_edge.specialties.questions import ChoiceQuestion, choice_prompt, read_folder
from ophtimus_edge.specialties.quiz import (
    Quiz,
    Score,
    draw,
    keeps_order,
    languages,
    topic_title,
    topic_titles,
    topics,
)
from ophtimus_edge.specialties.quiz_file import QuizFile, embedded_path, read_quiz_file

ROOT = Path(__file__).parents[2]
SOUND = {"question": "Which metal?", "option_a": "Iron", "option_b": "Copper", "answer": "Copper"}
HEADER = "question,option_a,option_b,option_c,option_d,option_e,explanation,answer\n"


def jsonl(folder: Path, *rows: object) -> Path:
    path = folder / "own.jsonl"
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def table(folder: Path, text: str, name: str = "own.csv", encoding: str = "utf-8") -> Path:
    path = folder / name
    path.write_bytes(text.encode(encoding))
    return path


def choice(**changes: str) -> ChoiceQuestion:
    values = {
        "id": "q-en", "topic": "cornea", "question": "Which?", "source": "", "reviewed_by": "",
        "option_a": "one", "option_b": "two", "option_c": "three", "option_d": "four", "answer": "two",
        "explanation": "It is so.",
    } | changes  # fmt: skip
    return ChoiceQuestion(language="en", split="heldout", **values)


def embedded() -> QuizFile:
    return read_quiz_file(embedded_path())


def test_the_embedded_questions_are_the_held_out_ones_all_in_english() -> None:
    file = embedded()
    assert not file.problems
    assert languages(file.questions) == {"en": 48, "ko": 0}
    assert set(topics(file.questions, "en")) == set(topic_titles())
    assert {question.review for question in file.questions} == {"not reviewed by a physician"}


def test_every_topic_of_the_primer_has_a_title_in_both_languages() -> None:
    primer = read_folder(ROOT / "training/primer/mcq", ChoiceQuestion)
    assert {question.topic for question in primer} == set(topic_titles())
    assert all(set(titles) == {"en", "ko"} for titles in topic_titles().values())
    assert topic_title("glaucoma", "ko") == "녹내장"
    assert topic_title("my own", "ko") == "my own"


def test_the_same_seed_draws_the_same_quiz_and_another_seed_another() -> None:
    questions = embedded().questions

    def asked(seed: int) -> list[str]:
        quiz = draw(questions, count=10, seed=seed)
        texts = []
        while question := quiz.current:
            texts.append(choice_prompt(question))
            quiz.answer(0)
        return texts

    assert asked(7) == asked(7)
    assert asked(7) != asked(8)
    assert len(set(asked(7))) == 10


def test_topic_and_language_are_kept_to_and_too_few_are_all_asked() -> None:
    questions = embedded().questions
    quiz = draw(questions, count=20, seed=1, topic="retina", language="en")
    assert quiz.total == 2
    assert quiz.current
    assert quiz.current.topic == "retina"
    assert draw(questions, count=5, seed=1, language="ko").total == 0


def test_options_change_their_places_and_the_right_one_goes_with_them() -> None:
    letters = set()
    for seed in range(40):
        quiz = draw([choice()], count=1, seed=seed)
        question = quiz.current
        assert question
        assert sorted(question.options) == ["four", "one", "three", "two"]
        letters.add(question.letter)
        assert quiz.answer(question.options.index("two")).right
    assert letters == {"A", "B", "C", "D"}


@pytest.mark.parametrize(
    "changes",
    [
        {"option_d": "All of the above"},
        {"option_d": "None of these"},
        {"option_d": "Both A and B"},
        {"option_d": "A, C"},
        {"option_d": "Neither"},
        {"option_d": "위의 모두"},
        {"option_d": "모두 정답"},
        {"option_d": "①, ③"},
        {"explanation": "Option A is a later sign."},
        {"explanation": "A is wrong because the lens is clear."},
        {"explanation": "The answer is (b)."},
        {"explanation": "The first two options are also seen in uveitis."},
        {"explanation": "정답은 B입니다."},
        {"explanation": "2번은 백내장의 소견이다."},
        {"explanation": "보기 중 첫 번째가 옳다."},
    ],
)
def test_options_stay_in_order_where_something_names_their_places(changes: dict[str, str]) -> None:
    question = choice(**changes)
    assert keeps_order(question)
    for seed in range(10):
        assert draw([question], count=1, seed=seed).current == question


@pytest.mark.parametrize(
    "explanation",
    [
        "A lens break usually helps; above all, stop the drops.",
        "The drug of first choice lowers the pressure of both eyes.",
        "Granular dystrophy; AC/A ratio; C3F8; B-scan shows it.",
        "모두 각막에 침착한다.",
    ],
)
def test_ordinary_words_do_not_hold_the_order(explanation: str) -> None:
    assert not keeps_order(choice(explanation=explanation))


def test_the_embedded_questions_are_all_shuffled() -> None:
    assert not [question.id for question in embedded().questions if keeps_order(question)]


def test_marks_scores_by_topic_and_the_wrong_ones_again() -> None:
    questions = [choice(id="a-en"), choice(id="b-en", topic="uvea"), choice(id="c-en", topic="uvea")]
    quiz = draw(questions, count=3, seed=3)
    wrong = ""
    while question := quiz.current:
        place = question.options.index(question.answer)
        if question.topic == "uvea" and not wrong:
            wrong = question.id
            place = (place + 1) % 4
        quiz.answer(place)
    assert quiz.score == Score(2, 3)
    assert quiz.by_topic() == {"cornea": Score(1, 1), "uvea": Score(1, 2)}
    (mark,) = quiz.wrong
    assert mark.question.id == wrong
    again = quiz.again()
    assert again.current
    assert again.current.id == wrong
    assert quiz.score == Score(2, 3)


def test_only_an_option_that_is_there_answers() -> None:
    quiz = Quiz([choice()], seed=0)
    for place in (-1, 4):
        with pytest.raises(IndexError):
            quiz.answer(place)
    assert not quiz.answer(0).right
    with pytest.raises(IndexError):
        quiz.answer(0)


@pytest.mark.parametrize(
    ("row", "right"),
    [
        ({"answer": "Copper"}, "Copper"),
        ({"answer": " copper "}, "Copper"),
        ({"answer": "B"}, "Copper"),
        ({"answer": "b"}, "Copper"),
        ({"answer": "(B)"}, "Copper"),
        ({"answer": "option_b"}, "Copper"),
        ({"answer": "B) Copper"}, "Copper"),
        ({"answer": "B", "answer_text": "Copper"}, "Copper"),
        ({"option_a": "B", "option_b": "A", "answer": "B) A"}, "A"),
        ({"option_a": 24, "option_b": 1.50, "answer": 1.50}, "1.5"),
        ({"option_a": "E. coli", "answer": "E. coli"}, "E. coli"),
    ],
)
def test_the_answer_is_named_by_text_or_by_letter(tmp_path: Path, row: dict[str, str], right: str) -> None:
    file = read_quiz_file(jsonl(tmp_path, SOUND | row))
    assert not file.problems
    assert [question.answer for question in file.questions] == [right]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"answer": "Zinc"}, "is none of its options"),
        ({"answer": "C"}, "is none of its options"),
        ({"answer": ""}, "no answer"),
        ({"answer": "A) Copper"}, "does not name one option"),
        ({"answer": "A", "answer_text": "Copper"}, "does not name one option"),
        (
            {"option_a": "B", "option_b": "A", "answer": "A"},
            "the letter of one option and the text of another",
        ),
        ({"option_b": "", "answer": "Iron"}, "fewer than two options"),
        ({"option_d": "Lead"}, "option_c is empty"),
        ({"option_c": "Iron"}, "two of its options are the same"),
        ({"question": "  "}, "no question"),
        ({"question": ["Which?"]}, "neither text nor a number"),
        ({"language": "fr"}, "its language"),
    ],
)
def test_a_bad_row_is_named_and_the_sound_ones_beside_it_count(
    tmp_path: Path, row: dict[str, str], said: str
) -> None:
    file = read_quiz_file(jsonl(tmp_path, SOUND, SOUND | row, SOUND))
    assert len(file.questions) == 2
    (problem,) = file.problems
    assert problem.message.startswith("own.jsonl, line 2: ")
    assert said in problem.message
    assert problem.hint.endswith("The other rows count all the same.")


def test_a_line_that_is_no_object_is_named(tmp_path: Path) -> None:
    path = jsonl(tmp_path, SOUND, SOUND)
    path.write_text(path.read_text() + '{"question": \n["a"]\n{"question": "\\ud800"}\n')
    file = read_quiz_file(path)
    assert len(file.questions) == 2
    assert [problem.message.split(":")[0] for problem in file.problems] == [
        f"own.jsonl, line {number}" for number in (3, 4, 5)
    ]


def test_essay_questions_beside_them_are_passed_over(tmp_path: Path) -> None:
    essay = {"question": "What is glaucoma?", "answer": "A group.", "phrasings": ["Glaucoma?"]}
    file = read_quiz_file(jsonl(tmp_path, essay, SOUND))
    assert len(file.questions) == 1
    assert not file.problems


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp949"])
def test_a_spreadsheets_file_is_read(tmp_path: Path, delimiter: str, encoding: str) -> None:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter)
    writer.writerow(
        ["Question", "Option A", "Option B", "option_c", "Explanation", "Answer", "Topic", "note"]
    )
    writer.writerow(["어느 것인가, 둘 중?", "철;", "구\n리", "", "구리|이다.", "구\n리", "각막", "x"])
    file = read_quiz_file(table(tmp_path, stream.getvalue(), encoding=encoding))
    assert not file.problems
    (question,) = file.questions
    assert question.question == "어느 것인가, 둘 중?"
    assert question.options == ["철;", "구\n리"]
    assert (question.letter, question.language, question.topic) == ("B", "ko", "각막")


def test_rows_of_a_table_are_numbered_as_a_spreadsheet_numbers_them(tmp_path: Path) -> None:
    text = (
        HEADER
        + 'One?,"a\nb",b,,,,why,b\n\nTwo?,a,b,,,,no answer,\nThree, four?,a,b,,,,why,b\nFour?,a,b,,,,why,b\n'
    )
    file = read_quiz_file(table(tmp_path, text))
    assert [question.question for question in file.questions] == ["One?", "Four?"]
    assert [problem.message for problem in file.problems] == [
        "own.csv, row 4: it has no answer.",
        "own.csv, row 5: it has 9 cells, and the header has 8.",
    ]


def test_a_quote_that_is_never_closed_is_named_and_what_stands_before_it_counts(tmp_path: Path) -> None:
    file = read_quiz_file(
        table(tmp_path, HEADER + 'One?,a,b,,,,why,b\nTwo?,"a,b,,,,why,b\nThree?,a,b,,,,why,b\n')
    )
    assert len(file.questions) == 1
    (problem,) = file.problems
    assert "row 3: it is not sound CSV" in problem.message
    assert "from here on are not read" in problem.message


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("own.csv", b"", "no questions"),
        ("own.csv", HEADER.encode(), "no questions"),
        ("own.jsonl", b"\n\n", "no questions"),
        ("own.csv", b"question,answer\nWhich?,a\n", "no column option_a, option_b"),
        ("own.csv", b"question,answer,answer,option_a,option_b\nq,a,a,a,b\n", "two columns named answer"),
        ("own.json", b'[\n{"question": "Which?"}\n]', "one JSON list"),
        ("own.xlsx", b"PK\x03\x04rest", "Excel workbook"),
        ("own.csv", "question,안압\n".encode("cp949"), "no column option_a, option_b, answer"),
        (
            "own.csv",
            "a\n’café’, ‘naïve’ é\n".encode("cp1252"),
            "neither UTF-8 nor Korean text in CP949, from line 2",
        ),
        ("own.csv", b"question\n\x81", "neither UTF-8 nor Korean"),
        ("own.csv", b"question\0", "zero bytes"),
    ],
)
def test_a_file_that_holds_no_questions_is_refused(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(TrainingDataError, match=said) as caught:
        read_quiz_file(path)
    assert caught.value.hint


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    for path, said in ((tmp_path, "is not a file"), (tmp_path / "none.csv", "does not exist")):
        with pytest.raises(TrainingDataError, match=said):
            read_quiz_file(path)


def test_controls_of_a_terminal_are_dropped_and_markup_stays(tmp_path: Path) -> None:
    row = SOUND | {"question": "Which \x1b]52;c;x\x07[bold]one[/bold]?", "topic": "\x1b[2Jx"}
    (question,) = read_quiz_file(jsonl(tmp_path, row)).questions
    assert question.question == "Which ]52;c;x[bold]one[/bold]?"
    assert question.topic == "[2Jx"


def test_every_problem_of_a_row_says_where_what_and_what_to_do(tmp_path: Path) -> None:
    file = read_quiz_file(jsonl(tmp_path, SOUND, SOUND | {"answer": "{Zinc}"}))
    (problem,) = file.problems
    assert (problem.unit, problem.number, problem.problem) == ("line", 2, "answer")
    assert problem.values == {"answer": "{Zinc}"}
    assert "“{Zinc}”" in problem.message


def test_a_hundred_thousand_rows_are_read_the_bad_ones_named(tmp_path: Path) -> None:
    rows = (f"Question {number}?,a,b,,,,,{'b' if number % 1000 else ''}\n" for number in range(100_000))
    file = read_quiz_file(table(tmp_path, HEADER + "".join(rows)))
    assert (len(file.questions), len(file.problems)) == (99_900, 100)
    assert file.problems[-1].number == 99_002
