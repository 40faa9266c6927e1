"""Which published score stands beside a measured one."""

from ophtimus_edge.compare.report.view import View


def published_score(view: View, profile: str, name: str) -> str:
    """The published score beside a measured one, "" for none.

    The paper's profile was published, and so was SemScore, whatever profile it is measured in. What the packages
    give by themselves never was.
    """
    if profile not in {"paper", "similarity"}:
        return ""
    scores = {known: value for found in view.report.published.values() for known, value in found.items()}
    if name == "semscore_minilm" and "semscore" in scores:
        return f"{scores['semscore']:.3f}, not comparable: SemScore, by all-mpnet-base-v2"
    return f"{scores[name]:.3f}" if name in scores else ""
