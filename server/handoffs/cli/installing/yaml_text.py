"""Edits of YAML as text: one entry is added, changed or removed, the rest is unchanged.

PyYAML's composer gives the position of each node; `read` uses libyaml, another parser, if it is there.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import yaml

from handoffs.cli.installing.texts import Path, Unreadable, Value, line_start, newline

_STEP = 2
_BLANK = " \t\r\n"


class YamlText:
    """YAML as Goose writes it: one document, a mapping at the top, in block style or in braces."""

    def read(self, text: str) -> Mapping[str, object]:
        """Return the document; one without content is an empty one. Raises Unreadable."""
        _root(text)
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            document: object = yaml.load(text, Loader=loader)  # noqa: S506 - both loaders are safe ones
        except (yaml.YAMLError, ValueError, RecursionError) as wrong:
            raise _unreadable(wrong) from None
        if document is None:
            return {}
        if not isinstance(document, dict):
            raise Unreadable("its top level is not a mapping")
        return cast("dict[str, object]", document)

    def put(self, text: str, path: Path, value: object) -> str:
        """Return the text with `value` at `path`."""
        root = _root(text)
        if root is None:
            gap = "" if not text or text.endswith("\n") else newline(text)
            return text + gap + self.snippet(path, value).replace("\n", newline(text))
        node: yaml.Node = root
        for depth, key in enumerate(path):
            if not isinstance(node, yaml.MappingNode):
                raise Unreadable(f"{'.'.join(path[:depth])} is not a mapping")
            child = _child(node, key)
            if child is None:
                for missing in reversed(path[depth + 1 :]):
                    value = {missing: value}
                return _insert(text, node, key, value)
            node = child[1]
        start, end = node.start_mark.index, node.end_mark.index
        if (isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}) or _block(node):
            return self.put(self.cut(text, path), path, value)
        gap = " " if text[start - 1 : start] == ":" else ""
        return text[:start] + gap + _json(value) + text[end:]

    def cut(self, text: str, path: Path) -> str:
        """Return the text without what is at `path`."""
        node = _root(text)
        for key in path[:-1]:
            child = _child(node, key) if isinstance(node, yaml.MappingNode) else None
            node = child[1] if child is not None else None
        assert isinstance(node, yaml.MappingNode)
        child = _child(node, path[-1])
        assert child is not None
        key_node, value = child
        if _flow(node):
            return _delete_flow(text, node, key_node, value)
        start = line_start(text, key_node.start_mark.index)
        if text[start : key_node.start_mark.index].strip(" "):
            raise Unreadable(f"{'.'.join(path)} does not begin on a line of its own; change it by hand")
        end = _line_end(text, _last(value), end_of_line=True)
        if len(node.value) == 1:
            # An empty block is null, which is no mapping: the host would stumble over it.
            colon = _colon(text, path[:-1])
            between = text[colon:start]
            if end == len(text) and not text.endswith("\n"):
                between = between.removesuffix("\n").removesuffix("\r")
            return f"{text[:colon]} {{}}{between}{text[end:]}"
        if end == len(text) and not text.endswith("\n"):
            start -= len(newline(text))
        return text[:start] + text[end:]

    def find(self, text: str, path: Path) -> Value | None:
        """Return where the value at `path` stands."""
        pair = _pair(text, path)
        if pair is None:
            return None
        node = pair[1]
        items = cast("list[yaml.Node]", node.value) if isinstance(node, yaml.SequenceNode) else None
        return Value(
            start=node.start_mark.index, end=node.end_mark.index, block=_block(node),
            items=None if items is None else tuple((each.start_mark.index, each.end_mark.index) for each in items),
        )  # fmt: skip

    def beside(self, text: str, path: Path, key: str, words: Sequence[str]) -> str:
        """Return the text with a list right behind the value at `path`."""
        pair, above = _pair(text, path), _pair(text, path[:-1])
        assert pair is not None
        assert above is not None
        if _flow(above[1]):
            end = pair[1].end_mark.index
            return f"{text[:end]}, {key}: [{', '.join(words)}]{text[end:]}"
        end = _line_end(text, pair[1], end_of_line=False)
        gap = newline(text) + " " * pair[0].start_mark.column
        lines = "".join(f"{gap}{' ' * _STEP}- {word}" for word in words)
        return f"{text[:end]}{gap}{key}:{lines}{text[end:]}"

    def whole(self, text: str, path: Path) -> tuple[int, int]:
        """Return where the mapping at `path` stands, without the last line's end."""
        pair = _pair(text, path)
        assert pair is not None
        node = pair[1]
        end = _line_end(text, _last(node), end_of_line=False) if _block(node) else node.end_mark.index
        return node.start_mark.index, end

    def written(self, text: str, path: Path, value: Mapping[str, object]) -> str:
        """Return a mapping in the place of the one at `path`: in braces, or as a block."""
        pair = _pair(text, path)
        assert pair is not None
        if not _block(pair[1]):
            return _json(value)
        lead = " " * pair[1].start_mark.column
        return "".join(_lines(value, lead, newline(text))).removeprefix(lead)

    def fitted(self, text: str, path: Path, written: str) -> str:
        """Return a block with the indentation that the one at `path` has."""
        pair = _pair(text, path)
        assert pair is not None
        first, *rest = written.splitlines(keepends=True)
        leads = [len(each) - len(each.lstrip(" ")) for each in rest if each.strip(_BLANK) and each.strip(" ")[0] != "#"]
        more = pair[1].start_mark.column - min(leads, default=0)
        if not _block(pair[1]) or not leads or more == 0:
            return written
        moved = (" " * more + each if more > 0 else each.removeprefix(" " * -more) for each in rest)
        return first + "".join(new if old.strip(_BLANK) else old for new, old in zip(moved, rest, strict=True))

    def word(self, value: str) -> str:
        """Return a string in YAML: without quotes where it is a plain word."""
        return _scalar(value)

    def snippet(self, path: Path, value: object) -> str:
        """Return a document of its own."""
        for key in reversed(path):
            value = {key: value}
        return "".join(_lines(value, "")) + "\n"


