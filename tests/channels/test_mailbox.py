"""The parts of a mailbox, without a server: who is vouched for, what a person wrote, what HTML says."""

import re
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import authres
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from handoffs.channels.chats.picked import picked
from handoffs.channels.mailbox.authenticity import read_results, vouched_for
from handoffs.channels.mailbox.imap import _quoted, _utf7  # pyright: ignore[reportPrivateUsage]
from handoffs.channels.mailbox.incoming import head_of, said_in
from handoffs.channels.mailbox.marks import MARKS
from handoffs.channels.mailbox.outgoing import Thread, message_to, written
from handoffs.channels.mailbox.replied import text_of, unflowed, unquoted
from handoffs.channels.mailbox.servers import Mailbox, Server, Tls, server_at
from handoffs.core.errors import AnswerRefused

US = "handoffs@example.org"
GMAIL = (
    "mx.google.com;\r\n       dkim=pass header.i=@example.com header.s=s1 header.b=Ab/c+d=;\r\n       spf=pass "
    "(google.com: domain of ada@example.com designates 1.2.3.4 as permitted sender) smtp.mailfrom=ada@example.com;"
    "\r\n       dmarc=pass (p=NONE sp=NONE dis=NONE) header.from=example.com"
)
# Headers as servers write them, with what they say of example.com.
WRITTEN = [
    (GMAIL, "mx.google.com", True),
    ("a.example; dmarc=pass (policy=none) header.from=EXAMPLE.com; spf=softfail", "A.Example", True),
    ("a.example 1; dmarc / 1 = pass header . from = example.com", "a.example", True),
    ("a.example; dmarc=pass action=none header.from=example.com;compauth=pass reason=100", "a.example", True),
    ('"a.example"; dkim=pass reason="good; really" header.d=example.com', "a.example", True),
    ("a.example (a (nested) comment; dmarc=fail); dkim=pass header.d=example.com", "a.example", True),
    ("a.example; dkim=fail header.d=example.com; dkim=pass header.d=example.com", "a.example", True),
    ("a.example; none", "a.example", False),
    ("a.example", "a.example", False),
    ("spf=pass smtp.mailfrom=example.com; dmarc=pass header.from=example.com", "a.example", False),
    ("a.example; dmarc=pass", "a.example", False),
    ("a.example; dmarc=pass header.from=example.com.evil.net", "a.example", False),
    ("a.example; dmarc=pass header.from=sub.example.com", "a.example", False),
    ("a.example; dkim=pass header.d=com", "a.example", False),
    ("a.example; dkim=pass header.d=sub.example.com", "a.example", False),
    ("a.example; dkim=pass header.d=evilexample.com", "a.example", False),
    ('a.example; spf=pass smtp.mailfrom="x; dmarc=pass header.from=example.com"@evil.net', "a.example", False),
    ("a.example; dmarc=fail header.from=x; dmarc=pass header.from=example.com", "a.example", False),
    ("a.example; dmarc=pass header.from=x header.from=example.com", "a.example", False),
    ("a.example; dmarc=pass header.from=example.com (", "a.example", False),
    ('a.example; dmarc=pass header.from=example.com "', "a.example", False),
    ("a.example; dmarc=pass header.from=example.com; =", "a.example", False),
    ("a.example; dmarc=temperror; dkim=pass header.d=example.com", "a.example", False),
    ("a.example.evil.net; dmarc=pass header.from=example.com", "a.example", False),
    ("(a.example; dmarc=pass) evil.net; dmarc=pass header.from=example.com", "a.example", False),
]


@pytest.mark.parametrize(("header", "authserv", "right"), WRITTEN)
def test_a_header_vouches_for_its_very_domain_alone(header: str, authserv: str, right: bool) -> None:
    assert vouched_for([header.replace("\r\n", "")], authserv=authserv, domain="example.com") is right
    assert not vouched_for([header.replace("\r\n", "")], authserv=authserv, domain="example.net")


def test_a_domain_above_may_sign_for_one_below() -> None:
    assert vouched_for(["a; dkim=pass header.d=example.com"], authserv="a", domain="mail.example.com")
    assert not vouched_for(["a; spf=pass smtp.mailfrom=example.com"], authserv="a", domain="mail.example.com")


