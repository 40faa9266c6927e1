"""What a person must look at where two answers to one question differ: figures, eyes, negations, drugs."""
