"""Who may call over HTTP: tokens of an OAuth issuer, tokens of `handoffs token add`, and what a caller is called."""
