"""Looking into a model: token ids, the bytes they stand for, rendered prompts, logits."""

import sys
from multiprocessing import resource_tracker
from multiprocessing.shared_memory import SharedMemory

import numpy as np

from ophtimus_edge.engine.messages import Computed, Failed, Logits, Pieced, Pieces, Render, Tokenize, Tokens
from ophtimus_edge.engine.worker.model import DecodeError, Model
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError


def inspect(
    request: Tokenize | Render | Pieces | Logits, model: Model, template: ChatTemplate | None
) -> Tokens | Pieced | Computed | Failed:
    """Do a request; what cannot be done comes back as Failed."""
    try:
        if isinstance(request, Tokenize):
            return Tokens(request.id, model.tokenize(request.text, request.special))
        if isinstance(request, Pieces):
            pieces = [model.piece(token) for token in request.ids]
            return Pieced(request.id, pieces, [model.ends(token) for token in request.ids])
        if isinstance(request, Logits):
            _write_logits(request, model)
            return Computed(request.id)
        if template is None:
            return Failed(request.id, "usage", "the model has no chat template.", "Name an instruct model.")
        return Tokens(request.id, template.render(request.turns, model.tokenize))
    except TemplateError as error:
        return Failed(
            request.id, "usage", f"the model's chat template failed: {error}.", "Convert the model again."
        )
    except OSError as error:  # the client gave up, and its shared memory is gone
        return Failed(request.id, "decode", f"the logits have no place to go to: {error}.", "Ask again.")
    except DecodeError as error:
        return Failed(
            request.id,
            "decode",
            f"the model could not go on: {error}.",
            "Ask for less at once, or a smaller level.",
        )


def _attached(name: str) -> SharedMemory:
    """The client's memory; it alone removes it, so this process must not do so at its end."""
    if sys.version_info >= (3, 13):
        return SharedMemory(name, track=False)
    memory = SharedMemory(name)
    if sys.platform != "win32":
        resource_tracker.unregister(memory._name, "shared_memory")  # type: ignore[attr-defined]
    return memory


def _write_logits(request: Logits, model: Model) -> None:
    if len(request.ids) > model.context:
        raise DecodeError(f"{len(request.ids)} tokens do not fit the context of {model.context}")
    memory = _attached(request.memory)
    try:
        into = np.ndarray((request.last, model.vocabulary), np.float32, memory.buf)
        model.logits(request.ids, into)
        del into  # the view must be gone before the memory is closed
    finally:
        memory.close()
