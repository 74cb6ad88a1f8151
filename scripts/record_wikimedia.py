"""Writes the recording that `qanat demo wikimedia` plays anew: `python3 scripts/record_wikimedia.py`.

It is made up, as real events carry the names of real people, and the same every time: eight hours that
end on a full hour, so that the reports of six of them are full, and half an hour more to be played then.
"""

import os

from _environment import CHECKOUT, main

if __name__ == "__main__":
    os.chdir(CHECKOUT)
    main("dev", ["python", "scripts/_record_wikimedia.py"], {})
