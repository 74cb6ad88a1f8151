"""The pipelines that ship; each is also the example for writing your own."""
