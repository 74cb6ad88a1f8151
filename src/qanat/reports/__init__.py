"""Reports: what a pipeline declares (`qanat.pipeline.Report`), asked, printed, drawn and served."""
