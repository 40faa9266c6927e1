"""Blind votes: drawn, cast, kept, read again, and what they amount to."""

from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.compare.votes import folder as folders
from ophtimus_edge.compare.votes.answers import AskedQuestion, LevelAnswer
from ophtimus_edge.compare.votes.drawing import Drawing, Pair, draw, some
from ophtimus_edge.compare.votes.folder import BlindTestFolder, draft_of
from ophtimus_edge.compare.votes.reading import about, read_votes
from ophtimus_edge.compare.votes.result import votes_report
from ophtimus_edge.compare.votes.voting import Choice, cast, clean_rater, subject_of, turned
from ophtimus_edge.errors import FolderNotWritableError, FormatVersionError, OphtimusError, VotesError
from ophtimus_edge.models import store
from ophtimus_edge.models.formats import Vote

SMALL, LARGE, OTHER = "a" * 64, "b" * 64, "c" * 64
LEVELS = {SMALL: "Q4_K_M", LARGE: "BF16"}
QUESTIONS = [AskedQuestion(f"q{number:02}", f"Question {number}?") for number in range(20)]


def answer(question: AskedQuestion, sha256: str, text: str = "", **changes: str) -> LevelAnswer:
    text = text or f"{LEVELS.get(sha256, 'Q2_K')} says {question.id}"
    level = LEVELS.get(sha256, "Q2_K")
    made = LevelAnswer(
        model="m", level=level, sha256=sha256, question_id=question.id, question=question.text, text=text
    )
    return msgspec.structs.replace(made, **changes)


def both(count: int = 20) -> list[LevelAnswer]:
    return [answer(question, sha256) for sha256 in LEVELS for question in QUESTIONS[:count]]


def drawn(seed: int = 1, count: int = 20) -> Drawing:
    return draw(both(count), QUESTIONS[:count], (SMALL, LARGE), seed)


def side_of(pair: Pair, sha256: str) -> Choice:
    return "a" if pair.a.sha256 == sha256 else "b"


def votes_file(path: Path, *votes: Vote) -> Path:
    path.write_bytes(b"".join(msgspec.json.encode(vote) + b"\n" for vote in votes))
    return path


# --- drawing --------------------------------------------------------------------------------------


def test_every_pair_is_shown_once_with_each_level_on_the_left_as_often() -> None:
    drawing = drawn()
    assert sorted(pair.question for pair in drawing.pairs) == QUESTIONS
    assert all({pair.a.sha256, pair.b.sha256} == {SMALL, LARGE} for pair in drawing.pairs)
    assert sum(pair.a.sha256 == SMALL for pair in drawing.pairs) == 10
    odd = [sum(pair.a.sha256 == SMALL for pair in drawn(seed, 7).pairs) for seed in range(40)]
    assert set(odd) == {3, 4}


def test_the_seed_decides_order_and_sides_and_nothing_else_does() -> None:
    assert drawn(7) == drawn(7)
    assert drawn(7) == draw(reversed(both()), QUESTIONS[::-1], (SMALL, LARGE), 7)
    assert drawn(7).pairs != drawn(8).pairs
    orders = {tuple(pair.question.id for pair in drawn(seed).pairs) for seed in range(10)}
    lefts = {tuple(pair.a.sha256 for pair in drawn(seed).pairs) for seed in range(10)}
    assert len(orders) == len(lefts) == 10


def test_equal_answers_are_counted_and_not_shown_and_missing_ones_too() -> None:
    answers = both(6)
    answers[0] = answer(QUESTIONS[0], SMALL, "the same")
    answers[6] = answer(QUESTIONS[0], LARGE, "the same")
    answers[1] = answer(QUESTIONS[1], SMALL, error="too long", text="")
    del answers[2]
    drawing = draw(answers, QUESTIONS[:6], (SMALL, LARGE), 1)
    assert (drawing.same, drawing.missing, len(drawing.pairs)) == (1, 2, 3)


def test_more_questions_hold_the_fewer_ones() -> None:
    few, more = some(QUESTIONS, 5), some(QUESTIONS, 12)
    assert more[:5] == few
    assert sorted(some(QUESTIONS, 100)) == QUESTIONS
    assert few != QUESTIONS[:5]


# --- casting and keeping --------------------------------------------------------------------------


@pytest.fixture
def test_folder(tmp_path: Path) -> BlindTestFolder:
    return BlindTestFolder(tmp_path)


