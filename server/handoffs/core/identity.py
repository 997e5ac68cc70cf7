"""Whom a proxy or an OpenID provider names, before it is known whether that is one of the store's people."""

from dataclasses import dataclass


class IdentityRefused(Exception):
    """A sign-in is not accepted; the words are for the person."""


class ProviderUnavailable(Exception):
    """The provider can't be reached now; the words are for the person."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Identity:
    """One name, as it is vouched for from outside."""

    shown: str
    """The name of somebody who is none of the people."""
    login: str = ""
    """What a person's name is compared with; empty where it says nothing of that."""
    email: str = ""
    """The verified email address; empty where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInRequest:
    """What one sign-in at a provider is begun and ended with (OpenID Connect Core 1.0, RFC 7636)."""

    state: str
    nonce: str
    verifier: str
    """The secret of PKCE: the provider gets its hash at the beginning, and itself at the end."""
    callback: str
    """The inbox's address to which the provider sends the browser back."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SignInResponse:
    """What the browser brings back from the provider."""

    code: str
    issuer: str | None = None
    """Who says to have answered (RFC 9207); None where that is not said."""


def same_email(one: str, other: str) -> bool:
    """Return whether two addresses are equal, in upper or lower case; empty ones are not.

    Beyond ASCII they are compared as they are: there a letter can have the same lower case as another one.
    """
    if not one or not other:
        return False
    return one == other or (one.isascii() and other.isascii() and one.lower() == other.lower())
