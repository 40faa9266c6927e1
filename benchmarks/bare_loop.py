"""The yardstick of the engine: llama_decode and C sampling in a loop, in one process, and nothing else.

Reads a JSON order from standard input, prints JSON; benchmarks/engine.py and benchmarks/divergence_cost.py start it.

    {"model": FILE, "context": N, "threads": N, "prompt": [ids], "write": N}
        → tokens_per_s of ``write`` greedy tokens behind the prompt, end tokens ignored
    {…, "known": [ids]} → seconds to evaluate ``prompt`` behind ``known``
    {…, "options": [[ids], …]} → seconds to evaluate prompt + option for each, each from an empty cache
    {…, "windows": [[ids], …], "rows": N} → seconds to evaluate each from an empty cache with the logits of its
        last ``rows`` tokens, and peak_bytes: the most resident memory (Linux)
    {…, "prompts": [[ids], …], "write": N} → seconds for ``write`` greedy tokens behind each, each from an empty cache
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import llama_cpp

BATCH = 512


def open_model(order: dict[str, Any]) -> Any:
    @llama_cpp.llama_log_callback
    def quiet(_level: int, _text: bytes, _data: Any) -> None:
        pass

    llama_cpp.llama_log_set(quiet, None)
    llama_cpp.llama_backend_init()
    model = llama_cpp.llama_model_load_from_file(
        order["model"].encode(), llama_cpp.llama_model_default_params()
    )
    settings = llama_cpp.llama_context_default_params()
    settings.n_ctx, settings.n_batch, settings.n_ubatch = order["context"], BATCH, BATCH
    settings.n_threads = settings.n_threads_batch = order["threads"]
    settings.no_perf = True
    return quiet, llama_cpp.llama_init_from_model(model, settings)


def decode(context: Any, ids: list[int]) -> None:
    for start in range(0, len(ids), BATCH):
        part = ids[start : start + BATCH]
        array = (llama_cpp.llama_token * len(part))(*part)
        assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(array, len(part))) == 0


def evaluate_window(context: Any, batch: Any, ids: list[int], rows: int) -> None:
    batch.n_tokens = len(ids)
    for place, token in enumerate(ids):
        batch.token[place], batch.pos[place] = token, place
        batch.n_seq_id[place], batch.seq_id[place][0] = 1, 0
        batch.logits[place] = place >= len(ids) - rows
    assert llama_cpp.llama_decode(context, batch) == 0
    llama_cpp.llama_get_logits_ith(context, -1)  # waits for the computation


def peak_resident(process: int | str = "self") -> int:
    """Bytes; mapped pages of files and shared memory are among them."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process}/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) * 1024


def write(context: Any, count: int) -> float:
    """Tokens a second, from the first token on."""
    sampler = llama_cpp.llama_sampler_init_greedy()
    token = (llama_cpp.llama_token * 1)(llama_cpp.llama_sampler_sample(sampler, context, -1))
    start = time.perf_counter()
    for _ in range(count - 1):
        assert llama_cpp.llama_decode(context, llama_cpp.llama_batch_get_one(token, 1)) == 0
        token[0] = llama_cpp.llama_sampler_sample(sampler, context, -1)
    return (count - 1) / (time.perf_counter() - start)


def main() -> None:
    order = json.load(sys.stdin)
    _log, context = open_model(order)
    memory = llama_cpp.llama_get_memory(context)
    if "options" in order:
        start = time.perf_counter()
        for option in order["options"]:
            llama_cpp.llama_memory_clear(memory, True)
            decode(context, [*order["prompt"], *option])
        print(json.dumps({"seconds": time.perf_counter() - start}))
    elif "windows" in order:
        batch = llama_cpp.llama_batch_init(BATCH, 0, 1)
        start = time.perf_counter()
        for ids in order["windows"]:
            llama_cpp.llama_memory_clear(memory, False)
            evaluate_window(context, batch, ids, order["rows"])
        seconds = time.perf_counter() - start
        print(json.dumps({"seconds": seconds, "peak_bytes": peak_resident()}))
    elif "prompts" in order:
        start = time.perf_counter()
        for prompt in order["prompts"]:
            llama_cpp.llama_memory_clear(memory, True)
            decode(context, prompt)
            write(context, order["write"])
        print(json.dumps({"seconds": time.perf_counter() - start}))
    elif "known" in order:
        decode(context, order["known"])
        start = time.perf_counter()
        decode(context, order["prompt"])
        llama_cpp.llama_get_logits_ith(context, -1)  # waits for the computation
        print(json.dumps({"seconds": time.perf_counter() - start}))
    else:
        decode(context, order["prompt"])
        print(json.dumps({"tokens_per_s": write(context, order["write"])}))


if __name__ == "__main__":
    main()