def test_a_vote_says_what_was_on_which_side() -> None:
    pair = drawn().pairs[0]
    vote = cast(pair, "a", seed=1, rater="Kim", unsafe=["b"], confirmed=True, note="dose")
    assert (vote.level_a, vote.level_b) == (pair.a.level, pair.b.level)
    assert (vote.sha256_a, vote.sha256_b) == (pair.a.sha256, pair.b.sha256)
    assert vote.answer_sha256_a != vote.answer_sha256_b
    assert (vote.choice, vote.unsafe, vote.confirmed, vote.note, vote.seed) == ("a", ["b"], True, "dose", 1)
    assert "+" in vote.rated_at[10:] or "-" in vote.rated_at[10:]
    assert not cast(pair, "a", seed=1, rater="Kim", confirmed=True).confirmed  # nothing was unsafe


def test_a_vote_is_the_same_when_its_answers_change_sides() -> None:
    pair = drawn().pairs[0]
    other = Pair(pair.b, pair.a)
    vote = cast(pair, "a", seed=1, rater="Kim", unsafe=["a"], confirmed=True, note="n")
    seen = turned(vote, other)
    assert (seen.choice, seen.unsafe, seen.level_a) == ("b", ["b"], pair.b.level)
    assert turned(seen, pair) == vote
    assert turned(vote, pair) is vote


def test_a_correction_takes_the_place_of_the_vote_and_nothing_is_overwritten(
    test_folder: BlindTestFolder,
) -> None:
    one, two = drawn().pairs[:2]
    test_folder.keep_vote(cast(one, "a", seed=1, rater="Kim"))
    test_folder.keep_vote(cast(two, "equal", seed=1, rater="Kim"))
    test_folder.keep_vote(cast(one, "b", seed=1, rater="Kim"))
    test_folder.keep_vote(cast(one, "a", seed=9, rater="이"))
    assert [(vote.rater, vote.choice) for vote in test_folder.votes()] == [
        ("Kim", "b"), ("Kim", "equal"), ("이", "a"),
    ]  # fmt: skip
    assert len(test_folder.votes_path.read_bytes().splitlines()) == 4
    assert test_folder.seed_of("이") == 9
    assert test_folder.seed_of("somebody new") > 0


@pytest.mark.parametrize("torn", [b'{"question_id":"q1"', b"\xed\x95", b"x"])
def test_a_torn_last_line_is_no_vote_and_makes_room_for_the_next(
    test_folder: BlindTestFolder, torn: bytes
) -> None:
    one, two = drawn().pairs[:2]
    test_folder.keep_vote(cast(one, "a", seed=1, rater="김"))
    with test_folder.votes_path.open("ab") as file:
        file.write(torn)
    assert len(test_folder.votes()) == len(read_votes(test_folder.votes_path).votes) == 1
    test_folder.keep_vote(cast(two, "b", seed=1, rater="김"))
    assert [vote.choice for vote in test_folder.votes()] == ["a", "b"]


def test_a_last_line_without_its_line_feed_stays(test_folder: BlindTestFolder) -> None:
    one, two = drawn().pairs[:2]
    test_folder.votes_path.write_bytes(msgspec.json.encode(cast(one, "a", seed=1, rater="Kim")))
    assert len(test_folder.votes()) == 1
    test_folder.keep_vote(cast(two, "b", seed=1, rater="Kim"))
    assert [vote.choice for vote in test_folder.votes()] == ["a", "b"]


def test_what_was_begun_is_there_again_and_a_damaged_file_of_it_is_none(test_folder: BlindTestFolder) -> None:
    pair = drawn().pairs[0]
    draft = draft_of(pair, "Kim", ["b"], "안압 수치가 다름")
    test_folder.keep_drafts({draft.subject: draft})
    test_folder.close_to("Kim", ["q05"])
    assert test_folder.drafts() == {subject_of(pair, "Kim"): draft}
    assert (test_folder.closed_to("Kim"), test_folder.closed_to("Lee")) == ({"q05"}, set())
    (test_folder.path / "begun.json").write_bytes(b"{")
    assert test_folder.drafts() == {}


def test_a_folder_is_held_by_one_window_and_stands_for_the_files(tmp_path: Path) -> None:
    q4, bf16 = (store.choose("demo", level) for level in ("Q4_K_M", "BF16"))
    path = folders.folder_of(q4, bf16)
    assert path == folders.folder_of(bf16, q4)
    assert {"Ophtimus-Demo", "Q4_K_M", "BF16"} <= set(path.name.replace("Q4_K_M", "Q4-K-M").split("_")) | {
        "Q4_K_M"
    }
    another = msgspec.structs.replace(bf16, sha256=OTHER)
    assert folders.folder_of(q4, another) != path
    with folders.opened(path), pytest.raises(FolderNotWritableError, match="another window"):
        folders.opened(path).__enter__()
    with folders.opened(path) as again:
        again.keep_answer(both()[0])
        assert again.answers() == [both()[0]]


