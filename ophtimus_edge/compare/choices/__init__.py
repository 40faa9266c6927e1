"""Multiple-choice questions: asked as the models were trained to be asked, and read in two ways.

``asking`` writes the prompts, in several orders of the options; ``parsing`` reads an answer that a model wrote;
``measuring`` asks a level, and yields a record for each thing it measured; ``figures`` makes the report's
numbers of records, without a model.

Two things are measured. The *generated* answer, in the trained form, "Explanation: … Answer: B) …", greedy, in
the written order of the options. And the *letters*: how likely each option's letter is directly after
"Answer:" and its line feed, without an explanation before it, from one evaluation of the question.
"""
