from datetime import timedelta

import pytest

from handoffs.core.errors import PersonNotFound, PersonRefused
from handoffs.core.identity import Identity, same_email
from handoffs.core.person import Absence, Directory, Person, checked_email, checked_name, new_handle
from tests.days import at

DAY = at(12)

ADA = Person(name="ada", groups=frozenset({"dba"}), added_at=DAY)
BOB = Person(name="bob", groups=frozenset({"dba", "ops"}), added_at=DAY, removed_at=DAY)
CYD = Person(name="cyd", groups=frozenset({"dba"}), added_at=DAY)
ALL = Directory(people={each.name: each for each in (CYD, BOB, ADA)})


def test_who_was_removed_is_known_and_in_no_group() -> None:
    assert ALL.members("dba") == ("ada", "cyd")
    assert ALL.members("ops") == ()
    assert ALL.people["bob"] is BOB
    assert ALL.present("bob") is None
    assert ALL.present("ada") is ADA
    assert ALL.present("eve") is None


def test_an_absence_ends_at_its_end() -> None:
    away = Absence(person="ada", deputy="cyd", since=DAY, until=DAY + timedelta(days=1))
    moments = (DAY - timedelta(seconds=1), DAY, away.until - timedelta(seconds=1), away.until)
    assert [away.covers(each) for each in moments] == [False, True, True, False]


def away(person: str, deputy: str, since: int = 0, until: int = 10) -> Absence:
    """An absence in days from the samples' day."""
    return Absence(person=person, deputy=deputy, since=DAY + timedelta(days=since), until=DAY + timedelta(days=until))


def team(*absences: Absence) -> Directory:
    return Directory(people={name: Person(name=name, added_at=DAY) for name in "abcd"}, absences=absences)


def test_groups_have_the_members_who_are_there() -> None:
    assert ALL.groups() == {"dba": ("ada", "cyd")}


def test_who_is_named_is_there() -> None:
    assert ALL.named("ada") is ADA
    with pytest.raises(PersonNotFound, match="The name is written ada"):
        ALL.named("ADA")
    with pytest.raises(PersonNotFound, match="handoffs people list"):
        ALL.named("eve")
    with pytest.raises(PersonRefused, match="bob was removed"):
        ALL.named("bob")


@pytest.mark.parametrize(
    ("there", "new"),
    [
        ([], away("a", "b")),
        ([away("b", "c"), away("c", "d")], away("a", "b")),
        # Not at the same time: whoever is away, the other is there.
        ([away("b", "a", 10, 20)], away("a", "b")),
        ([away("b", "c", 0, 5), away("c", "a", 5, 9)], away("a", "b")),
        ([away("b", "c", 0, 5), away("c", "a", 4, 9)], away("a", "b", 5, 9)),
        # In place of the earlier one, which would have been a circle.
        ([away("a", "c"), away("b", "a")], away("b", "c")),
        ([away("a", "b"), away("b", "c")], away("a", "d")),
    ],
)
def test_deputies_may_be_away_where_somebody_is_left(there: list[Absence], new: Absence) -> None:
    team(*there).check_absence(new)


@pytest.mark.parametrize(
    ("there", "new", "circle"),
    [
        ([away("b", "a")], away("a", "b"), "a by b, b by a"),
        ([away("b", "a", 9, 20)], away("a", "b"), "a by b, b by a"),
        ([away("b", "c"), away("c", "a")], away("a", "b"), "a by b, b by c, c by a"),
        ([away("b", "c", 0, 5), away("c", "a", 4, 9)], away("a", "b"), "a by b, b by c, c by a"),
        ([away("a", "b"), away("b", "c")], away("c", "a"), "c by a, a by b, b by c"),
    ],
)
def test_deputies_in_a_circle_are_refused(there: list[Absence], new: Absence, circle: str) -> None:
    with pytest.raises(PersonRefused, match=f"in a circle while all are away: {circle}"):
        team(*there).check_absence(new)


