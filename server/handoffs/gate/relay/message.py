"""Which lines of a client the gate must look at, and what is in them. Pure.

A call must not pass unseen because the server behind reads a line otherwise than the gate does. The rules:

- A line that holds neither `tools/call`, plainly or in escapes, nor anything else that the gate waits for passes as it
  is, unread: requests, answers, noise.
- A line that may hold a call, and that not all parsers read alike, is refused (`Odd`): no strict JSON, no UTF-8, two
  keys of one name (Go's parser ignores case, so `Method` is another `method`), half of a surrogate pair, a batch,
  nested too deep, a carriage return in its middle (to Python's text files, and so to the SDK's server, a line's end).
- Numbers keep their text (`Number`), so that arguments are shown and digested as they were sent.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias, cast

from handoffs.gate.relay.lines import one_line

OURS: Final = "handoffs-gate:"
"""Begins each id of a request that the gate sends to the client, and each `requestState` and id of a task it makes."""

MAX_DEPTH: Final = 200
"""Levels of a call. Parsers give up between a hundred (Go) and some thousand."""

MAX_NUMBER_ID: Final = 64
"""Digits of an id. JavaScript changes those of more than fifteen; nobody counts that far."""

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND, INVALID_PARAMS = -32700, -32600, -32601, -32602

NOT_ANSWERED: Final = -32000
"""The code of an error for a request that the server behind did not answer."""

_CALL = "tools/call"
_MARKS = (b"tools/call", b"notifications/cancelled", b'"initialize"', b'"tools/list"', OURS.encode(), b"\x00")
_ESCAPED = re.compile(rb'(?<!\\)(?:\\\\)*\\(?:[^"\\bfnrtu]|u00[2-7])')
"""An escape that may write a character of a mark; the second is ASCII."""

_ENVELOPE = frozenset({"jsonrpc", "id", "method", "params", "result", "error"})
_PARAMS = frozenset({"name", "arguments", "_meta", "requestState", "inputResponses", "task"})
_INTEGER = re.compile(rf"-?\d{{1,{MAX_NUMBER_ID}}}", re.ASCII)


class Number:
    """A number of JSON as it was written: no two parsers read `1e400` or seventeen digits alike."""

    __slots__ = ("text",)

    def __init__(self, text: str) -> None:
        """Take its JSON."""
        self.text = text

    @property
    def exact(self) -> int | Decimal:
        """Its value, never rounded and never infinite."""
        return int(self.text) if _INTEGER.fullmatch(self.text) else Decimal(self.text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Number) and self.text == other.text

    def __hash__(self) -> int:
        return hash(self.text)

    def __repr__(self) -> str:
        return f"Number({self.text})"


Value: TypeAlias = "str | Number | bool | Sequence[Value] | Mapping[str, Value] | None"
"""What a line holds."""


class Id(NamedTuple):
    """The id of a request."""

    text: str
    """Its JSON, the same for each way to write a string: `1`, `1.0` and `"1"` are three."""
    value: str | Number


class Message:
    """A line that was read, or whose id is known and the rest of which is read when it is asked for."""

    __slots__ = ("_body", "id", "method", "raw")

    def __init__(
        self, raw: bytes, *, method: str | None = None, id: Id | None = None, body: Mapping[str, Value] | None = None  # noqa: A002 - JSON-RPC's word
    ) -> None:  # fmt: skip
        """Take the bytes to pass on."""
        self.raw, self.method, self.id, self._body = raw, method, id, body

    @property
    def body(self) -> Mapping[str, Value]:
        """The whole object; empty where the line holds none."""
        if self._body is None:
            try:
                value = _Parsing().parse(self.raw.decode())
            except (ValueError, RecursionError):
                value = None
            self._body = _mapping(value)
        return self._body

    @property
    def params(self) -> Mapping[str, Value]:
        """The parameters of a request; empty where it has none."""
        return _mapping(self.body.get("params"))

    def __repr__(self) -> str:
        return f"Message({self.raw!r})"


class Odd(NamedTuple):
    """A line that may hold a call and must not be passed on."""

    reason: str
    """A sentence's end: why it was not run."""
    code: int = INVALID_REQUEST
    ids: Sequence[str] = ()
    """The JSON of the ids that wait for a reply."""
    batch: bool = False


def concerns(line: bytes) -> bool:
    """Say whether a line of a client must be read. All others pass without being parsed."""
    return any(mark in line for mark in _MARKS) or _is_opaque(line)


