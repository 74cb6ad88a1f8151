"""The parts of the generator; `qanat.pipelines.metering.generator` is what others import."""
