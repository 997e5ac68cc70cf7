"""Detects fields that MCP forbids in a form: passwords, tokens, keys, card numbers. They pass through host and model.

A field is recognized by the words of its labels, so that `primary_key`, `max_tokens`, `passenger` and `monkey` stay
allowed. Words nearby decide: a *token symbol* is no secret. In doubtful cases the agent can declare it harmless.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum, auto


class Secret(Enum):
    """What the labels of a field sound like."""

    NO = auto()
    DOUBTFUL = auto()
    """A token, a key or an account number: the agent may declare it harmless."""
    CERTAIN = auto()
    """A password, a PIN, a private key: the agent's word does not count."""


_CERTAIN = re.compile(
    r"\b(\w*(password|passwd|passphrase|passwort|kennwort)s?\d*|pass ?(word|phrase)s?|passcodes?|pwd|mot de passe"
    r"|contraseña|senha|пароль|secrets?|credentials?|mnemonic|(seed|recovery) phrase|session cookie"
    r"|(private|secret|ssh|gpg|pgp|encryption|signing|master|recovery|wallet) ?keys?"
    r"|(verification|security|authentication|confirmation|backup|recovery|one time|sms|mfa|2fa) codes?"
    r"|otp|totp|(credit|debit|bank) ?cards?|card ?(number|no|num)|bank account( ?(number|no|num))?|cvv2?|cvc2?"
    r"|pin (code|number)|iban|ssn|social security( number)?)\b"
    r"|密码|密碼|パスワード|비밀번호"
)
_PIN = re.compile(
    r"((please|enter|type|your|the|my|new|old|current|card|bank|sim|account|login|atm|debit|credit|phone|device|user"
    r"|\w+ digit) )*pin( (of|for) (your|the|my) (\w+ )?(card|account|bank|sim|phone|device))?"
)
_DOUBTFUL = re.compile(
    r"\b((api|app|access|licen[cs]e|deploy|openai|anthropic|stripe|aws) ?keys?|\w*tokens?\d*"
    r"|account ?(number|no|num))\b"
)

# Facts *about* a secret are no secrets: number, lifetime, name. Nor are other things with the same name: a coin's
# token, a token of text, of a page, of a colour, or an account in a cloud.
_ABOUT = re.compile(
    r"\b(max|min|maximum|minimum|num|number of|how many|total)( \w+)? tokens\b"
    r"|\b(password|passphrase|secret|token|key|credential)s? (policy|name|type|kind|length|limit|count|budget|usage"
    r"|expiry|rotation|manager|file|path|location|store)$"
    r"|\btokens? (symbol|ticker|contract|supply|decimals|standard|price|amount|balance|pair|lifetime|ttl|scopes?)\b"
    r"|\b((next|previous|prev) page|page|next|pagination|continuation|cursor|design|stop|pad|padding|eos|bos|special"
    r"|governance|utility|fungible|nft|erc ?(20|721)|reward|staking) tokens?\b"
    r"|\b(aws|amazon|azure|gcp|google cloud|cloud|github|gitlab) account (number|no|num)\b"
)
_PLURAL = re.compile(r"\b(tokens|secrets|passwords|credentials|keys|cards)\b")
_COUNTED = re.compile(r"\b(max|min|maximum|minimum|num|number of|count|total|limit|length|per)\b")


def secret_in(labels: Iterable[str], *, number: bool) -> Secret:
    """Return what these labels sound like. A `number` may count secrets; then it is none."""
    found = Secret.NO
    for label in labels:
        words = re.sub(r"([a-z])([A-Z])", r"\1 \2", unicodedata.normalize("NFKC", label))
        words = re.sub(r"[\W_]+", " ", words).casefold().strip()
        words = _ABOUT.sub(" ", words)
        if number and (_COUNTED.search(words) or _PLURAL.search(words)):
            continue
        if _CERTAIN.search(words) or _PIN.fullmatch(words):
            return Secret.CERTAIN
        if _DOUBTFUL.search(words):
            found = Secret.DOUBTFUL
    return found
