"""AWS Lambda's API, on Relive's functions, versions and aliases."""
