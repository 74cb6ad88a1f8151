"""The command `qanat`.

`catalogue.py` lists what there is; each general command has a file here, those of pipelines are
declared by the pipelines. Nothing but what is asked for is imported: `qanat --help` loads no
driver.
"""

from qanat.cli.entry import main, program

__all__ = ["main", "program"]
