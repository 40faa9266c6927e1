"""What travels between the client and the worker to measure a model: log-likelihoods, logits, times."""

import msgspec


class Score(msgspec.Struct, frozen=True, tag=True):
    """Log-likelihoods of continuations behind one prefix, which is evaluated once; answered by Scored."""

    id: int
    prefix: list[int]
    continuations: list[list[int]]


class ScoreMany(msgspec.Struct, frozen=True, tag=True):
    """Log-likelihoods of continuations behind many prompts; answered by ScoredPrompt for each, then Computed.

    Attributes:
        prefix: ids that all prompts begin with, which are evaluated once; may be empty.
        prompts: ids behind the prefix, at least one each.
        continuations: ids of each, at least one; of those with one, nothing is evaluated.
    """

    id: int
    prefix: list[int]
    prompts: list[list[int]]
    continuations: list[list[int]]


class Logits(msgspec.Struct, frozen=True, tag=True):
    """Evaluate ids from an empty context; the worker writes logits, then answers Computed or Failed.

    Attributes:
        last: how many of the last positions' logits to write.
        memory: the name of the shared memory that takes them: float32, shape (last, vocabulary).
    """

    id: int
    ids: list[int]
    last: int
    memory: str


class Bench(msgspec.Struct, frozen=True, tag=True):
    """Time the evaluation of tokens that mean nothing, as llama-bench does; answered by Benched or Failed.

    Attributes:
        prompt_tokens: evaluated together, from an empty context.
        generated_tokens: evaluated one by one, each with its logits, from an empty context again.
    """

    id: int
    prompt_tokens: int
    generated_tokens: int


class Scored(msgspec.Struct, frozen=True, tag=True):
    """The log-likelihood of each token of each continuation, in nats."""

    id: int
    log_likelihoods: list[list[float]]


class ScoredPrompt(msgspec.Struct, frozen=True, tag=True):
    """One of many prompts: the log-likelihood of each token of each continuation behind it, in nats.

    Attributes:
        index: of the prompt in the request.
    """

    id: int
    index: int
    log_likelihoods: list[list[float]]


class Benched(msgspec.Struct, frozen=True, tag=True):
    """How many seconds the prompt tokens took, and how many those one by one; 0 for none."""

    id: int
    prompt_s: float
    generated_s: float


class Computed(msgspec.Struct, frozen=True, tag=True):
    """The logits are in the shared memory, or every one of many answers or prompts is at its end."""

    id: int
