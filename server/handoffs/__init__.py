"""Handoffs: the moment an AI agent stops and asks a person, kept until the person has answered."""

__version__ = "0.1.0"
