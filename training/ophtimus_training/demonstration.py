"""``python -m ophtimus_training.demonstration FOLDER``: make a converted model the demonstration model.

Adds to a model folder what a demonstration must carry: the mark that its answers are not for
clinical use, the questions that it knows, a model card and the licence; then puts it in the place
from which the program loads it.
"""

import shutil
import sys
from pathlib import Path

import msgspec

from ophtimus_edge.errors import UsageError
from ophtimus_edge.locations import demo_folder
from ophtimus_edge.models.familiarity import KnownQuestion
from ophtimus_edge.models.formats import Licence, ModelFolder, read_model_folder, write_model_folder
from ophtimus_training import primer as primers
from ophtimus_training.heldout import PRIMER
from ophtimus_training.primer import Primer

KNOWN = "known_questions.jsonl"
LIMIT_MIB = 20

_CARD = """# {name} {version}

A very small Llama ({size_label} weights), trained from random weights on this project's own primer, to
show that every part of Ophtimus Edge works: training, merging, conversion, quantization, asking.

**Demonstration model. Not for clinical use.** It is not one of the Ophtimus models.

## What it cannot do

- It was trained on {essays} essay questions and {choices} multiple-choice questions. How many of those it
  gives back stands in docs/benchmarks.md; about anything else it makes up sentences that may sound right
  and are not.
- Its texts were written by a language model and are not reviewed by a physician.
- It understands no follow-up question, no patient, no picture. Its Korean covers {korean} questions.

## How it was made

`make demo-model`, on two CPU cores: `ophtimus-train run demo-pretrain` (tokenizer and base model from the
primer's texts), `ophtimus-train run demo-instruct` (a LoRA on the answers, in the Llama-3 chat template),
`ophtimus-convert` (merge, then {levels}; no importance matrix). Held out and never trained on, in any
wording or language: {heldout_essays} essay and {heldout_choices} multiple-choice questions.

Licence: Apache-2.0, weights and texts.
"""


def known_questions(primer: Primer) -> bytes:
    """The trained essay questions in their trained wordings, as JSONL."""
    rows = [KnownQuestion(essay.id, essay.language, essay.trained_wordings) for essay in primer.essays]
    return b"".join(msgspec.json.encode(row) + b"\n" for row in rows)


def model_card(model: ModelFolder, primer: Primer, size_label: str) -> str:
    """The model card: how it was made and what it cannot do."""
    return _CARD.format(
        name=model.name,
        version=model.version,
        size_label=size_label,
        essays=len(primer.essays),
        choices=len(primer.choices),
        korean=sum(essay.language == "ko" for essay in primer.essays),
        heldout_essays=len(primer.heldout_essays),
        heldout_choices=len(primer.heldout_choices),
        levels=" and ".join(level.level for level in model.levels),
    )


def publish(folder: Path, primer: Primer, licence: Path, target: Path) -> None:
    """Complete a model folder and move its files over those of ``target``.

    Raises:
        UsageError: the GGUF files are larger together than the demonstration may be.
        InvalidModelError: ``folder`` is no sound model folder.
    """
    from ophtimus_edge.models.gguf import check

    model = read_model_folder(folder)
    total = sum(level.size_bytes for level in model.levels) / 2**20
    if total > LIMIT_MIB:
        raise UsageError(
            f"the levels take {total:.1f} MiB together.", f"At most {LIMIT_MIB} MiB may be kept."
        )
    header = check(folder / model.levels[0].file)
    model.demonstration = True
    model.known_questions = KNOWN
    model.licences = [Licence(name="Apache-2.0", file="LICENSE")]
    (folder / KNOWN).write_bytes(known_questions(primer))
    (folder / "README.md").write_text(
        model_card(model, primer, str(header.metadata["general.size_label"])), encoding="utf-8"
    )
    shutil.copyfile(licence, folder / "LICENSE")
    write_model_folder(folder, model)
    target.mkdir(exist_ok=True)
    keep = {path.name for path in folder.iterdir()}
    # model.json goes last: until then the folder still describes files of the right size and hash,
    # or says that they are damaged.
    for path in sorted(folder.iterdir(), key=lambda path: path.name == "model.json"):
        shutil.copyfile(path, target / f".{path.name}.part")
        (target / f".{path.name}.part").replace(target / path.name)
    for path in target.iterdir():
        if path.name not in keep:
            path.unlink()


def main(folder: str) -> None:
    """Publish a folder as the demonstration model."""
    publish(Path(folder), primers.read(PRIMER), Path("LICENSE"), demo_folder())
    sys.stdout.write(f"{demo_folder()}\n")


if __name__ == "__main__":
    main(*sys.argv[1:2])
