"""What an authenticated caller is called, in the store and on every page.

A user of the operating system has no colon in their name, and an issuer's address no `@`: so nobody is taken for
anybody else, whichever way the two came in.
"""

MAX_SUBJECT = 255
"""Characters of what an issuer calls a user (OpenID Connect Core, section 2, `sub`)."""


def token_principal(name: str) -> str:
    """Return what the bearer of a token of `handoffs token add` is called: `token:ada`."""
    return f"token:{name}"


def oauth_principal(subject: object, issuer: str) -> str | None:
    """Return what a user of an issuer is called: `oauth:ada@id.example.com`; None where that can't be a name."""
    # What does not print could look like somebody else; half a character would be stored as another text.
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT or not subject.isprintable():
        return None
    return f"oauth:{subject}@{issuer.partition('://')[2]}"
