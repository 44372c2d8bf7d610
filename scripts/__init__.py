"""Tools for those who work on Bucky."""
