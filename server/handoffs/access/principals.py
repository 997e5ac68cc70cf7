"""The names of authenticated callers, in the store and on every page.

A user name of the operating system has no colon, and an issuer's address no `@`: so callers who authenticate in
different ways never share a name.
"""

MAX_SUBJECT = 255
"""The most characters of a subject (OpenID Connect Core, section 2, `sub`)."""


def token_principal(name: str) -> str:
    """Return the principal of a token of `handoffs token add`: `token:ada`."""
    return f"token:{name}"


def oauth_principal(subject: object, issuer: str) -> str | None:
    """Return the principal of an issuer's user: `oauth:ada@id.example.com`; None if the subject can't be a name."""
    # Unprintable characters could imitate another name; half a character would be stored as another text.
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        return None
    return f"oauth:{subject}@{issuer.partition('://')[2]}"