def _root(text: str) -> yaml.MappingNode | None:
    try:
        documents = list(cast("Iterator[yaml.Node | None]", yaml.compose_all(text, Loader=yaml.SafeLoader)))  # pyright: ignore[reportUnknownMemberType]
    except (yaml.YAMLError, ValueError, RecursionError) as wrong:
        raise _unreadable(wrong) from None
    nodes = [node for node in documents if node is not None]
    if not nodes:
        return None
    if len(nodes) > 1:
        raise Unreadable("there are several documents in it")
    if not isinstance(nodes[0], yaml.MappingNode):
        raise Unreadable("its top level is not a mapping")
    seen: set[int] = set()
    stack: list[yaml.Node] = [nodes[0]]
    while stack:
        node = stack.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, yaml.MappingNode):
            keys: set[str] = set()
            for key, value in _pairs(node):
                if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                    if key.value in keys:
                        raise Unreadable(f"line {key.start_mark.line + 1}: the same key is there twice")
                    keys.add(key.value)
                stack.append(value)
        elif isinstance(node, yaml.SequenceNode):
            stack.extend(cast("list[yaml.Node]", node.value))
    return nodes[0]


def _unreadable(wrong: Exception) -> Unreadable:
    mark = getattr(wrong, "problem_mark", None)
    where = f"line {mark.line + 1}: " if mark is not None else ""
    return Unreadable(f"{where}this is not YAML ({getattr(wrong, 'problem', None) or type(wrong).__name__})")


def _pairs(node: yaml.MappingNode) -> Iterator[tuple[yaml.Node, yaml.Node]]:
    yield from cast("list[tuple[yaml.Node, yaml.Node]]", node.value)


def _child(node: yaml.MappingNode, key: str) -> tuple[yaml.Node, yaml.Node] | None:
    return next((pair for pair in _pairs(node) if isinstance(pair[0], yaml.ScalarNode) and pair[0].value == key), None)


def _pair(text: str, path: Path) -> tuple[yaml.Node, yaml.Node] | None:
    """Return the key and the value at a path."""
    node: yaml.Node | None = _root(text)
    pair: tuple[yaml.Node, yaml.Node] | None = None
    for key in path:
        pair = _child(node, key) if isinstance(node, yaml.MappingNode) else None
        if pair is None:
            return None
        node = pair[1]
    return pair


