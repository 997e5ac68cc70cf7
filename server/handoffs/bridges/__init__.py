"""Bridges: what agent frameworks want decided is asked at the desk, and their runs go on with what a person decided.

Each framework has a module of its own here, and an extra of the same name where there can be one. `pauses` is what they
share.
"""
