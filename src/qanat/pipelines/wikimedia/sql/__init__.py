"""The statements of the stage `store`: what each table gets of the creations that are new."""
