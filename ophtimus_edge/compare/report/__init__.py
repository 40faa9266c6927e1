"""What a comparison found, for people and programs: report.json, report.md, report.html, a summary in a terminal.

``files`` writes and reads them, ``page`` (HTML), ``markdown`` and ``terminal`` say what the report holds, ``tables``
lays its figures out for both, and ``plots`` draws. Each stands on `ophtimus_edge.models.report` alone and computes
no statistic.
"""
