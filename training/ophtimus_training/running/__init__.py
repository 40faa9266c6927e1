"""A run: the loop over transformers' Trainer, what is measured while it runs, and what it leaves.

``job`` goes from a recipe to a result folder; ``learning`` makes rows and loops; ``bases`` and ``adapters`` have
the model; ``trainer`` is the loop itself; ``attention`` keeps packed sequences apart, ``memory`` recovers from
having too little; ``probe`` and ``figures`` measure, ``watching`` shows and logs, ``picture`` draws.
Why not trl's SFTTrainer: docs/decisions/0011.
"""
