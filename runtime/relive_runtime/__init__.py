"""What lives in the user's process: zygote, worker, adapters to handlers, isolation, the debugger's end."""