@pytest.mark.parametrize("name", ["ada", "Ada Lovelace", "Élodie", "O'Hara", "李雷", "ada@example.com", "x" * 64, "7"])
def test_a_name_is_any_that_people_have(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name",
    ["", "x" * 65, " ada", "ada ", "a  b", "a\tb", "a\nb", "a\0b", "a\u200bb", "a\u202eb", "e\u0301", "\ud800", "a/b",
     "a,b", "token:ci", "@dba", "-a", "\u3000ada", "\u2800", "a\u00a0b", "\ufeffada"],
)  # fmt: skip
def test_what_is_no_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match=r"^(A name|Write) .*\.$"):
        checked_name(name)


@pytest.mark.parametrize(
    ("email", "good"),
    [("", True), ("ada@example.com", True), ("a+b@x", True), ("ada", False), ("a b@x", False), ("@x", False),
     ("a@b@c", False), ("a@x,b@x", False), ("<a@x>", False), ("a\u202e@x", False), (f"{'a' * 250}@x.org", False)],
)  # fmt: skip
def test_an_address_is_empty_or_one(email: str, good: bool) -> None:
    if good:
        assert checked_email(email) == email
        return
    with pytest.raises(ValueError, match=r"is no email address"):
        checked_email(email)


def test_handles_say_nothing_of_the_name() -> None:
    handles = {new_handle() for _ in range(100)}
    assert len(handles) == 100
    assert {len(bytes.fromhex(each)) for each in handles} == {32}


def known(*people: tuple[str, str, bool]) -> Directory:
    """People by name, email address, and whether they are there."""
    return Directory(
        people={
            name: Person(name=name, email=email, added_at=DAY, removed_at=None if there else DAY)
            for name, email, there in people
        }
    )


MAIL = "ada@example.com"


@pytest.mark.parametrize(
    ("people", "login", "email", "name"),
    [
        ([("ada", MAIL, True)], "", "ADA@Example.COM", "ada"),
        ([("ada", MAIL, True)], "ada", "", "ada"),
        ([("ada", MAIL, True)], "Ada", "", None),
        ([("ada", "", True)], "", "", None),
        ([("ada", "", True)], "", MAIL, None),
        ([(MAIL, "", True)], MAIL, MAIL, MAIL),
        ([("ada", MAIL, False)], "", MAIL, "ada"),
        ([("ada", MAIL, False), ("lovelace", MAIL, True)], "", MAIL, "lovelace"),
        ([("ada", MAIL, False), ("lovelace", MAIL, True)], "ada", "", "ada"),
        ([("ada", MAIL, False), ("lovelace", MAIL, False)], "", MAIL, "ada"),
    ],
)
def test_a_name_from_outside_is_a_persons(
    people: list[tuple[str, str, bool]], login: str, email: str, name: str | None
) -> None:
    found = known(*people).identified(Identity(shown="x", login=login, email=email))
    assert (found and found.name) == name


def test_a_name_from_outside_that_is_two_peoples_is_refused() -> None:
    people = known(("ada", MAIL, True), (MAIL, "", True))
    with pytest.raises(PersonRefused, match=f"stands for several people here: ada, {MAIL}"):
        people.identified(Identity(shown=MAIL, login=MAIL, email=MAIL))


def test_a_stranger_has_no_persons_name_in_upper_or_lower_case() -> None:
    people = known(("ada", "", True), ("Bob", "", False))
    named = [people.stranger(Identity(shown=each)) for each in ("eve", "ada", "ADA", "bob")]
    assert named == ["eve", "stranger: ada", "stranger: ADA", "stranger: bob"]
    with pytest.raises(ValueError, match="no :"):
        checked_name(named[1])


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("a@b.c", "A@B.C", True),
        ("", "", False),
        ("a@b.c", "", False),
        ("k@b.c", "\u212a@b.c", False),  # the sign for kelvin, whose lower case is a k
        ("\u00e9@b.c", "\u00e9@b.c", True),
        ("stra\u00dfe@b.c", "strasse@b.c", False),
    ],
)
def test_addresses_are_equal_in_upper_and_lower_case_of_ascii(one: str, other: str, same: bool) -> None:
    assert same_email(one, other) is same_email(other, one) is same