def test_a_model_with_a_hostile_name_gets_a_folder_of_its_own_all_the_same(home: Path) -> None:
    model = msgspec.structs.replace(store.choose("demo"), name="../../녹내장 \x1b[31m/x")
    assert folders.folder_of(model, model).parent == home / "blind-tests"
    assert "녹내장" in folders.folder_of(model, model).name


@pytest.mark.parametrize(
    ("typed", "kept"), [(" Dr.  Kim\n", "Dr. Kim"), ("김\x1b[2J", "김[2J"), ("\u1100\u1175\u11b7", "김")]
)
def test_a_name_is_kept_in_one_line_and_in_composed_syllables(typed: str, kept: str) -> None:
    assert clean_rater(typed) == kept


# --- reading --------------------------------------------------------------------------------------


def refused(path: Path) -> OphtimusError:
    with pytest.raises(VotesError) as caught:
        read_votes(path)
    assert caught.value.hint
    return caught.value


def test_votes_are_read_with_their_lines(tmp_path: Path) -> None:
    one, two = drawn().pairs[:2]
    path = votes_file(tmp_path / "v.jsonl", cast(one, "a", seed=1, rater="K"))
    path.write_bytes(
        b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n"
        + msgspec.json.encode(cast(two, "b", seed=1, rater="K")) + b"\r\n"
    )  # fmt: skip
    assert [(number, vote.choice) for number, vote in read_votes(path).votes] == [(1, "a"), (3, "b")]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        (b'{"question_id":', "line 2: it is not a vote"),
        (b"[]", "line 2: it is not a vote"),
        (b"\xff\xfe", "line 2: it is not a vote"),
        (b'{"question_id":"q","model":"m","level_a":"x","level_b":"y","seed":1,"choice":"c"}', "line 2: it is not"),
        (b'{"question_id":"q","model":"m","level_a":"x","level_b":"y","seed":1,"choice":"a"}', "which files"),
    ],
)  # fmt: skip
def test_a_line_that_is_no_vote_is_named_by_its_number(tmp_path: Path, line: bytes, says: str) -> None:
    sound = msgspec.json.encode(cast(drawn().pairs[0], "a", seed=1, rater="K"))
    path = tmp_path / "v.jsonl"
    path.write_bytes(sound + b"\n" + line + b"\n" + sound + b"\n")
    assert says in refused(path).message
    path.write_bytes(sound + b"\n" + sound + b"\n")
    assert len(read_votes(path).votes) == 2


def test_files_without_a_vote_and_files_that_are_not_there_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_bytes(b"\n")
    assert "no votes" in refused(tmp_path / "empty.jsonl").message
    assert "cannot be read" in refused(tmp_path / "missing.jsonl").message
    assert "cannot be read" in refused(tmp_path).message


def test_a_newer_vote_is_refused_by_its_version(tmp_path: Path) -> None:
    vote = cast(drawn().pairs[0], "a", seed=1, rater="K")
    path = votes_file(tmp_path / "v.jsonl", msgspec.structs.replace(vote, schema_version=2))
    with pytest.raises(FormatVersionError, match=r"v\.jsonl, line 1 has format version 2"):
        read_votes(path)


def test_votes_about_another_file_of_a_level_are_refused_and_the_others_taken(tmp_path: Path) -> None:
    one, two, three = drawn().pairs[:3]
    strange = draw(
        [answer(QUESTIONS[0], sha256) for sha256 in (OTHER, LARGE)], QUESTIONS[:1], (OTHER, LARGE), 1
    ).pairs[0]
    renamed = msgspec.structs.replace(cast(two, "a", seed=1, rater="K"))
    other_file = msgspec.structs.replace(
        renamed, **{"sha256_a" if two.a.sha256 == SMALL else "sha256_b": OTHER}
    )
    path = votes_file(
        tmp_path / "v.jsonl", cast(one, "a", seed=1, rater="K"), other_file,
        cast(strange, "a", seed=1, rater="K"), cast(three, "b", seed=1, rater="K"),
    )  # fmt: skip
    taken = about([read_votes(path)], LEVELS)
    assert [vote.question_id for vote in taken.votes] == [one.question.id, three.question.id]
    assert len(taken.refused) == 2
    assert "line 2" in taken.refused[0]
    assert "another file of Q4_K_M" in taken.refused[0]
    assert "line 3" in taken.refused[1]
    assert "Q2_K, which is not compared" in taken.refused[1]


