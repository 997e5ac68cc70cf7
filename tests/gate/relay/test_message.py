"""Which lines are read, which are refused, and what is in them."""

import json
from decimal import Decimal
from typing import Any

import pytest

from handoffs.gate.relay.message import OURS, Id, Message, Number, Odd, cancelled, concerns, read, read_one, refusal
from handoffs.gate.relay.outline import Outline, outline
from handoffs.gate.written import sequence


def call(arguments: str = "{}", *, id: str = "1") -> bytes:  # noqa: A002
    params = f'{{"name":"t","arguments":{arguments}}}'
    return f'{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}\n'.encode()


def message(line: bytes) -> Message:
    assert concerns(line)
    found = read(line)
    assert isinstance(found, Message), found
    assert found.raw == line
    return found


def odd(line: bytes) -> Odd:
    assert concerns(line)
    found = read(line)
    assert isinstance(found, Odd), found
    return found


def replies(line: bytes) -> list[Any]:
    said = refusal(odd(line))
    return [] if said is None else [json.loads(each) for each in said.splitlines()]


def test_a_call_is_read() -> None:
    found = message(call('{"path":"a\\n\\u00e4"}'))
    assert (found.method, found.id) == ("tools/call", Id("1", Number("1")))
    assert found.params == {"name": "t", "arguments": {"path": "a\nä"}}


@pytest.mark.parametrize(
    "line",
    [
        b'{"jsonrpc":"2.0","id":1,"method":"resources/list"}\n',
        b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":1,"progress":2}}\n',
        '{"jsonrpc":"2.0","id":1,"result":{"text":"a\\nline \\"of\\" \\\\ with \\t ä and \\ud83d\\ude00"}}\n'.encode(),
        b"noise\r\n",
        b"\n",
        b"",
    ],
)
def test_what_cannot_be_a_call_is_not_read(line: bytes) -> None:
    assert not concerns(line)
    assert isinstance(read(line), Message)


@pytest.mark.parametrize(
    "written", ["tools\\/call", "tools\\u002fcall", "tools\\u002Fcall", "\\u0074ools/call", "t\\u006fol\\u0073/call"]
)
def test_a_call_cannot_hide_in_escapes(written: str) -> None:
    assert message(call().replace(b"tools/call", written.encode())).method == "tools/call"
    assert message(call().replace(b'"method"', b'"m\\u0065thod"')).method == "tools/call"


