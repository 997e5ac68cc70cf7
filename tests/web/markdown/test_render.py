import base64
import re
import struct
import time
import zlib
from html.parser import HTMLParser

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from playwright.async_api import Browser, Dialog

from handoffs.core.untrusted import inert
from handoffs.web.markdown import images
from handoffs.web.markdown.code import LANGUAGES, Allowance, highlight, highlight_css
from handoffs.web.markdown.render import render

# Written here a second time, so that the code is not compared with itself.
TAGS = {
    "a", "blockquote", "br", "code", "div", "em", "h3", "h4", "h5", "h6", "hr", "img", "li", "ol", "p", "pre", "s",
    "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES = {
    "a": {"href", "rel", "target"},
    "img": {"src", "alt"},
    "ol": {"start"},
    "pre": {"class", "dir"},
    "div": {"class", "role", "aria-label", "tabindex"},
    "th": {"scope", "class"},
    "td": {"class"},
    "span": {"class"},
    "p": {"class"},
}
VOID = {"br", "hr", "img"}


class Page(HTMLParser):
    """What a browser would make of it: elements, text, and whether everything that was opened is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.inside: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.inside == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.inside.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def handle_decl(self, decl: str) -> None:
        self.handle_comment(decl)

    def handle_pi(self, data: str) -> None:
        self.handle_comment(data)

    def unknown_decl(self, data: str) -> None:
        self.handle_comment(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]

    @property
    def classes(self) -> set[str]:
        return {word for _, attributes in self.elements for word in (attributes.get("class") or "").split()}


def inert_page(html: str) -> Page:
    """Return what was rendered, after looking at everything in it that could do something."""
    page = Page(html)
    for tag, attributes in page.elements:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, set())
    for attributes in page.all("a"):
        assert re.match(r"(https?://[^/\\@\s]+([/?#]|$)|mailto:[^\s\\]+$)", attributes["href"] or "", re.IGNORECASE)
        assert attributes["target"] == "_blank"
        assert attributes["rel"] == "noopener noreferrer nofollow"
    for attributes in page.all("img"):
        assert re.fullmatch(
            r"data:image/(png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=]+", attributes["src"] or "", re.IGNORECASE
        )
    assert inert(html) == html
    return page


VECTORS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.test/x.js></sCrIpT>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<svg><script>alert&#40;1)</script></svg>",
    "<iframe src='javascript:alert(1)'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
    "<object data='javascript:alert(1)'></object><embed src='javascript:alert(1)'>",
    "<style>*{display:none}</style>",
    "<link rel=stylesheet href=//evil.test/x.css>",
    "<base href='//evil.test/'>",
    "<meta http-equiv=refresh content='0;url=//evil.test'>",
    "<form action=//evil.test><input name=csrf><button>Answer</button></form>",
    "<p style='position:fixed;inset:0'>Approved</p>",
    "<p id=csrf class=primary>x</p>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    '<noscript><p title="</noscript><img src=x onerror=alert(1)>">',
    "<!--><img src=x onerror=alert(1)>-->",
    "<![CDATA[<img src=x onerror=alert(1)>]]>",
    "<?xml version='1.0'?><x onclick=alert(1)>",
    "<details open ontoggle=alert(1)>",
    "<a href='javascript:alert(1)' onclick=alert(1)>x</a>",
    "<template><script>alert(1)</script></template>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\nscript:alert(1))",
    "[x](<java\tscript:alert(1)>)",
    "[x](\x01javascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](&#106;&#97;vascript:alert(1))",
    "[x](&#x6A&#x61vascript:alert(1))",
    "[x](%6Aavascript:alert(1))",
    "[x](javascript://%0aalert(1))",
    "[x](vbscript:msgbox(1))",
    "[x](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "[x](data:image/png;base64,AAAA)",
    "[x](blob:https://evil.test/1)",
    "[x](file:///etc/passwd)",
    "[x](//evil.test)",
    "[x](\\\\evil.test)",
    "[x](/h/h_1/answer)",
    "[x](?csrf=1)",
    "[x](https:evil.test)",
    "[x](https:/evil.test)",
    "[x](https:\\\\evil.test)",
    "[x](https://good.example@evil.test/)",
    "[x](https://evil.test\\@good.example/)",
    "[x](https://evil.test%5C@good.example/)",
    "[x](https://[::1]evil.test/)",
    '[x](https://a.test/"onmouseover="alert(1))',
    "[x](https://a.test/'onmouseover='alert(1))",
    '[x](https://a.test "\\"onmouseover=\\"alert(1)")',
    "<javascript:alert(1)>",
    '<https://a.test/"onclick=alert(1)>',
    "![x](javascript:alert(1))",
    "![x](https://evil.test/pixel.png)",
    "![x](//evil.test/pixel.png)",
    "![x](data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+)",
    "![x](data:text/html,<script>alert(1)</script>)",
    '![" onerror="alert(1)](data:image/gif;base64,R0lGODlhAQABAAAAACw=)',
    "![<img src=x onerror=alert(1)>](https://evil.test)",
    '[![x](data:image/gif;base64,AAAA"onerror=alert(1))](javascript:alert(1))',
    "[x]: javascript:alert(1)\n\n[x]",
    "```<script>alert(1)</script>\n</code></pre><script>alert(1)</script>\n```",
    '```" onmouseover="alert(1)\nx\n```',
    "```python\n</span><img src=x onerror=alert(1)>\n```",
    "```html\n<script>alert('</span>')</script>\n```",
    "    </code><script>alert(1)</script>",
    "`</code><script>alert(1)</script>`",
    "|<script>|\n|-|\n|</table><script>alert(1)</script>|",
    '# x {#id .class onclick="alert(1)"}',
    "- [ ] <input type=checkbox autofocus onfocus=alert(1)>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;alert(1)&#60;/script&#62;",
    "<<script>alert(1)//<</script>",
    "<a\x00 href='javascript:alert(1)'>",
    "\ud800<script>alert(1)</script>",
    "--- a\n+++ <script>\n@@ -1 +1 @@\n+</code><script>alert(1)</script>",
    "{{ 7*7 }}${7*7}<%= 7*7 %>",
]


@pytest.mark.parametrize("vector", VECTORS)
def test_what_would_run_or_load_or_leave_the_page_is_only_text(vector: str) -> None:
    for text in (
        vector,
        f"> {vector}",
        f"- a\n- {vector}",
        f"**{vector}**",
        f"a {vector} b",
        f"[{vector}](http://a.test)",
    ):
        inert_page(render(text))


async def test_in_a_browser_that_forbids_nothing_none_of_it_runs_or_loads(browser: Browser) -> None:
    page = await browser.new_page()
    try:
        happened: list[str] = []

        async def dismissed(dialog: Dialog) -> None:
            happened.append(dialog.message)
            await dialog.dismiss()

        page.on("request", lambda request: happened.append(request.url))
        page.on("dialog", dismissed)
        page.on("pageerror", lambda error: happened.append(str(error)))
        await page.set_content("".join(f"<section>{render(vector)}</section>" for vector in VECTORS))
        assert await page.locator("section").count() == len(VECTORS)
        # Whatever waits for a person to do something gets it; only real links would open another page, and are left.
        await page.evaluate(
            """for (const element of document.querySelectorAll("section :not(a)"))
                 for (const kind of ["click", "mouseover", "focus", "toggle", "load", "error"])
                   element.dispatchEvent(new Event(kind));"""
        )
        assert (
            await page.evaluate("document.querySelectorAll('script, style, iframe, form, input, svg, base').length")
            == 0
        )
        assert [url for url in happened if not url.startswith("data:image/")] == []
        assert page.url == "about:blank"
    finally:
        await page.close()


PIECES = [
    *VECTORS,
    *("*", "**", "_", "~~", "`", "```", "```diff\n", "~~~", "[", "]", "](", ")", "![", "<", ">", "&", "|", "|-|\n"),
    *("\n", "\n\n", "    ", "> ", "- ", "1. ", "# ", "---\n", "+++ b\n", "@@ -1 +1 @@\n", "\\", '"', "'", ":", "/"),
    *(
        "javascript:",
        "data:image/png;base64,",
        "http",
        "://",
        "//",
        "=",
        " ",
        "x",
        "on",
        "style=",
        "</p>",
        "</code></pre>",
    ),
    *("<!--", "-->", "]]>", "\u202e", "&#x202E;", "&#0;", "\x00", "\x1b[31m", "\u200d", "é"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@settings(max_examples=400, deadline=None)
def test_no_mixture_of_tricks_becomes_more_than_text(text: str) -> None:
    inert_page(render(text))


@given(st.text(st.characters()))
@example("\ud800")
@example("&#xD800;&#x0;&#27;[2J&#8238;&zwj;&ZeroWidthSpace;&#13;")
@settings(deadline=None)
def test_nothing_that_a_layout_acts_on_comes_through_even_as_an_entity(text: str) -> None:
    inert_page(render(text))


words = st.integers(1000, 9999).map(lambda number: f"w{number}w")
blocks = st.recursive(
    st.one_of(
        words,
        st.lists(words, min_size=1, max_size=4).map(" ".join),
        words.map(lambda word: f"[{word}]: http://a.test"),
        words.map(lambda word: f"![{word}](http://a.test/{word}.png)"),
        words.map(lambda word: f"[{word}](ftp://{word})"),
        words.map(lambda word: f"<b title='{word}'>"),
        st.lists(words, min_size=1, max_size=5).map(lambda row: "|a|b|\n|-|-|\n|" + "|".join(row) + "|"),
        st.lists(words, min_size=1, max_size=5).map(lambda row: "--- a\n+++ b\n@@ -1 +1 @@\n+" + "\n-".join(row)),
        words.map(lambda word: f"```\n{word}\n```"),
    ),
    lambda inner: st.one_of(
        inner.map(lambda text: "\n".join(f"> {line}" for line in text.split("\n"))),
        inner.map(lambda text: "- " + text.replace("\n", "\n  ")),
        st.lists(inner, min_size=1, max_size=3).map("\n\n".join),
        st.lists(inner, min_size=1, max_size=3).map("\n".join),
    ),
    max_leaves=8,
)


@given(blocks, st.sampled_from([0, 3, 50]))
@settings(deadline=None)
def test_every_word_that_was_written_is_seen(text: str, depth: int) -> None:
    text = "\n".join("> " * depth + line for line in text.split("\n"))
    seen = inert_page(render(text)).text
    assert set(re.findall(r"w\d+w", text)) <= set(re.findall(r"w\d+w", seen))


# What is rendered


def test_markdown_becomes_what_it_means() -> None:
    text = "A **bold**, *quiet* and ~~wrong~~ `word`.\n\n1. one\n2. two\n\n> said\n\n---\n"
    assert render(text) == (
        "<p>A <strong>bold</strong>, <em>quiet</em> and <s>wrong</s> <code>word</code>.</p>\n"
        "<ol>\n<li>one</li>\n<li>two</li>\n</ol>\n<blockquote>\n<p>said</p>\n</blockquote>\n<hr>\n"
    )
    assert render("") == ""


def test_every_line_that_was_written_is_a_line_on_the_page() -> None:
    assert render("From: ada\nTo: grace") == "<p>From: ada<br>\nTo: grace</p>\n"


def test_a_list_starts_where_it_says() -> None:
    assert '<ol start="7">' in render("7. x\n")


def test_headings_stay_below_those_of_the_page() -> None:
    text = "\n".join("#" * level + f" {level}" for level in range(1, 7)) + "\n\nunder\n===\n"
    tags = [tag for tag, _ in inert_page(render(text)).elements]
    assert tags == ["h3", "h4", "h5", "h6", "h6", "h6", "h3"]


def test_a_table_has_heads_and_sides_and_can_be_scrolled_without_a_mouse() -> None:
    html = render("|a|b|c|\n|:-|:-:|-:|\n|1|2|3|\n")
    page = inert_page(html)
    assert page.elements[0] == ("div", {"class": "scrolled", "role": "group", "aria-label": "table", "tabindex": "0"})
    assert [cell["class"] for cell in page.all("th") + page.all("td")] == ["left", "center", "right"] * 2
    assert {cell["scope"] for cell in page.all("th")} == {"col"}
    assert render("|a|\n|-|\n|1|\n").count("class=") == 1


def test_a_table_with_a_row_too_long_is_shown_as_written_instead_of_cut() -> None:
    table = "| step | command |\n|---|---|\n| 1 | ls |\n| 2 | cat x | rm -rf / |\n"
    assert render(table) == f'<pre class="code" dir="ltr"><code>{table}</code></pre>\n'
    assert "<td>a | b</td>" in render("|x|\n|-|\n|a \\| b|\n")


# Code


def test_code_is_coloured_by_class_and_loses_nothing() -> None:
    code = '\n\ndef f(x):  # <b>\n\treturn "a & b"\n\n'
    page = inert_page(render(f"```python title=x\n{code}```"))
    assert page.text.rstrip("\n") + "\n\n" == code.replace("\t", "    ")
    assert {"k", "nf", "c1", "s2"} <= page.classes
    assert page.all("pre") == [{"class": "code", "dir": "ltr"}]
    assert render("```unheard-of\n<b>\n```") == '<pre class="code" dir="ltr"><code>&lt;b&gt;\n</code></pre>\n'


@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_every_language_is_there_and_leaves_the_text_as_it_is(language: str) -> None:
    code = "\n  <a & \"b\">: 'c' = 1 # d\n\n\n// e\t$f {g}\n"
    coloured = highlight(code, language, Allowance(60))
    assert Page(coloured).text == code
    assert "<span" in coloured


DIFF = "--- a/x\n+++ b/x\n@@ -1,3 +1,3 @@\n same\n-old\n\n+new\n"


@pytest.mark.parametrize(
    "text",
    [
        f"```diff\n{DIFF}```",
        f"```patch\n{DIFF}```",
        f"```\n{DIFF}```",
        DIFF,
        f"Before\n{DIFF}\nAfter\n",
        f"diff --git a/x b/x\nindex 1..2 100644\n{DIFF}",
        "".join(f"    {line}\n" for line in DIFF.splitlines()),
        "".join(f"> {line}\n" for line in DIFF.splitlines()),
        "- item\n" + "".join(f"  {line}\n" for line in DIFF.splitlines()),
    ],
)
def test_a_unified_diff_is_coloured_with_a_fence_and_without(text: str) -> None:
    html = render(text)
    assert '<span class="gd">-old</span>' in html
    assert '<span class="gi">+new</span>' in html
    assert '<span class="gu">@@ -1,3 +1,3 @@</span>' in html
    assert html.count("<pre") == 1
    if "After" in text:
        assert html.endswith("<p>After</p>\n")
        assert html.startswith("<p>Before</p>\n")


def test_what_only_begins_like_a_diff_is_no_diff() -> None:
    assert render("--- \n+++ b\nx\n") == "<hr>\n<p>+++ b<br>\nx</p>\n"
    assert "<pre" not in render("--- a\n+++ b\n\n@@ -1 +1 @@\n")
    after = render(f"{DIFF}\n- one\n- two\n")
    assert after.endswith("<ul>\n<li>one</li>\n<li>two</li>\n</ul>\n")


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("dark", [False, True])
def test_every_colour_of_code_can_be_read_on_its_ground(dark: bool) -> None:
    css = highlight_css(dark)
    rules = dict(re.findall(r"^([^{}]+) \{ ([^{}]+) \}$", css, re.MULTILINE))
    assert len(rules) == len(css.splitlines())
    ground = re.search(r"background: (#\w{6});", rules["pre.code"])
    assert ground is not None
    for selector, rule in rules.items():
        colour = re.search(r"(?<!-)color: (#\w{6});", rule)
        own = re.search(r"background: (#\w{6});", rule) or ground
        assert colour is not None
        light, deep = sorted((_luminance(colour[1]), _luminance(own[1])), reverse=True)
        assert (light + 0.05) / (deep + 0.05) >= 4.5, selector
    for name in ("k", "kd", "nf", "s2", "c1", "mi", "gi", "gd", "gu"):
        assert len(re.findall(rf"pre\.code \.{name}\b", css)) == 1


# Links


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[example.com](https://evil.test)", "example.com (evil.test)"),
        ("[https://bank.test/login](https://evil.test/login)", "https://bank.test/login (evil.test)"),
        ("[evil.test.example.com](https://evil.test)", "evil.test.example.com (evil.test)"),
        ("[the docs](https://docs.test:8080/a?b#c)", "the docs (docs.test:8080)"),
        ("[**example.com**](https://evil.test)", "example.com (evil.test)"),
        ("[`example.com`](https://evil.test)", "example.com (evil.test)"),
        ("[](https://evil.test)", " (evil.test)"),
        ("[x](https://еxample.com)", "x (xn--xample-2of.com)"),
        ("<https://еxample.com>", "https://еxample.com (xn--xample-2of.com)"),
        ("[bank.test](http://127.0.0.1:8000/)", "bank.test (127.0.0.1:8000)"),
        ("[x](http://[::1]:80/)", "x ([::1]:80)"),
        ("[ada@bank.test](mailto:eve@evil.test)", "ada@bank.test (eve@evil.test)"),
        ("[write](mailto:ada@a.test?subject=x)", "write (ada@a.test)"),
        ("<https://a.test/x?y>", "https://a.test/x?y"),
        ("[a.test](https://a.test/deep/in)", "a.test"),
        ("[A.test/deep](HTTPS://a.TEST/deep)", "A.test/deep"),
        ("<ada@a.test>", "ada@a.test"),
        ("[ada@a.test](mailto:ada@a.test)", "ada@a.test"),
    ],
)
def test_a_link_shows_where_it_leads_when_its_text_does_not(text: str, seen: str) -> None:
    page = inert_page(render(text))
    assert page.text.rstrip("\n") == seen
    assert len(page.all("a")) == 1


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[x](javascript:alert)", "x (javascript:alert not linked)"),
        ("[x](/h/1/answer)", "x (/h/1/answer not linked)"),
        ("[x](https://good.test@evil.test/)", "x (https://good.test@evil.test/ not linked)"),
        ("<ftp://a.test/>", "ftp://a.test/ (not linked)"),
        ("![alt](https://evil.test/p.png)", "image: alt (https://evil.test/p.png not loaded)"),
        ("![](x.png)", "image: (x.png not loaded)"),
        ("![a](data:image/svg+xml;base64,AAAA)", "image: a (data:image/svg+xml;base64 not loaded)"),
        ("![a](data:text/html,%3Cb%3E)", "image: a (data:text/html not loaded)"),
        ("![a](data:image/png;base64,AAAA)", "image: a (not a png picture not loaded)"),
    ],
)
def test_what_is_not_linked_or_loaded_says_so(text: str, seen: str) -> None:
    page = inert_page(render(text))
    assert re.sub(r"\s+", " ", page.text.strip()) == seen
    assert page.all("a") + page.all("img") == []
    assert page.classes <= {"unlinked", "unloaded"}


def test_an_address_without_end_does_not_fill_the_page() -> None:
    assert len(inert_page(render(f"[x](ftp://{'a' * 5000})")).text) < 300


# Pictures


def png(width: int = 1, height: int = 1, *, padding: int = 0) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    rows = zlib.compress(b"\0\0") if width * height == 1 else b""
    return b"".join(
        [
            b"\x89PNG\r\n\x1a\n",
            chunk(b"IHDR", head),
            chunk(b"tEXt", b"a" * padding),
            chunk(b"IDAT", rows),
            chunk(b"IEND", b""),
        ]
    )


def attached(data: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


JPEG = b"\xff\xd8\xff\xe0\x00\x04ab\xff\xff\xc0\x00\x0b\x08\x00\x02\x00\x03\x01\x01\x11\x00"
GIF = b"GIF89a\x02\x00\x03\x00\x00\x00\x00;"
WEBP_LOSSY = b"RIFF\x16\0\0\0WEBPVP8 \x0a\0\0\0\x10\0\0\x9d\x01\x2a\x02\x00\x03\x00"
WEBP_LOSSLESS = b"RIFF\x16\0\0\0WEBPVP8L\x0a\0\0\0\x2f" + ((3 << 14) | 2).to_bytes(4, "little") + b"\0" * 5
WEBP_EXTENDED = b"RIFF\x16\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x02\0\0\x03\0\0"


@pytest.mark.parametrize(
    ("data", "kind"),
    [(png(), "png"), (png(padding=100_000), "png"), (JPEG, "jpeg"), (JPEG, "jpg"), (GIF, "gif"), (WEBP_LOSSY, "webp"),
     (WEBP_LOSSLESS, "webp"), (WEBP_EXTENDED, "webp")],
)  # fmt: skip
def test_a_picture_that_the_agent_attached_is_shown(data: bytes, kind: str) -> None:
    url = attached(data, kind)
    page = inert_page(render(f'See ![a "b" <c>]({url} "title")'))
    assert page.all("img") == [{"src": url, "alt": 'a "b" <c>'}]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (attached(png(padding=images.MAX_BYTES)), "larger than 2 MB"),
        (attached(png(40_000, 40_000)), "40000 by 40000 pixels"),
        (attached(GIF[:6] + b"\xff\xff\xff\xff\0\0\0", "gif"), "65535 by 65535 pixels"),
        (attached(GIF[:13] + b"!\xf9\x04\0\0\0\0\0,\0\0\0\0\xff\xff\xff\xff\0", "gif"), "65535 by 65535 pixels"),
        (attached(GIF[:10] + b"\x80\0\0,,,,,," + b",\0\0\0\0\xff\xff\xff\xff", "gif"), "65535 by 65535 pixels"),
        (attached(GIF[:6] + b"\0" * 7, "gif"), "not a gif picture"),
        (attached(JPEG[:14] + b"\xff\xff\xff\xff" + JPEG[18:], "jpeg"), "65535 by 65535 pixels"),
        (attached(WEBP_EXTENDED[:24] + b"\xff" * 6, "webp"), "16777216 by 16777216 pixels"),
        (attached(png(), "gif"), "not a gif picture"),
        (attached(b"<svg onload=alert(1)>" + b"a" * 300), "not a png picture"),
        (attached(JPEG[:12], "jpeg"), "not a jpeg picture"),
        (attached(b"\xff\xd8" + b"\xff\xe0\x00\x02" * 500, "jpeg"), "not a jpeg picture"),
        ("data:image/png;base64,AAAAA", "not Base64"),
    ],
)
def test_a_picture_that_is_too_large_or_something_else_is_not_shown(url: str, why: str) -> None:
    page = inert_page(render(f"![a]({url})"))
    assert page.all("img") == []
    assert page.text.strip() == f"image: a ({why} not loaded)"


def test_a_picture_of_the_largest_size_is_put_back_whole_in_its_place_only() -> None:
    url = attached(png(padding=images.MAX_BYTES - 100))
    start = time.thread_time()
    html = render(f"![a]({url})\n\n```\n![b]({url})\n```\n")
    assert time.thread_time() - start < 1
    page = inert_page(html)
    assert page.all("img") == [{"src": url, "alt": "a"}]
    assert page.text.strip() == f"![b]({url})"


# Bounds

MEGABYTE = 1_000_000


def hostile(size: int) -> dict[str, str]:
    side = int((2 * size) ** 0.5)
    pieces = {
        "quotations": "> ", "brackets": "[", "links": "[a](", "images": "![", "images in images": "![[]()",
        "emphasis": "*a **a ", "turns": "*a_ ", "stars": "*", "strikes": "~~a ", "ampersands": "&", "addresses": "<a:",
        "entities": "&amp;", "backslashes": "\\", "hidden": "\u202e", "marks": "\u0301", "nul": "\0", "lines": "a\n",
        "paragraphs": "a\n\n", "items": "- a\n\n", "rules": "---\n", "fences": "```\na\n```\n", "heads": "--- a\n",
        "diffs": "diff a\n", "hunks": "--- a\n+++ b\n@@ -1 +1 @@\n", "tables": "|a|\n|-|\n|b|c|\n", "html": "<!--",
        "real links": "[a](http://b/) ", "code": "```python\n\n\n```\n", "ticks": "`a``", "titles": '[a](b "',
        "definitions": "[a]: b\n", "emphasised images": "![*", "pictures": f"![a](data:image/png;base64,{'A' * 300}) ",
    }  # fmt: skip
    texts = {name: piece * (size // len(piece)) for name, piece in pieces.items()}
    return texts | {
        "nested lists": "".join(" " * level + "- a\n" for level in range(side)),
        "growing backticks": "".join("e" + "`" * length for length in range(side)),
        "a wide table": "|a" * 200 + "|\n" + "|-" * 200 + "|\n" + "|\n" * (size - 800),
        "a long table": "|a|b|\n|-|-|\n" + "|x|y|\n" * (size // 6),
        "blanks": " " * size + "a",
        "one picture": f"![a](data:image/png;base64,{'A' * size})",
        "java": "```java\n" + "a b\n" * (size // 4) + "```",
        "csharp": "```csharp\n" + "x\n " * (size // 4) + "```",
        "terraform": "```tf\n" + "<<EOF\n" * (size // 6) + "```",
        "make": "```make\n" + "_" * size + "\n```",
        "blank lines": "```python\n" + "\n " * (size // 2) + "```",
        "both ways": "*_" * (size // 4) + "a" + "_*" * (size // 4),
    }


@pytest.mark.parametrize("size", [20_000, 50_000, MEGABYTE])
@pytest.mark.parametrize("name", hostile(10))
def test_no_message_keeps_the_page_busy(name: str, size: int) -> None:
    text = hostile(size)[name]
    start = time.thread_time()
    html = render(text)
    assert time.thread_time() - start < 1
    if size < MEGABYTE:
        inert_page(html)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("> " * 100 + "w\n", "it is nested too deep"),
        ("".join(" " * 2 * level + "- w\n" for level in range(30)), "it is nested too deep"),
        ("**w** <b>\n" * 20_000, "it is very long"),
        ("![" * 20_000, "it takes too long to format"),
    ],
)
def test_what_can_not_be_formatted_is_shown_as_it_was_written(text: str, reason: str) -> None:
    page = inert_page(render(text))
    assert page.text == f"Shown as it was written, because {reason}.\n{text}\n"
    assert page.classes == {"as-written", "plain"}


def test_a_message_as_long_as_messages_may_be_is_formatted() -> None:
    part = "## Step\n\nRun `make`, **look**:\n\n- one\n- two\n\n```python\nprint('x')\n```\n\n|a|b|\n|-|-|\n|1|2|\n\n"
    html = render(part * (20_000 // len(part)))
    assert html.count("<h4>") == 20_000 // len(part)
    assert inert_page(html).classes >= {"code", "scrolled", "s1"}
