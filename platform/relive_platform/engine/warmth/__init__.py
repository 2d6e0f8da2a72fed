"""Which idle workers are kept, and which are forked before anybody asks: learned from when functions are
invoked, how long they take to start and how much memory they hold."""
