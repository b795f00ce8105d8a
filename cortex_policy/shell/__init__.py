"""Checks of a shell without a process for each: a function in the shell, and a co-process that answers it.

The function asks through two named pipes in a directory of the shell's user; whatever goes wrong, it runs the program.
"""
