"""Bytes, speeds and divergences as people read them."""


def size(count: int) -> str:
    """Bytes in GiB, or in MiB where that is less than one."""
    return f"{count / 2**30:.2f} GiB" if count >= 2**30 else f"{count / 2**20:.1f} MiB"


def speed(tokens_per_s: float) -> str:
    """Tokens a second: a decimal where it says something."""
    return f"{tokens_per_s:.0f}" if tokens_per_s >= 10 else f"{tokens_per_s:.1f}"


def divergence(nats: float) -> str:
    """A KL divergence: three decimals, and the power of ten where those would say nothing."""
    return f"{nats:.3f}" if nats == 0 or 0.0005 <= abs(nats) < 1000 else f"{nats:.1e}"
