"""Looking into a model: token ids, the bytes they stand for, rendered prompts, logits."""

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
    except DecodeError as error:
        return Failed(
            request.id,
            "decode",
            f"the model could not go on: {error}.",
            "Ask for less at once, or a smaller level.",
        )


def _write_logits(request: Logits, model: Model) -> None:
    if len(request.ids) > model.context:
        raise DecodeError(f"{len(request.ids)} tokens do not fit the context of {model.context}")
    memory = SharedMemory(request.memory)
    try:
        into = np.ndarray((request.last, model.vocabulary), np.float32, memory.buf)
        model.logits(request.ids, into)
        del into  # the view must be gone before the memory is closed
    finally:
        memory.close()
