"""The page of `serve` for operators: its files, who may read it, and its data (docs/serve.md#the-page)."""
