import asyncio
import math
import sys
from pathlib import Path

import msgspec
import pytest

from ophtimus_edge.engine.client import Engine
from ophtimus_edge.engine.messages import Answered, Sampling, Turn
from ophtimus_edge.models import fit, gguf, shapes, store
from ophtimus_edge.models.hardware import Gpu, Machine, read_machine
from ophtimus_edge.models.probe import Probe

GIB = 1 << 30
MACHINE = Machine(
    system="Linux", architecture="x86_64", cpu_name="", cpu_flags=["avx", "avx2"], physical_cores=2,
    usable_cores=2, memory_bytes=16 * GIB, available_bytes=12 * GIB,
)  # fmt: skip
PROBE = Probe(threads=2, bandwidth=60e9, arithmetic=150e9, step_s=40e-9)


def with_memory(gibibytes: float) -> Machine:
    return msgspec.structs.replace(MACHINE, available_bytes=int(gibibytes * GIB))


def with_card(gibibytes: float, build: bool = True) -> Machine:
    size = int(gibibytes * GIB)
    return msgspec.structs.replace(MACHINE, gpus=[Gpu("card", size, size, 300e9)], gpu_build=build)


@pytest.mark.parametrize(
    ("parameters", "level", "size"),
    [
        # What `ophtimus-convert --plan` says of these shapes, which asks llama.cpp itself.
        ("1B", "Q8_0", 1_321_080_000),
        ("1B", "Q4_K_M", 807_690_000),
    ],
)
def test_the_files_of_published_models_are_expected_at_their_size(
    parameters: str, level: str, size: int
) -> None:
    header, file_bytes = shapes.expected_header(parameters, level)
    assert file_bytes == pytest.approx(size, rel=0.01)
    assert sum(tensor.size_bytes for tensor in header.tensors) < file_bytes


def test_another_size_takes_the_nearest_shape_with_other_layers() -> None:
    header, file_bytes = shapes.expected_header("4B", "Q8_0")
    assert header.metadata["llama.embedding_length"] == 3072
    assert file_bytes == pytest.approx(4 * 8.5 / 8 * 1e9, rel=0.15)


def test_a_level_with_more_bits_takes_more_and_is_slower() -> None:
    sizes, needs, speeds = [], [], []
    for level in ("BF16", "Q8_0", "Q6_K"):
        header, size = shapes.expected_header("8B", level)
        sizes.append(size)
        needs.append(fit.predict_memory(header, size, 4096, 0, MACHINE))
        speeds.append(fit.predict_speed(header, size, MACHINE, PROBE))
    assert sizes == sorted(sizes, reverse=True)
    assert needs == sorted(needs, reverse=True)
    assert speeds == sorted(speeds)


def test_the_context_is_what_the_model_was_trained_with_and_at_most_8192(tiny_model: Path) -> None:
    path = tiny_model / "tiny-Q4_K_M.gguf"
    small = fit.choose_settings(gguf.check(path), path.stat().st_size, MACHINE)
    assert (small.context, small.reasons) == (512, [])
    large = fit.choose_settings(*shapes.expected_header("1B", "Q4_K_M"), MACHINE)
    assert large.context == 8192
    assert "131,072" in large.limit
    assert large.threads == 2
    shared = msgspec.structs.replace(MACHINE, physical_cores=1)
    assert fit.choose_settings(*shapes.expected_header("1B", "Q4_K_M"), shared).threads == 1


def test_the_context_is_halved_until_the_memory_holds_it() -> None:
    header, size = shapes.expected_header("8B", "Q4_K_M")
    need = {
        tokens: fit.predict_memory(header, size, tokens, 0, MACHINE) / GIB for tokens in (8192, 4096, 1024)
    }
    assert fit.choose_settings(header, size, with_memory(need[8192] + 0.01)).context == 8192
    reduced = fit.choose_settings(header, size, with_memory(need[4096] + 0.01))
    assert reduced.context == 4096
    assert "8,192 would need" in reduced.reasons[-1]
    least = fit.choose_settings(header, size, with_memory(need[1024] - 1))
    assert least.context == 1024
    assert "may be slow, or fail to load" in least.reasons[-1]
    # Where the system does not tell its memory, nothing is reduced.
    assert fit.choose_settings(header, size, with_memory(0)).context == 8192


def test_what_is_asked_for_is_taken_as_it_is() -> None:
    header, size = shapes.expected_header("8B", "Q4_K_M")
    settings = fit.choose_settings(header, size, with_memory(0.5), context=6000, gpu_layers=7)
    assert (settings.context, settings.gpu_layers, settings.reasons) == (6000, 7, [])


def test_a_card_takes_the_layers_that_it_holds() -> None:
    header, size = shapes.expected_header("8B", "Q4_K_M")
    assert fit.choose_settings(header, size, with_card(24)).gpu_layers == 33
    part = fit.choose_settings(header, size, with_card(4)).gpu_layers
    assert 0 < part < 33
    some, none = (fit.memory_of(header, 8192, layers, with_card(4)) for layers in (part, 0))
    assert some.gpu_weights + some.gpu_other <= 4 * GIB
    assert some.total < none.total
    assert fit.choose_settings(header, size, with_card(0.5)).gpu_layers == 0
    assert fit.choose_settings(header, size, with_card(24, build=False)).gpu_layers == 0
    assert fit.predict_speed(header, size, with_card(24), PROBE, 33) > fit.predict_speed(
        header, size, MACHINE, PROBE
    )


