"""How far a level predicts otherwise than its reference on a text, measured without a logits file."""
