"""Authentication of callers over HTTP: tokens of an OAuth issuer, tokens of `handoffs token add`, and principals."""
