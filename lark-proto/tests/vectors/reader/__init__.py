"""A small client of the protocol, without a network: the rules of README.md in Python."""
