"""AWS's APIs on a listener of its own: requests are signed; botocore's models say how they are read."""
