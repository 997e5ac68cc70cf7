"""What MCP forbids a form to ask for: passwords, tokens, keys, card numbers, for they pass through client and model.

It is told by what a field is called, word by word, so that `primary_key`, `max_tokens`, `passenger` and `monkey` stay
askable. What stands around a word decides: a *token symbol* is no secret. Where only the agent can know, it says so.
"""

import re
import unicodedata
from collections.abc import Iterable
from enum import Enum, auto


class Secret(Enum):
    """What a field is called like."""

    NO = auto()
    DOUBTFUL = auto()
    """A token, a key or an account number: an agent may say that this one is no secret."""
    CERTAIN = auto()
    """A password, a PIN, a private key: whatever an agent says."""


_CERTAIN = re.compile(
    r"\b(\w*(password|passwd|passphrase|passwort|kennwort)s?|pass ?(word|phrase)s?|passcodes?|pwd|mot de passe"
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
    r"\b((api|app|access|licen[cs]e|deploy|openai|anthropic|stripe|aws) ?keys?|\w*tokens?|account ?(number|no|num))\b"
)

# What is asked *about* a secret is none: how many there are, how long they last, what they are called. Nor is another
# thing of the same name: a coin's token, a token of text, a page's, a colour's, or an account in a cloud.
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
    """Return what a field with these labels is called like; a `number` may count secrets, and is none then."""
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
