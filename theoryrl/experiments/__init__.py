"""Many algorithms and instances: storing, tables, plots, the report page."""
