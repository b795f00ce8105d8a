"""Many calls in one process: requests come in as text, answers go out in the same order.

`answerer` turns one request into one answer; how both travel (a file, a pipe, a socket) is the business of others.
"""
