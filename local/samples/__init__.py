"""Invented exports, an invented directory, and the known truth about every row of them.

Every person is made as a case whose answer is decided by how it is made, never by matching afterwards, so
that the truth is independent of the code that it tests. No name here is meant to be anybody's. All addresses
are in domains that RFC 2606 reserves.
"""
