"""`qanat prove PIPELINE`: kills, repeats, cuts and races the user's own pipeline, and prints what came of it.

Nothing here knows any pipeline. A pipeline brings a `Proof` (see `proof.py`): input with an exactly known result, the
command line of a run, and the comparison of the store with that result. `command.py` makes the command of it.
"""

from qanat.prove.command import prove_command
from qanat.prove.proof import Ground, Proof, Tally

__all__ = ["Ground", "Proof", "Tally", "prove_command"]