def read(line: bytes, raw: bytes | None = None) -> Message | Odd:
    """Read a line of a client; `raw` are the bytes to pass on where they are more than the line."""
    raw = line if raw is None else raw
    may_call = _CALL.encode() in line or b"\x00" in line or _is_opaque(line)
    try:
        text = line.decode()
    except UnicodeDecodeError:
        return _unreadable(line, "it is no UTF-8", PARSE_ERROR)
    if may_call and "\r" in text.rstrip("\r\n"):
        return _unreadable(line, "it has a carriage return, which some servers take for the end of a line", PARSE_ERROR)
    parsing = _Parsing()
    try:
        value = parsing.parse(text)
    except RecursionError:
        return (
            _unreadable(line, f"it is nested deeper than {MAX_DEPTH} levels", PARSE_ERROR) if may_call else Message(raw)
        )
    except ValueError:
        return _unreadable(line, "it is no JSON", PARSE_ERROR) if may_call else Message(raw)
    if isinstance(value, list):
        return _batch(value) or Message(raw, body={})
    if not isinstance(value, dict):
        return Message(raw, body={})
    return _envelope(raw, value, parsing)


def read_one(body: bytes) -> Message | Odd:
    """Read the body of a POST, which must be one message and nothing else, whatever is in it. Its id is then known."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return Odd("it is no UTF-8", PARSE_ERROR)
    parsing = _Parsing()
    try:
        value = parsing.parse(text)
    except RecursionError:
        return Odd(f"it is nested deeper than {MAX_DEPTH} levels", PARSE_ERROR)
    except ValueError:
        return Odd("it is no JSON", PARSE_ERROR, ids=_ids_in(body))
    if isinstance(value, list):
        return Odd("messages must be sent one by one, not as a batch", batch=True)
    if not isinstance(value, dict):
        return Odd("a message must be an object")
    found = _envelope(one_line(body), value, parsing)
    if isinstance(found, Message) and "id" in value and found.id is None:
        return Odd("an id must be a string or an integer")
    return found


def refused(line: bytes, reason: str) -> Odd:
    """Return a line that is refused for how it is framed."""
    return _unreadable(line, reason, INVALID_REQUEST)


def cancelled(notification: Message) -> str | None:
    """Return the text of the id that a `notifications/cancelled` names."""
    named = _id(notification.params.get("requestId"))
    return None if named is None else named.text


def id_of(text: str) -> Id:
    """Return the id with this text."""
    return _id(_Parsing().parse(text)) or Id(text, text)


def refusal(odd: Odd) -> bytes | None:
    """Return the reply to a refused line, one or more lines; None where no request waits for one."""
    if not odd.ids:
        return None
    error = json.dumps({"code": odd.code, "message": f"Not run: {odd.reason}."})
    replies = [f'{{"jsonrpc":"2.0","id":{each},"error":{error}}}' for each in odd.ids]
    text = f"[{','.join(replies)}]" if odd.batch else "\n".join(replies)
    return text.encode() + b"\n"


def error(text: str, words: str, data: Mapping[str, object] | None = None) -> bytes:
    """Return the reply to a request that the server behind did not answer; `text` is its id's."""
    told = {"code": NOT_ANSWERED, "message": words} | ({} if data is None else {"data": data})
    return b'{"jsonrpc":"2.0","id":%b,"error":%b}\n' % (text.encode(), json.dumps(told).encode())


def _is_opaque(line: bytes) -> bool:
    """Say whether a line may hold a mark that a search for it doesn't find."""
    if b"\\" in line and _ESCAPED.search(line):
        return True
    if line.isascii():
        return False
    try:
        line.decode()
    except UnicodeDecodeError:
        return True  # who leaves out what is no UTF-8 may read a word there
    return False


class _Doubled(dict[str, Value]):
    """An object that has two keys of one name."""

    pairs: list[tuple[str, Value]]


class _Parsing:
    """One parse, and whether any object in it has two keys of one name."""

    def __init__(self) -> None:
        self.doubled: str | None = None
        """The first key that is there twice."""

    def parse(self, text: str) -> Value:
        decoder = json.JSONDecoder(
            object_pairs_hook=self._object, parse_int=Number, parse_float=Number, parse_constant=_no_number
        )
        return cast("Value", decoder.decode(text))

    def _object(self, pairs: list[tuple[str, Value]]) -> dict[str, Value]:
        made = dict(pairs)
        if len(made) == len(pairs):
            return made
        doubled = _Doubled(made)
        doubled.pairs = pairs
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                self.doubled = self.doubled or key
            seen.add(key)
        return doubled


def _no_number(text: str) -> Value:
    raise ValueError(text)  # NaN and Infinity are not JSON


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, dict) else {}


