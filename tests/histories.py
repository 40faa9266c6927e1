"""Talks to keep, a disk to fill, and a look at what really stands in the files of a history."""

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ophtimus_edge.history import keys, profiles
from ophtimus_edge.history.draft import Draft
from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.store import Store
from ophtimus_edge.history.talk import Provenance, Question, Reply, Talk, new_talk

KEY = bytes(range(32))
HOW = Provenance(
    model="tiny", version="1", level="Q4_K_M", sha256="ab", role="clinical", temperature=0.0, seed=0
)
_PAGE, _RESERVED, _IV = 4096, 80, 16


def opened(folder: Path, key: bytes = KEY) -> Store:
    folder.mkdir(parents=True, exist_ok=True)
    return Store(folder, key)


def replied(talk: Talk, question: Question, text: str) -> Reply:
    reply = talk.begin_reply(question, HOW)
    reply.text, reply.ids, reply.finish = text, [1, 2, len(text)], "stop"
    return reply


def talk_of(*texts: str) -> Talk:
    """A talk of questions and answers in turn."""
    talk = new_talk()
    for asked, said in zip(texts[::2], texts[1::2], strict=True):
        replied(talk, talk.ask(asked), said)
    return talk


def profile_with(name: str, *talks: Talk) -> Profile:
    profile = profiles.create(name)
    with opened_profile(profile) as store:
        store.begin_all(talks)
    return profile


def opened_profile(profile: Profile, **secret: str | None) -> Store:
    return Store(profile.folder, keys.unlock(profile.key_file, **secret))


def kept_in(profile: Profile, **secret: str) -> list[Talk]:
    with opened_profile(profile, **secret) as store:
        return store.talks()


def fill(disk: Path, leave: int = 0) -> Path:
    """Take all of a disk but so many bytes."""
    filler = disk / "filler"
    with filler.open("ab", buffering=0) as file:
        for size in (1 << 16, 4096, 1):
            try:
                while file.write(bytes(size)) == size:
                    pass
            except OSError:
                pass
        if leave:
            file.truncate(max(0, file.tell() - leave))
    return filler


def kept_draft() -> str:
    """The draft of the only profile; "" where there is none."""
    return "".join(
        Draft(profile.draft_file, keys.unlock(profile.key_file)).read()
        for profile in profiles.list_profiles()
    )


def plain_bytes(folder: Path, key: bytes = KEY) -> bytes:
    """Every page of every database, log and copy under a folder, decrypted, free pages and all."""
    found = b""
    for path in sorted(folder.rglob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if path.name.endswith(".db"):
            pages = [data[at : at + _PAGE] for at in range(0, len(data), _PAGE)]
            found += _decrypted(key, pages[0][_IV:]) + b"".join(_decrypted(key, page) for page in pages[1:])
        elif path.name.endswith("-wal"):
            for at in range(32, len(data) - _PAGE, 24 + _PAGE):
                first = data[at : at + 4] == b"\0\0\0\1"
                found += _decrypted(key, data[at + 24 + (_IV if first else 0) : at + 24 + _PAGE])
    return found


def _decrypted(key: bytes, page: bytes) -> bytes:
    reserved = page[-_RESERVED:]
    cipher = Cipher(algorithms.AES(key), modes.CBC(reserved[:16])).decryptor()
    return cipher.update(page[:-_RESERVED]) + cipher.finalize()
