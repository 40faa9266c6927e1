"""Many answers side by side: llama.cpp reads the weights once for a token of each of them.

The conversations' common beginning is evaluated once, in sequence 0, and shared. Each answer has a
sequence of its own behind it; as one ends, the next takes its place.
"""

from collections import deque
from dataclasses import dataclass, field

from ophtimus_edge.engine.messages import AnswerMany, Finished, FinishReason, Sampling
from ophtimus_edge.engine.worker.answering import UnanswerableError, check_fits, prompt
from ophtimus_edge.engine.worker.channel import Channel
from ophtimus_edge.engine.worker.context import Context, Entry, Sampler
from ophtimus_edge.engine.worker.model import Model
from ophtimus_edge.engine.worker.prompt import ChatTemplate, TemplateError
from ophtimus_edge.text import TextStream


@dataclass
class _Job:
    """One conversation on its way to an answer.

    Attributes:
        left: prompt tokens that are not evaluated yet; then the one token written last.
        position: of the first of them.
        place: in the last batch, of the token whose logits count; -1 while the prompt is unread.
    """

    index: int
    ids: list[int]
    sampling: Sampling
    sequence: int = 0
    left: list[int] = field(default_factory=list)
    position: int = 0
    place: int = -1
    written: int = 0
    pieces: list[str] = field(default_factory=list)
    text: TextStream = field(default_factory=TextStream)
    sampler: Sampler | None = None


def answer_many(
    request: AnswerMany, model: Model, context: Context, template: ChatTemplate | None, channel: Channel
) -> None:
    """Answer conversations; each is sent as it ends, in the order in which they end.

    Raises:
        DecodeError: llama.cpp fails.
        StoppedError: the request was cancelled.
    """
    waiting: deque[_Job] = deque()
    for index, (turns, sampling) in enumerate(zip(request.conversations, request.samplings, strict=True)):
        try:
            ids = prompt(turns, request.plain, model, template)
            check_fits(ids, context.tokens)
            waiting.append(_Job(index, ids, sampling))
        except UnanswerableError as error:
            channel.send(_refused(request.id, index, sampling, error.message, error.hint))
        except TemplateError as error:
            message = f"the model's chat template failed: {error}."
            channel.send(_refused(request.id, index, sampling, message, "Convert the model again."))
    if not waiting:
        return
    prefix = _beginning(request, model, template)
    begin_so = all(job.ids[: len(prefix)] == prefix and len(job.ids) > len(prefix) for job in waiting)
    shared = len(prefix) if begin_so else 0
    context.hold(prefix[:shared])
    free = list(range(1, min(request.parallel, context.sequences) + 1))
    active: list[_Job] = []
    try:
        while waiting or active:
            _admit(waiting, active, free, shared, context)
            _step(active, context)
            for job in [job for job in active if job.place >= 0]:
                if finish := _write(job, model, context):
                    active.remove(job)
                    free.append(job.sequence)
                    _end(job, context)
                    channel.send(_finished(request.id, job, finish))
    finally:
        for job in active:
            _end(job, context)


def _beginning(request: AnswerMany, model: Model, template: ChatTemplate | None) -> list[int]:
    """The ids of the role that all conversations are in; none where they are in several.

    Not the longest beginning that the prompts have in common: that would make what is computed together,
    and so perhaps a text, depend on which other questions are asked.
    """
    systems = {turns[0].text if turns[0].role == "system" else "" for turns in request.conversations}
    if request.plain or template is None or len(systems) != 1:
        return []
    return template.prefix(systems.pop(), model.tokenize)


def _admit(waiting: deque[_Job], active: list[_Job], free: list[int], shared: int, context: Context) -> None:
    """Give waiting jobs a sequence as long as all of them fit, with the longest answers they may have."""
    used = shared + sum(_need(job, shared, context) for job in active)
    while waiting and free and (not active or used + _need(waiting[0], shared, context) <= context.tokens):
        job = waiting.popleft()
        used += _need(job, shared, context)
        job.sequence = free.pop()
        context.share(job.sequence)
        job.left, job.position = job.ids[shared:], shared
        job.sampler = context.sampler(job.sampling.temperature, job.sampling.seed)
        active.append(job)


def _need(job: _Job, shared: int, context: Context) -> int:
    return min(len(job.ids) + job.sampling.max_tokens, context.tokens) - shared


def _step(active: list[_Job], context: Context) -> None:
    """Evaluate a batch: a token of each answer, and as much of the prompts as fits beside them."""
    entries: list[Entry] = []
    room = context.batch_tokens - len(active)
    for job in active:
        writes = job.written > 0
        take = 1 if writes else min(len(job.left), room + 1)
        room -= take - 1
        last = take == len(job.left)
        job.place = len(entries) + take - 1 if last else -1
        entries += [
            Entry(token, job.position + offset, job.sequence, last and offset == take - 1)
            for offset, token in enumerate(job.left[:take])
        ]
        job.left = job.left[take:]
        job.position += take
    context.evaluate_batch(entries)


def _write(job: _Job, model: Model, context: Context) -> FinishReason | None:
    """Take a job's next token; returns how it finished, or None where it goes on."""
    assert job.sampler is not None  # noqa: S101 - an active job has one
    token = job.sampler.pick(job.place)
    if model.ends(token) and job.written >= job.sampling.min_tokens:
        return "stop"
    job.written += 1
    job.pieces.append(job.text.feed(model.piece(token)))
    job.left = [token]
    if job.written >= min(job.sampling.max_tokens, context.tokens - len(job.ids)):
        return "length"
    return None


def _end(job: _Job, context: Context) -> None:
    context.forget(job.sequence)
    if job.sampler:
        job.sampler.close()
        job.sampler = None


def _finished(request_id: int, job: _Job, finish: FinishReason) -> Finished:
    return Finished(
        id=request_id,
        index=job.index,
        text="".join(job.pieces) + job.text.end(),
        finish_reason=finish,
        seed=job.sampling.seed,
        prompt_tokens=len(job.ids),
        completion_tokens=job.written,
    )


def _refused(request_id: int, index: int, sampling: Sampling, message: str, hint: str) -> Finished:
    return Finished(request_id, index, "", "failed", sampling.seed, 0, 0, message, hint)
