"""One answer: read the prompt in slices, write token by token, stop where it is told to."""

import time

from ophtimus_edge.engine.messages import Answer, Answered, FinishReason, Piece, Reading, Turn
from ophtimus_edge.engine.worker.channel import Channel
from ophtimus_edge.engine.worker.context import Context, StoppedError
from ophtimus_edge.engine.worker.model import Model
from ophtimus_edge.engine.worker.prompt import ChatTemplate
from ophtimus_edge.text import TextStream


class UnanswerableError(Exception):
    """A question cannot be asked of this model: what is the matter, and what to do."""

    def __init__(self, kind: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.kind, self.message, self.hint = kind, message, hint


def prompt(turns: list[Turn], plain: bool, model: Model, template: ChatTemplate | None) -> list[int]:
    """The ids of a conversation's prompt.

    Args:
        plain: the last turn's text alone, to be completed.

    Raises:
        UnanswerableError: the model has no chat template.
        TemplateError: the template fails.
    """
    if plain:
        start = [model.bos] if model.bos >= 0 else []
        return start + model.tokenize(turns[-1].text, special=False)
    if template is None:
        raise UnanswerableError(
            "usage",
            "this is a base model: it has no chat template and cannot answer questions.",
            "Name an instruct model, or let it complete your text with --role free.",
        )
    return template.render(turns, model.tokenize)


def check_fits(ids: list[int], context: int) -> None:
    """Refuse a prompt that leaves no token for an answer.

    Raises:
        UnanswerableError: saying how many tokens it has, and how many fit.
    """
    if len(ids) >= context:
        raise UnanswerableError(
            "question",
            f"the question takes {len(ids)} tokens with its role; the model's context holds {context}.",
            "Shorten the question, or ask it in parts.",
        )


def answer(
    request: Answer, model: Model, context: Context, template: ChatTemplate | None, channel: Channel
) -> Answered:
    """Answer a request; pieces go through the channel on the way.

    Raises:
        UnanswerableError: the question does not fit, or the model cannot chat.
        TemplateError: the template fails.
        DecodeError: llama.cpp fails.
    """
    start = time.monotonic()
    ids = prompt(request.turns, request.plain, model, template)
    check_fits(ids, context.tokens)
    sampling = request.sampling
    finish: FinishReason = "length"
    reused, first, last = 0, 0.0, 0.0
    written: list[int] = []
    text = TextStream()
    if request.turns[-1].role == "assistant":  # gone on with: it may have ended inside a character
        for token in request.turns[-1].ids:
            text.feed(model.piece(token))
    room = min(sampling.max_tokens, context.tokens - len(ids))
    sampler = context.sampler(sampling.temperature, sampling.seed)
    try:
        reused = context.reuse(ids)
        context.read(ids, lambda done: channel.send(Reading(request.id, done, len(ids))))
        while len(written) < room:
            token = sampler.pick()
            now = time.monotonic()
            first = first or now
            if model.ends(token) and len(written) >= sampling.min_tokens:
                finish = "stop"
                break
            last = now
            written.append(token)
            if piece := text.feed(model.piece(token)):
                channel.send(Piece(request.id, piece, len(written)))
            if len(written) < room:
                context.evaluate([token])
    except StoppedError:
        finish = "cancelled"
    finally:
        sampler.close()
    if rest := text.end():
        channel.send(Piece(request.id, rest, len(written)))
    return Answered(
        id=request.id,
        finish_reason=finish,
        seed=sampling.seed,
        prompt_tokens=len(ids),
        reused_tokens=reused,
        completion_tokens=len(written),
        ttft_s=first - start if first else 0.0,
        write_s=max(0.0, last - first),
        ids=written,
    )


def warm(system: str, model: Model, context: Context, template: ChatTemplate | None) -> int:
    """Evaluate what every conversation under a system prompt begins with; returns its tokens.

    A model without a template has nothing to begin with: 0.

    Raises:
        TemplateError: the template fails.
        DecodeError: llama.cpp fails.
        StoppedError: the request was cancelled.
    """
    if template is None:
        return 0
    ids = template.prefix(system, model.tokenize)
    if not 0 < len(ids) < context.tokens:
        return 0
    context.read(ids)
    return len(ids)
