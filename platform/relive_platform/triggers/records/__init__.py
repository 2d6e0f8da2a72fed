"""Functions that hear of other functions' log lines and failures."""
