"""Servers that ask the same question and keep nothing: what Handoffs is measured against."""