@pytest.mark.parametrize(
    ("line", "ids"),
    [
        (call()[:-2], ["1"]),  # it ends too early
        (call() + b"x", ["1"]),
        (call().replace(b"{}", b"{'a':1}"), ["1"]),
        (call('{"a":NaN}'), ["1"]),
        (call('{"a":Infinity}'), ["1"]),
        (call("{} /* */"), ["1"]),
        (call('{"a":"\xff"}').replace(b"\xc3\xbf", b"\xff"), ["1"]),  # no UTF-8
        (call('{"a":"ä"}').replace(b"\xc3\xa4", b"\xc3"), ["1"]),  # half a character
        (call().replace(b"tools/call", b"tools\xc0\xafcall"), ["1"]),  # a slash, for who reads overlong UTF-8
        (b"\xef\xbb\xbf" + call(), ["1"]),
        (call().decode().encode("utf-16-le"), []),
        (call().decode().encode("utf-16-be"), []),
        (b'{"jsonrpc":"2.0","method":"notifications/x"}\r' + call(), ["1"]),  # who takes \r for an end reads two lines
        (b'{"jsonrpc":"2.0","id":2,"method":"x","params":\r' + call().strip() + b"\r}\n", ["2"]),
        (call().replace(b'{"name"', b'\r{"name"'), ["1"]),
        (b'{"a":1}' + call(id="7"), ["7"]),
        (call('{"a":1,"a":2}'), ["1"]),
        (call('{"a":[{"b":{"c":1,"c":1}}]}'), ["1"]),
        (call('{"a":1,"\\u0061":2}'), ["1"]),
        (call('{},"arguments":{"a":1}'), ["1"]),
        (call('{},"Arguments":{"a":1}'), ["1"]),
        (call('{},"argument\u017f":{"a":1}'), ["1"]),  # a long s: to Go the same key
        (call('{},"NAME":"u"'), ["1"]),
        (call().replace(b'"method"', b'"method":"ping","method"'), ["1"]),
        (call().replace(b'"method":"tools/call"', b'"method":"tools/call","method":"ping"'), ["1"]),
        (call().replace(b'"method":"tools/call"', b'"method":"ping","Method":"tools/call"'), ["1"]),
        (call().replace(b'"method"', b'"METHOD"'), ["1"]),
        (call().replace(b'"id":1', b'"id":1,"id":2'), ["1", "2"]),
        (call("[]"), ["1"]),
        (call('"{}"'), ["1"]),
        (call("1"), ["1"]),
        (call().replace(b'"name":"t"', b'"name":1'), ["1"]),
        (call().replace(b'"name":"t",', b""), ["1"]),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"}', ["1"]),
        (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}', ["1"]),
        (b'{"jsonrpc":"2.0","method":"tools/call","params":{"name":"t"}}', []),  # some servers run it
        (call(id="null"), []),
        (call(id="1.0"), []),
        (call(id="true"), []),
        (call(id="9" * 65), []),
        (call('{"a":"\\ud800"}'), ["1"]),
        (call('{"a":"\\udc00\\ud83d"}'), ["1"]),
        (call('{"\\uD800":1}'), ["1"]),
        (call('{"a":' + "[" * 300 + "]" * 300 + "}"), ["1"]),
        (call('{"a":' + "[" * 10_000 + "]" * 10_000 + "}"), ["1"]),
        (call('{"a":' + '{"a":' * 10_000 + "1" + "}" * 10_000 + "}", id='"x"'), ['"x"']),
        (call('{"a":' + "[" * 100_000, id='"\\u0078"'), ['"x"']),
    ],
)
def test_what_not_all_read_alike_is_refused_in_words(line: bytes, ids: list[str]) -> None:
    assert list(odd(line).ids) == ids
    for said, each in zip(replies(line), ids, strict=True):
        assert json.dumps(said["id"]) == each
        assert said["error"]["message"].startswith("Not run: ")
        assert isinstance(said["error"]["code"], int)


@pytest.mark.parametrize("nesting", ["[{}]", "[[{}]]", '[{{"jsonrpc":"2.0","id":9,"method":"ping"}},{}]'])
def test_a_batch_with_a_call_is_refused_as_a_batch(nesting: str) -> None:
    line = nesting.replace("{}", call().decode().strip()).replace("{{", "{").replace("}}]", "}}]").encode()
    line = line.replace(b'"ping"}}', b'"ping"}')
    (batch,) = replies(line)
    assert {each["id"] for each in batch} >= {1}
    assert all("one by one" in each["error"]["message"] for each in batch)


@pytest.mark.parametrize("held", ['"', '\\"', "\\\\", '\\"\\\\', "[", "}"])
def test_a_line_of_quotes_takes_as_long_as_it_is(held: str) -> None:
    line = b'{"id":1,"method":"tools/call","params":"' + held.encode() * 500_000  # hours, if each were looked at anew
    assert list(odd(line).ids) == ["1"]
    found = read_one(line)
    assert isinstance(found, Odd)
    assert list(found.ids) == ["1"]


def test_a_long_batch_takes_as_long_as_it_is() -> None:
    (batch,) = replies(b"[" + b"[0],0," * 500_000 + call().strip() + b"]")
    assert [each["id"] for each in batch] == [1]


