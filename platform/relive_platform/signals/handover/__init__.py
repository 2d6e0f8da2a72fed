"""From the server to the collector's process: journal, batches and what they are acknowledged with. What was
recorded survives the death of either.
"""
