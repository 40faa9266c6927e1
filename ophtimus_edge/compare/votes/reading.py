"""Votes files: read, and parted into votes about the files that are compared and others."""

from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from ophtimus_edge.compare import phrases
from ophtimus_edge.compare.votes import lines
from ophtimus_edge.compare.votes.voting import counting, when
from ophtimus_edge.errors import FormatVersionError, InvalidModelError, VotesError
from ophtimus_edge.models.formats import Vote, decode
from ophtimus_edge.models.report import AskedFile

_MOST_SKIPPED = 100
_MOST_BYTES = 64 << 20  # a vote has about a KiB
_MEND = "Mend the line or remove it; the other votes stay as they are."


class NumberedVote(NamedTuple):
    """A vote, and the line of its file on which it stands."""

    number: int
    vote: Vote


class VotesFile(NamedTuple):
    """The votes of a file, those that were corrected later too.

    Attributes:
        sha256: of its bytes.
    """

    path: Path
    sha256: str
    votes: tuple[NumberedVote, ...]


class Taken(NamedTuple):
    """What was taken of one votes file.

    Attributes:
        used: votes that count; one that several files hold counts for the last of them.
        refused: a sentence for each vote about another file, with its line.
    """

    file: VotesFile
    used: tuple[Vote, ...]
    refused: tuple[str, ...]


class VotesAbout(NamedTuple):
    """The votes about the files that are compared.

    Attributes:
        votes: that count: of those that a person corrected, the last one.
        refused: a sentence for each vote about another file, with its line.
        files: the same by the file, in the order in which they were given.
    """

    votes: tuple[Vote, ...]
    refused: tuple[str, ...]
    files: tuple[Taken, ...] = ()


def read_votes(path: Path) -> VotesFile:
    """Read a ``votes.jsonl``. A last line that was torn is passed over: nobody was told that it is kept.

    Raises:
        VotesError: the file cannot be read, has no votes, or a line is no vote.
        FormatVersionError: a vote was written by a newer release.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise VotesError(
                f"{path} is larger than {_MOST_BYTES >> 20} MiB: it is no votes file.",
                "Name the votes.jsonl of a blind test.",
            )
        data = path.read_bytes()
    except (OSError, ValueError) as error:  # a path with a null character is a ValueError
        reason = getattr(error, "strerror", "") or error
        raise VotesError(
            f"{path} cannot be read: {reason}.", "Name the votes.jsonl of a blind test."
        ) from error
    votes = tuple(NumberedVote(line.number, _vote(path, line)) for line in lines.whole_lines(data))
    if not votes:
        raise VotesError(f"there are no votes in {path}.", "Cast some in the app: Ctrl+P, blind test.")
    return VotesFile(path, sha256(data).hexdigest(), votes)


def about(files: Iterable[VotesFile], levels: Mapping[str, str]) -> VotesAbout:
    """The votes of one or several files that are about the files that are compared.

    A vote says by SHA-256 which two files it is about; both must be among these. Files that hold the same
    vote, as a copy does, count it once; of votes of one person on the same answers, the one that was cast last
    counts. Persons are told apart by their names; those without a name by their files.

    Args:
        levels: the levels that are compared, by the SHA-256 of their files.

    Raises:
        VotesError: a votes file is about other files altogether.
    """
    files = list(files)
    dated: list[tuple[int, str, Vote]] = []
    refused: list[list[str]] = []
    for place, file in enumerate(files):
        strange = []
        for number, vote in file.votes:
            if strangers := _strangers(vote, levels):
                strange.append(f"{file.path.name}, line {number}: {strangers}")
            else:
                dated.append((place, file.sha256 if not vote.rater else "", vote))
        if len(strange) == len(file.votes):
            raise VotesError(
                f"no vote of {file.path} is about the files that are compared; {strange[0]}",
                "Compare the files that were voted on, or leave this votes file out.",
            )
        refused.append(strange)
    # Stable, so that of votes of one second the one that stands later is the later one.
    dated.sort(key=lambda one: when(one[2]))
    by_person: dict[str, list[Vote]] = {}
    for _, nameless, vote in dated:
        by_person.setdefault(nameless, []).append(vote)
    votes = tuple(vote for of_one in by_person.values() for vote in counting(of_one))
    place_of = {id(vote): place for place, _, vote in dated}
    used = [tuple(vote for vote in votes if place_of[id(vote)] == place) for place in range(len(files))]
    taken = tuple(map(Taken, files, used, map(tuple, refused)))
    return VotesAbout(votes, tuple(sentence for strange in refused for sentence in strange), taken)


def asked_file(taken: Taken, reference_sha256: str) -> AskedFile:
    """What a report says of a votes file."""
    between = sum(reference_sha256 not in (vote.sha256_a, vote.sha256_b) for vote in taken.used)
    votes = phrases.counted(between, "vote is", "votes are")
    remark = f"{votes} between two levels of which neither is the reference: what was found unsafe counts, no more."
    return AskedFile(
        part="votes",
        name=taken.file.path.name,
        sha256=taken.file.sha256,
        available=len(taken.file.votes),
        used=len(taken.used),
        skipped=list(taken.refused[:_MOST_SKIPPED]),
        remarks=[remark] if between else [],
    )


def _vote(path: Path, line: lines.NumberedLine) -> Vote:
    where = f"{path}, line {line.number}"
    try:
        vote = decode(line.data, Vote, where)
    except FormatVersionError:
        raise
    except InvalidModelError as error:
        raise VotesError(f"{where}: it is not a vote ({error.__cause__ or error.message}).", _MEND) from error
    if not vote.sha256_a or not vote.sha256_b:
        raise VotesError(f"{where}: it does not say which files it is about.", _MEND)
    if vote.sha256_a == vote.sha256_b:
        raise VotesError(f"{where}: both sides are of one file.", _MEND)
    return vote


def _strangers(vote: Vote, levels: Mapping[str, str]) -> str:
    """What speaks against a vote, "" for nothing."""
    for level, file in ((vote.level_a, vote.sha256_a), (vote.level_b, vote.sha256_b)):
        if file not in levels:
            known = level in levels.values()
            what = f"another file of {level}" if known else f"{level}, which is not compared"
            return f"it is about {what} (SHA-256 {file[:12]}…)."
    return ""
