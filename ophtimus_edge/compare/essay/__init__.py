"""Essay questions: a level's written answers, and how near they come to the expected ones.

``answering`` asks, ``pieces`` splits texts as the model's tokenizer does, ``metrics`` scores one answer (with
``wordnet`` where a person has it), ``similarity`` has a child process compare meanings, ``scoring`` goes through
all answers, and ``summary`` makes the report's figures of what they gave. Answers and scores are records: a run
that is killed loses one at the most, and figures are computed anew without a model.

Two profiles stand side by side. ``paper`` is how the published Ophtimus scores were computed, over the pieces of
the model's own tokenizer. ``standard`` is what the packages give by themselves, over words. nltk, rouge-score and
sacreBLEU come with the [essay] extra and are loaded only when an answer is scored.
"""
