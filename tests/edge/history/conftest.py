"""What the tests of the history's commands share: a profile with two conversations, and a passphrase in a file."""

from pathlib import Path

import pytest
from histories import profile_with, talk_of

from ophtimus_edge.history.profiles import Profile
from ophtimus_edge.history.talk import Talk

PASSPHRASE = "각막 수정체 망막 시신경"


@pytest.fixture(autouse=True)
def every_passphrase_is_cheap(cheap_passphrases: int) -> None:
    """In each of these tests."""


@pytest.fixture
def glaucoma() -> Talk:
    return talk_of(
        "녹내장이란 무엇인가요?",
        "시신경이 손상되는 질환입니다.",
        "And the drops?",
        "They lower the pressure.",
    )


@pytest.fixture
def cataract() -> Talk:
    talk = talk_of("What is a cataract?", "A clouding of the lens.")
    talk.held = True
    return talk


@pytest.fixture
def kim(glaucoma: Talk, cataract: Talk) -> Profile:
    return profile_with("김 간호사", glaucoma, cataract)


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    file = tmp_path / "passphrase"
    file.write_text(PASSPHRASE + "\n", encoding="utf-8")
    return file
