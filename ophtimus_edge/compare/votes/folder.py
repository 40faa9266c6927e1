"""Where a blind test stands: its answers, its votes, and what a person began and has not voted on yet.

One folder for each two files and way of asking, named so that a person finds it: model, levels, and some digits of
what decides it. Several persons vote in one folder, one after the other.
"""

import contextlib
import re
import secrets
import unicodedata
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

import msgspec

from ophtimus_edge import locations
from ophtimus_edge.compare.votes import lines
from ophtimus_edge.compare.votes.answers import MAX_TOKENS, LevelAnswer, keep_answer, read_answers
from ophtimus_edge.compare.votes.drawing import LARGEST_SEED, SIDES, Pair, Side
from ophtimus_edge.compare.votes.reading import read_votes
from ophtimus_edge.compare.votes.voting import Subject, counting, subject_of
from ophtimus_edge.errors import FolderNotWritableError, VotesError
from ophtimus_edge.locations import staged
from ophtimus_edge.models.formats import Vote
from ophtimus_edge.models.store import ChosenModel
from ophtimus_edge.text import sanitize

_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\s.]+')
_LONGEST = 60  # characters of the model's name


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """What a person marked or noted of a pair that is not voted on yet.

    Attributes:
        answers: file and answer, by SHA-256, of both.
        unsafe: the files whose answers are marked as unsafe; another drawing may have them on other sides.
    """

    rater: str
    question_id: str
    answers: tuple[tuple[str, str], tuple[str, str]]
    unsafe: list[str] = []
    note: str = ""

    def unsafe_on(self, pair: Pair) -> list[Side]:
        """The sides of a pair whose answers are marked."""
        return [side for side in SIDES if pair.on(side).sha256 in self.unsafe]

    @property
    def subject(self) -> Subject:
        """What a vote would be about."""
        return (self.rater, self.question_id, frozenset(self.answers))


class _Begun(msgspec.Struct):
    """``begun.json``.

    Attributes:
        shown: the persons who have seen a result, and on how many votes: these are not corrected any more.
    """

    drafts: list[Draft] = []
    shown: dict[str, list[str]] = {}


class BlindTestFolder:
    """The files of a blind test; made by :func:`open_folder`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._answers_path, self._begun_path = path / "answers.jsonl", path / "begun.json"

    @property
    def votes_path(self) -> Path:
        """The votes file, for ``ophtimus compare --votes``."""
        return self.path / "votes.jsonl"

    def answers(self) -> list[LevelAnswer]:
        """What is answered so far.

        Raises:
            VotesError: the file cannot be read.
        """
        return read_answers(self._answers_path)

    def keep_answer(self, answer: LevelAnswer) -> None:
        """Keep an answer.

        Raises:
            FolderNotWritableError: it cannot be written.
        """
        keep_answer(self._answers_path, answer)

    def votes(self) -> list[Vote]:
        """The votes that count.

        Raises:
            VotesError: the file cannot be read.
        """
        if not self.votes_path.exists() or not lines.whole_lines(self._read(self.votes_path)):
            return []
        return counting(numbered.vote for numbered in read_votes(self.votes_path).votes)

    def keep_vote(self, vote: Vote) -> None:
        """Put a vote at the end of the file; one about the same that is there is corrected by it.

        Raises:
            FolderNotWritableError: it cannot be written.
        """
        lines.append(self.votes_path, msgspec.json.encode(vote))

    def seed_of(self, rater: str) -> int:
        """The seed of a person's drawing: that of their votes so far, else a new one."""
        return next((vote.seed for vote in self.votes() if vote.rater == rater), 0) or 1 + secrets.randbelow(
            LARGEST_SEED
        )

    def drafts(self) -> dict[Subject, Draft]:
        """What was begun and not voted on."""
        return {draft.subject: draft for draft in self._begun().drafts}

    def keep_drafts(self, drafts: dict[Subject, Draft]) -> None:
        """Keep what was begun, in the place of what was before.

        Raises:
            FolderNotWritableError: it cannot be written.
        """
        begun = self._begun()
        begun.drafts = list(drafts.values())
        self._write(begun)

    def closed_to(self, rater: str) -> set[str]:
        """The questions whose votes a person does not correct any more, having seen which level wrote what."""
        return set(self._begun().shown.get(rater, ()))

    def close_to(self, rater: str, question_ids: list[str]) -> None:
        """Note that a person has seen the result of their votes on questions.

        Raises:
            FolderNotWritableError: it cannot be written.
        """
        begun = self._begun()
        begun.shown[rater] = sorted({*begun.shown.get(rater, ()), *question_ids})
        self._write(begun)

    def _begun(self) -> _Begun:
        # What is damaged here holds no vote: it is begun anew.
        with contextlib.suppress(OSError, msgspec.DecodeError, UnicodeDecodeError):
            return msgspec.json.decode(self._begun_path.read_bytes(), type=_Begun)
        return _Begun()

    def _write(self, begun: _Begun) -> None:
        try:
            with staged(self._begun_path) as part:
                part.write_bytes(msgspec.json.encode(begun))
        except OSError as error:
            raise FolderNotWritableError(
                f"{self._begun_path} cannot be written: {error.strerror or error}.",
                "Free some space there; votes are kept in a file of their own.",
            ) from error

    @staticmethod
    def _read(path: Path) -> bytes:
        try:
            return path.read_bytes()
        except OSError as error:
            raise VotesError(
                f"{path} cannot be read: {error.strerror or error}.", "Check the disk that it lies on."
            ) from error


def draft_of(pair: Pair, rater: str, unsafe: Sequence[Side], note: str) -> Draft:
    """What a person marked and noted of a pair."""
    _, question_id, answers = subject_of(pair, rater)
    one, other = sorted(answers)
    files = [pair.on(side).sha256 for side in unsafe]
    return Draft(rater=rater, question_id=question_id, answers=(one, other), unsafe=files, note=note)


def folder_of(level: ChosenModel, reference: ChosenModel, max_tokens: int = MAX_TOKENS) -> Path:
    """Where the blind test of two levels of a model stands, made or not; the same in whatever order they are named.

    Args:
        level, reference: with the SHA-256 of their files.
    """
    one, other = sorted((level, reference), key=lambda model: model.sha256)
    digest = sha256(f"{one.sha256} {other.sha256} {max_tokens}".encode()).hexdigest()[:8]
    names = sorted((level.level, reference.level))
    title = sanitize(unicodedata.normalize("NFC", level.name))[:_LONGEST]
    words = [_NOT_IN_NAMES.sub("-", word).strip("-") for word in (title, *names)]
    return locations.blind_tests_folder() / "_".join(word for word in (*words, digest) if word)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[BlindTestFolder]:
    """Hold a test's folder, which is made where it is missing; nobody else writes to it meanwhile.

    Raises:
        FolderNotWritableError: it cannot be written, or another window holds it.
    """
    import filelock

    locations.ensure_writable(path)
    lock = filelock.FileLock(path / ".lock", thread_local=False)
    try:
        lock.acquire(timeout=0)
    except filelock.Timeout:
        raise FolderNotWritableError(
            f"the blind test in {path} is open in another window.", "Close it there first."
        ) from None
    except OSError as error:
        raise FolderNotWritableError(
            f"{path} cannot be written: {error.strerror or error}.", "Check that you may write there."
        ) from error
    try:
        yield BlindTestFolder(path)
    finally:
        lock.release()
