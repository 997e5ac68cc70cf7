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


def identity_of(written: str) -> str:
    """Return the principal of `ISSUER#SUB`, as it is compared.

    Raises:
        ValueError: It is none; the words are for the person who wrote it.
    """
    issuer, _, subject = written.partition("#")
    principal = oauth_principal(subject, issuer)
    host = issuer.partition("://")[2]
    if principal is None or not issuer.startswith(("https://", "http://")) or not host.strip("/") or " " in issuer:
        raise ValueError(
            f"An identity is the issuer's address, #, and the subject there, such as https://id.example.com#248289: "
            f"{ascii(written)[:200]} is none."
        )
    return same_identity(principal)


def same_identity(principal: str) -> str:
    """Return what is equal for the same principal: also with a slash behind the issuer, in upper or lower case."""
    return principal.rstrip("/").lower()


def names_of(principal: str) -> frozenset[str]:
    """Return the names, in lower case, under which a principal may be known as a person: it and its subject."""
    kind, _, rest = principal.partition(":")
    subject = {"token": rest, "oauth": rest.rpartition("@")[0]}.get(kind, "")
    return frozenset(name.lower() for name in (principal, subject) if name)