def test_weights_that_llama_cpp_keeps_twice_are_counted_twice() -> None:
    header, _ = shapes.expected_header("1B", "Q4_K_M")
    four_bits = sum(tensor.size_bytes for tensor in header.tensors if tensor.type == "Q4_K")
    assert fit.memory_of(header, 1024, 0, MACHINE).repacked == four_bits
    older = msgspec.structs.replace(MACHINE, cpu_flags=["avx"])
    assert fit.memory_of(header, 1024, 0, older).repacked == 0
    # Tied embeddings are the output layer too, which ARM reorders.
    arm = msgspec.structs.replace(MACHINE, architecture="arm64", cpu_flags=["neon", "dotprod"])
    eight, size = shapes.expected_header("1B", "Q8_0")
    matrices = sum(tensor.size_bytes for tensor in eight.tensors if tensor.type == "Q8_0")
    assert fit.memory_of(eight, 1024, 0, arm).repacked == matrices
    assert fit.memory_of(eight, 1024, 0, MACHINE).repacked == 0
    assert size < matrices + 20_000_000


def test_the_cache_grows_with_the_context() -> None:
    header, _ = shapes.expected_header("1B", "Q8_0")
    # 16 layers of 8 heads of 64, keys and values, two bytes each: 32 KiB a token.
    assert fit.memory_of(header, 8192, 0, MACHINE).cache == 8192 << 15
    assert fit.memory_of(header, 1000, 0, MACHINE).cache == 1024 << 15


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from /proc")
@pytest.mark.parametrize("level", ["BF16", "Q4_K_M"])
def test_the_worker_takes_the_memory_that_is_predicted(level: str) -> None:
    model = store.choose("demo", level)

    async def peak() -> tuple[int, int, int]:
        async with Engine() as engine:
            loaded = await engine.load(model)
            async for event in engine.answer([Turn("user", "glaucoma " * 150)], Sampling(max_tokens=8)):
                if isinstance(event, Answered):
                    status = Path(f"/proc/{engine.process_id}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024, loaded.context, loaded.gpu_layers

    found, context, layers = asyncio.run(peak())
    predicted = fit.predict_memory(
        gguf.check(model.path), model.path.stat().st_size, context, layers, read_machine()
    )
    assert 0.8 < predicted / found < 1.25


def test_the_verdict_and_its_reason() -> None:
    assert fit.judge(2 * GIB, 30.0, MACHINE).verdict == "fits"
    slow = fit.judge(2 * GIB, 2.0, MACHINE)
    assert (slow.verdict, "more slowly than one reads" in slow.reason) == ("slow", True)
    busy = fit.judge(14 * GIB, 30.0, MACHINE)
    assert (busy.verdict, "close other programs" in busy.reason) == ("does not fit", True)
    small = fit.judge(17 * GIB, 30.0, MACHINE)
    assert (small.verdict, "this machine has 16.0 GiB" in small.reason) == ("does not fit", True)
    full = fit.judge(2 * GIB, 30.0, MACHINE, file_bytes=3 * GIB, disk_free=GIB)
    assert (full.verdict, "the disk has 1.0 GiB free" in full.reason) == ("does not fit", True)
    assert fit.judge(2 * GIB, 30.0, MACHINE, file_bytes=3 * GIB, disk_free=4 * GIB).verdict == "fits"
    old = fit.judge(2 * GIB, None, msgspec.structs.replace(MACHINE, cpu_flags=["sse4_2"]))
    assert (old.verdict, "AVX" in old.reason) == ("does not fit", True)
    assert fit.judge(2 * GIB, None, MACHINE).verdict == "fits"
    assert [one.cause for one in (slow, busy, small, full, old)] == [
        "speed", "free memory", "memory", "disk", "processor",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        {"llama.block_count": (1 << 31) - 1},
        {"llama.context_length": (1 << 31) - 1, "llama.embedding_length": (1 << 31) - 1},
        {"tokenizer.ggml.tokens": "many", "tokenizer.ggml.merges": -5},
        {"llama.block_count": 1, "llama.context_length": 1},
    ],
)
def test_a_header_that_lies_is_answered_with_numbers(tiny_model: Path, change: dict[str, object]) -> None:
    path = tiny_model / "tiny-Q4_K_M.gguf"
    header = gguf.check(path)
    header = header._replace(metadata={**header.metadata, **change})
    for machine in (MACHINE, with_card(4)):
        settings = fit.choose_settings(header, path.stat().st_size, machine)
        need = fit.predict_memory(header, path.stat().st_size, settings.context, settings.gpu_layers, machine)
        assert 1 <= settings.context <= 8192
        assert need > path.stat().st_size
        speed = fit.predict_speed(header, path.stat().st_size, machine, PROBE, settings.gpu_layers)
        assert math.isfinite(speed)