def test_only_the_topmost_header_of_our_server_counts() -> None:
    good, bad, other = "a; dmarc=pass header.from=x.org", "a; dmarc=fail header.from=x.org", "b; dmarc=fail"
    assert vouched_for([other, good, bad], authserv="a", domain="x.org")
    assert not vouched_for([bad, good], authserv="a", domain="x.org")
    assert not vouched_for(["a; (", good], authserv="a", domain="x.org")
    assert not vouched_for(["a;;=", good], authserv="a", domain="x.org")
    assert not vouched_for([f"c; {'x' * 20_000}", good], authserv="a", domain="x.org")


@pytest.mark.parametrize("header", [each for each, _, right in WRITTEN if right and each[0] != '"'])
def test_what_counts_is_read_as_authres_reads_it(header: str) -> None:
    """It refuses a name in quotes, which RFC 8601 allows."""
    ours, header = read_results(header.replace("\r\n", "")), header.replace("\r\n", "")
    theirs = authres.AuthenticationResultsHeader.parse(f"Authentication-Results: {header}")
    assert ours is not None
    assert ours.authserv == str(theirs.authserv_id).lower()
    assert [(each.method, each.result) for each in ours.results] == [(e.method, e.result) for e in theirs.results]


@given(st.text(st.sampled_from('a.b;=() "\\/1dmarc=passheader.fromexample.com'), max_size=120))
def test_no_header_at_all_makes_it_fail(header: str) -> None:
    read_results(header)
    vouched_for([header], authserv="a", domain="b")


MARK = MARKS["en"]
QUOTE = f"> {MARK}\n> Deploy?\n> 1. Yes\n"
REPLIES = [
    f"Yes\n\nOn Mon, Nov 30, 2026 at 3:31 AM Handoffs <{US}> wrote:\n\n{QUOTE}",
    f"Yes\n\nOn Mon, Nov 30, 2026 at 3:31 AM Handoffs\n<{US}> wrote:\n{QUOTE}",
    f"Yes\n\nOn Mon, Nov 30, 2026 at 3:31 AM Handoffs <{US}>\nwrote:\n\n{QUOTE}",
    f"Yes\n\n> On 30. Nov 2026, at 03:31, Handoffs <{US}> wrote:\n> \n{QUOTE}",
    f"Yes\n\nAm Mo., 30. Nov. 2026 um 03:31 Uhr schrieb Handoffs <{US}>:\n\n{QUOTE}",
    f"Yes\n\nLe lun. 30 nov. 2026 à 03:31, Handoffs <{US}> a écrit :\n\n{QUOTE}",
    f"Yes\n\nEl lun, 30 nov 2026 a las 3:31, Handoffs (<{US}>) escribió:\n\n{QUOTE}",
    f"Yes\n\n2026年11月30日(月) 3:31 Handoffs <{US}>：\n\n{QUOTE}",
    f"Yes\n\nпн, 30 нояб. 2026 г. в 03:31, Handoffs <{US}>:\n\n{QUOTE}",
    f"Yes\n\nAm Mo., 30. Nov. 2026 um 03:31 Uhr schrieb Handoffs <{US}>:\n\n{MARK}\nDeploy?",
    f"Yes\n\n{'_' * 32}\nFrom: Handoffs <{US}>\nSent: Monday, November 30, 2026 3:31 AM\nSubject: x\n\nDeploy?",
    f"Yes\n\nVon: Handoffs <{US}>\nGesendet: Montag, 30. November 2026 03:31\nBetreff: x\n\nDeploy?",
    "Yes\n\n-----Ursprüngliche Nachricht-----\nVon: Handoffs\nGesendet: heute\n\nDeploy?",
    f"Yes\n\n{MARK}\n\nDeploy?",
    "Yes\n\n-- \nAda Lovelace\nhttps://example.com",
    "Yes\n\nSent from my iPhone",
    "Yes\n\niPhoneから送信",
    "Yes\n\n发自我的 iPhone",
    "Yes\n\n나의 iPhone에서 보냄",
    f"Yes\n\nSent from my iPhone\n\n> On 30. Nov 2026, at 03:31, Handoffs <{US}> wrote:\n{QUOTE}",
    f"On 30.11.26 03:31, Handoffs wrote:\n{QUOTE}\nYes\n",
    f"{QUOTE}\nYes\n",
]