def _flow(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and bool(node.flow_style)


def _block(node: yaml.Node) -> bool:
    return isinstance(node, yaml.CollectionNode) and not node.flow_style


def _last(node: yaml.Node) -> yaml.Node:
    """Return the last thing that is written of a node: where a block ends, PyYAML says only where the next begins."""
    while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
        node = cast("yaml.Node", node.value[-1][1] if isinstance(node, yaml.MappingNode) else node.value[-1])
    return node


def _line_end(text: str, node: yaml.Node, *, end_of_line: bool) -> int:
    """Return where the line ends that a node ends on; with `end_of_line`, behind the line's end."""
    at = node.end_mark.index
    if isinstance(node, yaml.ScalarNode) and node.style in {"|", ">"}:
        # Its end is said to be the beginning of the line that follows.
        if text[at - 1] != "\n" or end_of_line:
            return at
        return at - 2 if text[at - 2] == "\r" else at - 1
    found = text.find("\n", at)
    if found < 0:
        return len(text)
    if end_of_line:
        return found + 1
    return found - 1 if text[found - 1] == "\r" else found


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _lines(value: object, base: str, end: str = "\n") -> Iterator[str]:
    """Yield a mapping in block style, without its last line's end. JSON's strings are YAML's double-quoted ones."""
    for index, (key, item) in enumerate(cast("dict[str, object]", value).items()):
        yield (end if index else "") + f"{base}{key}:"
        if isinstance(item, dict) and item:
            yield end
            yield from _lines(cast("dict[str, object]", item), base + " " * _STEP, end)
        else:
            yield " " + _scalar(cast("object", item))


def _scalar(value: object) -> str:
    """Return a value on one line; a plain word as people write it, without quotes."""
    if isinstance(value, str) and value.isascii() and value.isalpha() and yaml.safe_load(value) == value:
        return value
    return _json(value)


def _insert(text: str, node: yaml.MappingNode, key: str, value: object) -> str:
    end = newline(text)
    if _flow(node):
        close = node.end_mark.index - 1
        open_ = node.start_mark.index
        entry = f"{_json(key)}: {_json(value)}"
        if not node.value:
            before = text[line_start(text, open_) : open_]
            key_column = len(before) - len(before.lstrip(" "))
            rest = text[close + 1 :].partition("\n")[0].strip(_BLANK)
            if text[open_:close] == "{" and not rest and before.endswith(": ") and before.count(":") == 1:
                # `extensions: {}` becomes a block, as the host itself would write it.
                lines = "".join(_lines({key: value}, " " * (key_column + _STEP), end))
                return text[: open_ - 1] + end + lines + text[close + 1 :]
            return text[: open_ + 1] + entry + text[open_ + 1 :]
        last = _last(list(_pairs(node))[-1][1]).end_mark.index
        return text[:last] + ", " + entry + text[last:]
    pairs = list(_pairs(node))
    column = pairs[0][0].start_mark.column
    where = _line_end(text, _last(pairs[-1][1]), end_of_line=False)
    lines = "".join(_lines({key: value}, " " * column, end))
    return text[:where] + end + lines + text[where:]


def _colon(text: str, path: Path) -> int:
    """Return where the colon behind the key at `path` ends."""
    node: yaml.Node | None = _root(text)
    at = 0
    for key in path:
        child = _child(node, key) if isinstance(node, yaml.MappingNode) else None
        assert child is not None
        at, node = child[0].end_mark.index, child[1]
    return text.index(":", at) + 1


def _delete_flow(text: str, node: yaml.MappingNode, key: yaml.Node, value: yaml.Node) -> str:
    start, end = key.start_mark.index, value.end_mark.index
    pairs = list(_pairs(node))
    index = next(index for index, pair in enumerate(pairs) if pair[0] is key)
    if index:
        start = pairs[index - 1][1].end_mark.index
    elif len(pairs) > 1:
        end = pairs[1][0].start_mark.index
    return text[:start] + text[end:]