def _envelope(raw: bytes, value: dict[str, Value], parsing: _Parsing) -> Message | Odd:
    if (key := _ambiguous(value, _ENVELOPE)) is not None:
        why = f"it has `{key}` twice, and which of the two counts differs from parser to parser"
        return Odd(why, ids=_ids_of(value))
    method, given = value.get("method"), value.get("id")
    made = _id(given)
    if method != _CALL:
        return Message(raw, method=method if isinstance(method, str) else None, id=made, body=value)
    if made is None:
        return Odd("a call must have an id, a string or an integer", ids=_ids_of(value))
    if (why := _call(raw, value.get("params"), parsing)) is not None:
        return Odd(why, INVALID_PARAMS, ids=_ids_of(value))
    return Message(raw, method=_CALL, id=made, body=value)


def _call(raw: bytes, params: Value, parsing: _Parsing) -> str | None:
    """Say what is wrong with the parameters of a call; None where nothing is."""
    if not isinstance(params, dict):
        return "its `params` are no object"
    if (key := _ambiguous(params, _PARAMS) or parsing.doubled) is not None:
        return f"it has `{key}` twice, and which of the two counts differs from parser to parser"
    if not isinstance(params.get("name"), str):
        return "its `name` is no string"
    if not isinstance(params.get("arguments"), dict | None):
        return "its `arguments` are no object"
    if raw.count(b"{") + raw.count(b"[") > MAX_DEPTH and _is_deeper(params, MAX_DEPTH):
        return f"it is nested deeper than {MAX_DEPTH} levels"
    if re.search(rb"\\u[dD][89a-fA-F]", raw) and _has_half_pair(params):
        return "it has half of a surrogate pair, which is no character"
    return None


def _batch(values: Sequence[Value]) -> Odd | None:
    """Return why a batch is refused; None where no call is in it, however deep its lists are."""
    held, ids = False, list[str]()
    for each in _flat(values):
        if isinstance(each, dict):
            ids += _ids_of(each)
            held = held or any(key.casefold() == "method" and found == _CALL for key, found in _pairs(each))
    return Odd("calls must be sent one by one, not as a batch", ids=ids, batch=True) if held else None


def _flat(values: Sequence[Value]) -> Iterator[Value]:
    """Yield what is in lists in lists, in one pass."""
    left = list(reversed(values))
    while left:
        if isinstance(each := left.pop(), list):
            left += reversed(each)
        else:
            yield each


def _pairs(value: dict[str, Value]) -> list[tuple[str, Value]]:
    return value.pairs if isinstance(value, _Doubled) else list(value.items())


def _ambiguous(value: dict[str, Value], known: frozenset[str]) -> str | None:
    """Return a known key that is there twice, or is written so that some parsers take it for another."""
    if value.keys() <= known and not isinstance(value, _Doubled):
        return None
    seen: set[str] = set()
    for key, _ in _pairs(value):
        folded = next((each for each in known if each.casefold() == key.casefold()), None)
        if folded is None:
            continue
        if key in seen or key != folded:
            return folded
        seen.add(key)
    return None


def _ids_of(value: dict[str, Value]) -> list[str]:
    """Return the ids that a client may wait for; none of a response."""
    if "result" in value or "error" in value:
        return []
    found = [_id(each) for key, each in _pairs(value) if key == "id"]
    return list(dict.fromkeys(each.text for each in found if each is not None))


def _id(value: Value) -> Id | None:
    if isinstance(value, Number):
        return Id(value.text, value) if _INTEGER.fullmatch(value.text) else None
    return Id(json.dumps(value), value) if isinstance(value, str) else None


def _is_deeper(value: Value, bound: int) -> bool:
    level: list[Value] = [value]
    for _ in range(bound):
        below: list[Value] = []
        for each in level:
            within = each.values() if isinstance(each, dict) else each if isinstance(each, list) else ()
            below += [child for child in within if isinstance(child, dict | list)]
        if not below:
            return False
        level = below
    return True


def _has_half_pair(value: Value) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=repr).encode()
    except UnicodeEncodeError:
        return True
    return False


# Ids of lines that can't be parsed

# A string that nothing ends reaches to the end: else each quote in it would be the beginning of another.
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[{}\[\],:]|[^\s"{}\[\],:]+', re.DOTALL)


def _unreadable(line: bytes, reason: str, code: int) -> Odd:
    return Odd(reason, code, ids=_ids_in(line))


def _ids_in(line: bytes) -> list[str]:
    """Return the ids of the outermost object of what may be no JSON."""
    depth, ids = 0, list[str]()
    key = before = b""  # the two tokens before
    for found in _TOKEN.finditer(line):
        token = found[0]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        elif depth == 1 and before == b":" and key == b'"id"':
            ids += _id_text(token)
        key, before = before, token
    return list(dict.fromkeys(ids))


def _id_text(token: bytes) -> list[str]:
    try:
        made = _id(_Parsing().parse(token.decode()))
    except ValueError:
        return []
    return [] if made is None else [made.text]
