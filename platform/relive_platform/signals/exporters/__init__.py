"""Where signals go. An exporter never waits and never raises: what it cannot take it counts. `followers`
lives in the server, because live lines wait for no batch.
"""