def test_what_only_speaks_of_calls_passes() -> None:
    for line in (
        b'{"jsonrpc":"2.0","id":1,"result":{"text":"tools/call"}}\n',
        b'{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"name":"tools/call"}}\n',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"tools/call"}}]\n',
        b'"tools/call"\n',
    ):
        assert message(line).method != "tools/call"


def test_ids_stay_apart() -> None:
    written = ["1", '"1"', "-1", "10", '"\\u0031"', '"ä"']
    texts = [message(call(id=each)).id for each in written]
    assert [each.text for each in texts if each] == ["1", '"1"', "-1", "10", '"1"', '"\\u00e4"']


def test_numbers_keep_their_text_and_their_value() -> None:
    huge = "9" * 5_000
    found = message(call(f'{{"a":[1.10,1E400,-0,-0.0,12345678901234567890,{huge}]}}')).params["arguments"]
    assert isinstance(found, dict)
    numbers = [each for each in sequence(found["a"]) if isinstance(each, Number)]
    assert [each.text for each in numbers[:-1]] == ["1.10", "1E400", "-0", "-0.0", "12345678901234567890"]
    assert [each.exact for each in numbers[:2]] == [Decimal("1.10"), Decimal("1E400")]
    assert numbers[4].exact == 12345678901234567890
    assert str(numbers[5].exact) == huge
    assert Number("1") != Number("1.0")


def test_no_arguments_are_none_or_null() -> None:
    assert message(call("null")).params["arguments"] is None
    assert "arguments" not in message(call().replace(b',"arguments":{}', b"")).params


def test_200_levels_and_many_brackets_are_read() -> None:
    message(call('{"a":' + "[" * 197 + "]" * 197 + "}"))
    message(call('{"a":[' + ",".join(["[]"] * 5_000) + "]}"))


def test_what_the_gate_waits_for_is_read() -> None:
    answer = message(f'{{"jsonrpc":"2.0","id":"{OURS}7","result":{{}}}}\n'.encode())
    assert answer.id == Id(f'"{OURS}7"', f"{OURS}7")
    assert answer.method is None
    cancels = message(b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"a"}}\n')
    assert cancelled(cancels) == '"a"'
    again = message(f'{{"jsonrpc":"2.0","id":2,"method":"x","params":{{"requestState":"{OURS}s"}}}}'.encode())
    assert again.params["requestState"] == f"{OURS}s"
    assert message(b'{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}').method == "initialize"


def test_a_body_is_read_when_it_is_asked_for() -> None:
    assert Message(b'{"id":1,"result":{"a":1.0}}').body == {"id": Number("1"), "result": {"a": Number("1.0")}}
    assert Message(b"\xff").body == {}
    assert Message(b"[1]").params == {}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n', Outline("1", False)),
        (b'{"jsonrpc": "2.0", "id": "a", "result": {"id": 2}}\r\n', Outline('"a"', True)),
        (b'{"jsonrpc":"2.0","id":"\\u0061\xc3\xa4","error":{}}', Outline('"a\\u00e4"', True)),
        (b'{"result":{"x":{"jsonrpc":"2.0","id":3}},"jsonrpc":"2.0","id":4}\n', Outline("4", True)),
        (b'{"method":"roots/list","jsonrpc":"2.0","id":4}\n', Outline("4", False)),
        (b'{"result":{"text":"\\",\\"id\\":9}"},"id":5}', Outline("5", True)),
        (b'{"id":6,"result":{},"jsonrpc":"2.0"}', Outline("6", True)),
        (b'{"method":"notifications/progress","params":{"id":1}}', None),
        (b'{"jsonrpc":"2.0","method":"notifications/progress","params":{"id":1}}', None),
        (b'{"jsonrpc":"2.0","method":"x","params":{"id":1}}', None),
        (b"noise", None),
        (b'noise "id" \xff', None),
        (b'{"id":true}', None),
    ],
)
def test_the_outline_of_a_line(line: bytes, found: Outline | None) -> None:
    assert outline(line) == found