@pytest.mark.parametrize("written", REPLIES)
def test_what_is_quoted_and_signed_is_left_out(written: str) -> None:
    assert unquoted(written, own=US) == "Yes"


@pytest.mark.parametrize(
    "text",
    [
        "- one\n- two",
        "From: the left\nTo: the right\nthen stop",
        "On Monday I wrote:\nuse orders_2027",
        "a\n\nb: c\n\nd",
        f"Ask {US} about it",
        "-----\nnotes\n-----",
        "10:30",
        "それは\n\nシステムから送信",
        "是\n\n来自 Alice",
    ],
)
def test_an_answer_that_looks_like_a_quote_stays_whole(text: str) -> None:
    assert unquoted(text, own=US) == text


@given(st.text(st.sampled_from("ab >-_:\n@" + US[:4]), max_size=200))
@example("x" * 100_000)
def test_no_word_is_added_by_leaving_out(text: str) -> None:
    kept = unquoted(text, own=US)
    assert not [line for line in kept.splitlines() if line.strip() and line.strip() not in text]


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>Yes &amp; no</p><p>two</p>", "Yes & no\n\ntwo"),
        ("<head><title>t</title><style>p{}</style></head><div>a<br>b</div><script>c</script>", "a\nb"),
        ("a<!-- hidden -->b<img src=x>", "ab"),
        ("<div>Ja<span>, gut</span></div><blockquote>old</blockquote>neu", "Ja, gut\nneu"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("<div>-- <br></div><div>Ada</div>", ""),
        ("<p>so</p><pre>a:\n  b\n\nc</pre><blockquote><pre>old\nolder</pre></blockquote>", "so\n\na:\n  b\n\nc"),
        ("", ""),
    ],
)
def test_html_is_read_as_text(html: str, text: str) -> None:
    assert unquoted(text_of(html), own=US) == text


@pytest.mark.parametrize(
    "html", ["<!--" * 25_000, "<" * 100_000, "<a b='" * 15_000, "<![CDATA[" * 10_000, "&" * 100_000]
)
def test_html_that_is_made_to_take_long_does_not(html: str) -> None:
    text_of(html)


def test_flowed_paragraphs_are_one_line() -> None:
    text = "one \ntwo\n> quoted \n> on\n spaced\n-- \nAda"
    assert unflowed(text, delete_space=False) == "one two\n> quoted on\nspaced\n-- \nAda"
    assert unflowed("注文 \nします", delete_space=True) == "注文します"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1", 1),
        ("1.", 1),
        ("yes", 1),
        ("1. Yes", 1),
        ("2) no", 2),
        ("NO!", 2),
        ("v1.2", 3),
        ("v1\u2060.2", 3),
        ("no\n\nwait", 2),
        ("１", 1),
        ("２．", 2),
        ("no。", 2),
    ],
)
def test_a_choice_is_named_by_number_or_name(text: str, number: int) -> None:
    assert picked(text, [("Yes", {"n": 1}), ("No", {"n": 2}), ("v1.2", {"n": 3})]) == {"n": number}


@pytest.mark.parametrize("text", ["", "4", "0", "yes and no", "yes\nbut", "1. No", "-1", "Ye", "２１"])
def test_what_names_no_choice_is_none(text: str) -> None:
    assert picked(text, [("Yes", {"n": 1}), ("No", {"n": 2})]) is None


def test_a_number_that_is_also_a_name_is_refused() -> None:
    choices = [("2", {"n": 1}), ("1", {"n": 2}), ("same", {"n": 3}), ("SAME", {"n": 4})]
    for text in ("1", "2", "same"):
        with pytest.raises(AnswerRefused, match="several"):
            picked(text, choices)
    assert picked("4", choices) == {"n": 4}


