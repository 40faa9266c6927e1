"""Going through the parts of a comparison, level by level, and keeping what is measured.

``subjects`` finds the levels and the reference, ``preparing`` reads the files, ``plan`` says what it will take (from
the ``pace`` of each level, within a ``budget``), ``ledger`` keeps each record as
soon as it is measured, ``comparing`` goes through the parts, and ``joining`` makes the report of the records.
"""