def test_a_file_that_is_about_others_altogether_is_refused_by_its_name(tmp_path: Path) -> None:
    path = votes_file(tmp_path / "v.jsonl", cast(drawn().pairs[0], "a", seed=1, rater="K"))
    with pytest.raises(VotesError, match="line 1") as caught:
        about([read_votes(path)], {OTHER: "Q4_K_M", LARGE: "BF16"})
    assert "v.jsonl" in caught.value.message
    assert about([read_votes(path)], LEVELS).refused == ()


def test_of_several_files_a_vote_counts_once_and_the_last_correction_holds(tmp_path: Path) -> None:
    pair = drawn().pairs[0]

    def at(moment: str, choice: Choice, rater: str = "K") -> Vote:
        return msgspec.structs.replace(cast(pair, choice, seed=1, rater=rater), rated_at=moment)

    early, late = at("2026-11-23T10:00:00+09:00", "a"), at("2026-11-23T02:00:00+00:00", "b")
    one = votes_file(tmp_path / "one.jsonl", late)
    two = votes_file(tmp_path / "two.jsonl", early, late, at("", "equal", "L"))
    taken = about([read_votes(one), read_votes(two)], LEVELS).votes
    assert sorted((vote.rater, vote.choice) for vote in taken) == [("K", "b"), ("L", "equal")]
    nameless = [
        votes_file(tmp_path / f"{n}.jsonl", at(f"2026-11-2{n}T10:00:00+00:00", "a", "")) for n in (1, 2)
    ]
    assert len(about([read_votes(path) for path in nameless], LEVELS).votes) == 2


# --- what they amount to --------------------------------------------------------------------------


def test_the_counts_are_from_the_levels_side_and_the_interval_is_exact() -> None:
    pairs = drawn().pairs
    votes = [cast(pair, side_of(pair, SMALL), seed=1, rater="K") for pair in pairs[:8]]
    votes += [cast(pair, side_of(pair, LARGE), seed=1, rater="L") for pair in pairs[8:10]]
    votes += [cast(pair, "equal", seed=1, rater="K") for pair in pairs[10:13]]
    votes.append(cast(pairs[13], "both_bad", seed=1, rater="K"))
    report = votes_report(votes, SMALL, LARGE)
    assert report is not None
    assert (report.votes, report.raters) == (14, 2)
    assert (report.better, report.worse, report.equal, report.both_bad) == (8, 2, 3, 1)
    assert report.preferred is not None
    assert report.preferred.value == pytest.approx(0.8)
    # Clopper and Pearson of 8 in 10, as tables have it
    assert report.preferred.low == pytest.approx(0.4439, abs=1e-4)
    assert report.preferred.high == pytest.approx(0.9748, abs=1e-4)


def test_votes_that_choose_no_side_have_no_interval() -> None:
    votes = [cast(pair, "equal", seed=1, rater="K") for pair in drawn().pairs[:3]]
    report = votes_report(votes, SMALL, LARGE)
    assert report is not None
    assert (report.equal, report.preferred) == (3, None)
    assert votes_report([], SMALL, LARGE) is None


def test_an_unsafe_answer_is_named_with_its_level_whatever_it_stood_beside() -> None:
    pair = drawn().pairs[0]
    beside_another = draw(
        [answer(QUESTIONS[1], sha256) for sha256 in (SMALL, OTHER)], QUESTIONS[:2], (SMALL, OTHER), 1
    ).pairs[0]
    votes = [
        cast(pair, "equal", seed=1, rater="K", unsafe=["a", "b"], confirmed=True, note="twice the dose"),
        cast(beside_another, "equal", seed=1, rater="L", unsafe=["a" if beside_another.a.sha256 == SMALL else "b"]),
    ]  # fmt: skip
    report = votes_report(votes, SMALL, LARGE)
    assert report is not None
    assert report.votes == 1
    assert [(one.rater, one.confirmed, one.note) for one in report.unsafe] == [
        ("K", True, "twice the dose"), ("L", False, ""),
    ]  # fmt: skip
    of_reference = votes_report(votes, LARGE, LARGE)
    assert of_reference is not None
    assert (of_reference.votes, len(of_reference.unsafe)) == (0, 1)