NOW = datetime(2030, 1, 1, tzinfo=UTC)
BOX = Mailbox(
    address=US,
    authserv="a",
    smtp=Server(host="localhost", port=25, tls=Tls.NONE),
    imap=Server(host="localhost", port=143, tls=Tls.NONE),
)


@given(st.binary(max_size=300), st.booleans())
def test_no_message_at_all_makes_reading_fail_loudly(raw: bytes, cut: bool) -> None:
    for each in (
        raw,
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n" + raw,
        b"Content-Type: text/html\r\n\r\n" + raw,
    ):
        head = head_of(each, BOX)
        assert not head.authentic
        said_in(each, head, BOX, cut=cut)


def test_a_charset_that_is_none_does_no_harm() -> None:
    for charset in ("punycode", "idna", "unicode_escape", "rot13", "zlib", "x\\y", "undefined"):
        raw = f"Content-Type: text/plain; charset={charset}\r\n\r\nYes\r\n".encode()
        assert said_in(raw, head_of(raw, BOX), BOX, cut=False).text == "Yes"


def test_the_long_names_of_messages_stay_as_they_are() -> None:
    names = tuple(f"<{str(number) * 200}@eurprd05.prod.outlook.com>" for number in range(9))
    thread = Thread(before=names[0], all=names)
    made = message_to("ada@example.com", BOX, name="<n.1@x>", subject="ü", body="x", at=NOW, thread=thread)
    head = written(made).partition(b"\r\n\r\n")[0]
    assert re.findall(rb"<\d+@[a-z0-9.]+>", head.partition(b"References:")[2]) == [each.encode() for each in names]
    assert max(map(len, head.split(b"\r\n"))) < 998


def test_text_that_is_made_to_take_long_does_not() -> None:
    for text in ("\n" * 200_000, "> " * 100_000, "On " * 80_000, f"{US}: x\n" * 9_000, "a:\n>\n" * 40_000):
        raw = b"Content-Type: text/plain\r\n\r\n" + text.encode()
        said_in(raw, head_of(raw, BOX), BOX, cut=False)


def test_tls_is_demanded_unless_the_host_is_this_machine() -> None:
    assert server_at("imap://u@mail.example.org", kind="imap").tls is Tls.BY_COMMAND
    assert server_at("imaps://u%40x:p%2f@127.0.0.1/A%20B", kind="imap") == Server(
        host="127.0.0.1", port=993, tls=Tls.AT_ONCE, user="u@x", password="p/", folder="A B"
    )
    assert server_at("smtp://localhost", kind="smtp").tls is Tls.NONE
    assert "p/" not in repr(server_at("imaps://u:p%2f@x", kind="imap"))


def test_names_of_folders_and_users_are_written_as_imap_wants() -> None:
    assert _utf7("Entwürfe & mehr/日本") == "Entw&APw-rfe &- mehr/&ZeVnLA-"
    assert _quoted('a"b\\c') == '"a\\"b\\\\c"'


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=300))
@example("a \t\r\n.\r\n..x\rFrom me\n=3D " + "é" * 200 + "\u2028\x85\x0c")
def test_a_message_has_the_very_text_that_it_was_given(body: str) -> None:
    sent = written(message_to("ada@example.com", BOX, name="<n.1@x>", subject="x", body=body, at=NOW))
    read = message_from_bytes(sent, policy=default)
    assert (read.get_content_type(), read.get_content_charset()) == ("text/plain", "utf-8")
    assert read.get_content().replace("\r\n", "\n") == "".join(
        f"{line.decode()}\n" for line in body.encode().splitlines()
    )
    assert max(map(len, sent.split(b"\r\n"))) <= 998
    assert b"\n" not in sent.replace(b"\r\n", b"")
    sent.decode("ascii")


@pytest.mark.parametrize(
    "address", ["ada@example.com\r\nBcc: eve@example.net", "ada@example.com\nX", "a\rb@example.com"]
)
def test_an_address_begins_no_other_header(address: str) -> None:
    with pytest.raises(ValueError, match="linefeed"):
        message_to(address, BOX, name="<n.1@x>", subject="x", body="x", at=NOW)
