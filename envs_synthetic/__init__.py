"""Generators of problems, and loaders of tables that the user gives."""
