"""Many questions from a file, answered side by side, resumable: what ``ophtimus batch`` does.

``questions`` reads the file, ``answering`` sends its rows to the engine, ``journal`` keeps what is
answered until all of it is, ``spreadsheet`` writes CSV that no spreadsheet runs.
"""
