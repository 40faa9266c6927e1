"""Whether a version works, asked of itself: run with the version's own Python, before it is ever used.

    python -I -m ophtimus_edge.kit.installing.smoke imports    what the program is made of can be loaded
    python -I -m ophtimus_edge.kit.installing.smoke answers    and every model has a sound header, and one answers

An installer of any release starts this file of any other, so these two words, the exit code 0, and a last line on
standard error that says what is wrong are kept.
"""

import importlib
import sys

PARTS = (
    "cryptography", "filelock", "jinja2", "msgspec", "numpy", "platformdirs", "psutil", "rich", "sqlcipher3",
    "tomlkit", "ophtimus_edge.cli", "ophtimus_edge.engine.client", "ophtimus_edge.history.store",
)  # fmt: skip
QUESTION = "What is glaucoma?"
_TOKENS = 16


def main(words: list[str]) -> int:
    """Run what is asked for; returns the exit code."""
    from ophtimus_edge.errors import OphtimusError

    try:
        if words == ["imports"]:
            return _imports()
        if words == ["answers"]:
            return _answers()
    except OphtimusError as error:
        return _wrong(str(error))
    return _wrong("imports, or answers")


def _imports() -> int:
    for name in PARTS:
        sys.stderr.write(f"{name}\n")  # where the process is ended by the import, its last line says which
        sys.stderr.flush()
        try:
            importlib.import_module(name)
        except Exception as error:  # numpy raises RuntimeError on a processor that it is not built for
            return _wrong(f"{name} cannot be loaded: {' '.join(str(error).split())[:300]}")
    return 0


def _answers() -> int:
    from ophtimus_edge import locations
    from ophtimus_edge.engine.client import Died
    from ophtimus_edge.engine.messages import Piece, Sampling, Turn
    from ophtimus_edge.engine.synchronous import SyncEngine
    from ophtimus_edge.models import gguf, store
    from ophtimus_edge.models.formats import read_model_folder

    kit = locations.installed_kit()
    for folder in sorted((kit / "models").glob("*/model.json")) if kit else ():
        for level in read_model_folder(folder.parent).levels:
            if (path := folder.parent / level.file).is_file():
                gguf.check(path)
    text = ""
    with SyncEngine() as engine:
        engine.load(store.choose(store.DEMO))
        for event in engine.answer([Turn(role="user", text=QUESTION)], Sampling(max_tokens=_TOKENS)):
            if isinstance(event, Piece):
                text += event.text
            elif isinstance(event, Died):
                return _wrong(event.message)
    if not text.strip():
        return _wrong("the demonstration model gave no answer")
    sys.stdout.write(f"{text}\n")
    return 0


def _wrong(what: str) -> int:
    sys.stderr.write(f"{what}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
