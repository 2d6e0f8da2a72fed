"""The Runtime API as a server: HTTP/1.1 on loopback, for the processes of one worker alone."""
