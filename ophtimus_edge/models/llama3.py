"""What is fixed about Llama-3 models, for whoever makes or reads their files."""

# The pre-tokenizer that llama.cpp calls "llama-bpe": contractions, letters with at most one leading
# character, digits in threes, punctuation, line ends, spaces.
PRE_TOKENIZER = "llama-bpe"
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# The date that templates which ask for one are rendered with, always: Meta's own default.
TEMPLATE_DATE = "26 Jul 2024"
