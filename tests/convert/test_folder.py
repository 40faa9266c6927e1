"""A model folder that gains levels: what was said of a file goes with the file."""

import msgspec

from ophtimus_convert.folder import added
from ophtimus_edge.models.formats import Level, ModelFolder, Source, Statistic, Verdict

KL = Statistic(0.031, 0.029, 0.034)


def folder(**levels: str) -> ModelFolder:
    return ModelFolder(
        name="m", version="1", specialty="ophthalmology", kind="instruct", source=Source(id="m"),
        default_level=next(iter(levels)),
        levels=[
            Level(level=name, file=f"m-{name}.gguf", size_bytes=1, sha256=digit * 64)
            for name, digit in levels.items()
        ],
    )  # fmt: skip


def test_a_level_that_is_made_anew_loses_what_was_found_of_its_old_file() -> None:
    existing = folder(Q8_0="a", Q4_K_M="b")
    existing.verdict = Verdict(
        level="Q4_K_M", sha256="b" * 64, kl_mean={"Q8_0": KL, "Q4_K_M": KL},
        files={"Q8_0": "a" * 64, "Q4_K_M": "b" * 64}, statement="Q4_K_M is the smallest level within tolerance.",
    )  # fmt: skip
    assert added(existing, folder(Q2_K="c")).verdict == existing.verdict
    assert added(existing, folder(Q4_K_M="b")).verdict == existing.verdict  # the same bytes once more
    anew = added(existing, folder(Q4_K_M="d"))
    assert (anew.comparison.level, anew.comparison.statement, anew.recommended) == ("", "", None)
    assert anew.comparison.kl_mean == {"Q8_0": KL}
    existing.verdict = msgspec.structs.replace(existing.verdict, sha256="", files={})  # of the first releases
    assert added(existing, folder(Q4_K_M="d")).comparison.kl_mean == {"Q8_0": KL}
    existing.verdict = "Q4_K_M for all"
    assert added(existing, folder(Q4_K_M="d")).verdict == "Q4_K_M for all"
