"""The files of questions that levels are compared on: which rows are sound, and what is wrong with the others."""
