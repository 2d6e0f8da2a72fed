"""A folder for PYTHONPATH: every Python that is started with it begins to record."""
