"""`qanat prove metering`."""

from qanat.pipelines.metering import PIPELINE
from qanat.prove.command import prove_command


PROVE = None
