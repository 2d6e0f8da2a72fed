"""Functions in any language: a process of the user's that speaks AWS Lambda's Runtime API, and its host.

The host is forked by a zygote as any worker, and is confined as one; the user's process is its child and
inherits all of that. To the server it is a worker like others: the same messages, in the same order.
"""
