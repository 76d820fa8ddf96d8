"""The site's machinery: Markdown extensions, the reading of pages, the evidence, the pytest plugin."""
