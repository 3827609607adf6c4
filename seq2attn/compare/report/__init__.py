"""One comparison as a page, as Markdown and as JSON: pure functions of the figures in `results.Comparison`."""
