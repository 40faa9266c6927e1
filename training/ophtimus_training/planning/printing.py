"""A plan as a person reads it: a table of memory, and a line for each number of devices."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table

from ophtimus_training.planning.plan import Plan

_PARTS = {
    "weights": "weights",
    "quantized_base": "base in 4 bits (NF4, constants in 8)",
    "adapter": "adapter",
    "gradients": "gradients",
    "moments": "moments of the optimizer",
    "activations": "activations",
    "logits": "logits of the loss",
    "gathered": "gathered from other devices",
    "workspace": "workspace",
    "fragmentation": "fragmentation (5 % of what comes and goes)",
    "context": "CUDA itself",
}


def show(plans: list[Plan], console: Console) -> None:
    """Print plans of one recipe for several numbers of devices, the memory of each in a column."""
    first = plans[0]
    console.print(
        f"{first.parameters:,} parameters, {first.trainable:,} of them trained "
        f"({first.trainable / first.parameters:.2%})"
    )
    console.print(f"data: {first.tokens_from}")
    for line in _work(first):
        console.print(line)
    console.print(_memory(plans))
    if any(plan.seconds for plan in plans):
        console.print(_time(plans))
        console.print(f"time: {first.utilisation}", soft_wrap=True)
    else:
        why = "no figure for this device" if first.tokens_per_s is None else "the data's tokens are not known"
        console.print(f"time: {why}")


def _work(plan: Plan) -> Iterator[str]:
    if plan.tokens:
        yield (
            f"{plan.tokens:,} tokens in {plan.steps:,} steps: {plan.flops:.3g} FLOPs "
            f"({plan.flops_per_token / 1e9:.3g} GFLOP a token: 4 a frozen weight, 6 a trained one; attention over "
            f"whole windows adds {plan.attention_share:.0%})"
        )
    else:
        yield f"{plan.flops_per_token / 1e9:.3g} GFLOP a token: 4 a frozen weight, 6 a trained one"


def _memory(plans: list[Plan]) -> Table:
    first = plans[0]
    table = Table(title=f"GiB at the peak, each {first.device}", title_justify="left", box=None)
    table.add_column()
    for plan in plans:
        table.add_column(
            f"{plan.devices} × {plan.strategy}" if plan.devices > 1 else "1 device", justify="right"
        )
    for part, words in _PARTS.items():
        sizes = [int(getattr(plan.memory, part)) for plan in plans]
        if any(sizes):
            table.add_row(words, *(f"{size / 2**30:.2f}" for size in sizes))
    table.add_section()
    table.add_row("together", *(f"{plan.peak_bytes / 2**30:.2f}" for plan in plans))
    if first.device_bytes:
        table.add_row("there", *(f"{plan.device_bytes / 2**30:.2f}" for plan in plans))
        table.add_row("", *("fits" if plan.fits else "too little" for plan in plans))
    return table


def _time(plans: list[Plan]) -> Table:
    table = Table(title="Time", title_justify="left", box=None)
    for heading in ("devices", "tokens/s", "hours"):
        table.add_column(heading, justify="right")
    for plan in plans:
        hours = f"{plan.seconds / 3600:.1f}" if plan.seconds else ""
        table.add_row(str(plan.devices), f"{plan.tokens_per_s or 0:,.0f}", hours)
    return table
