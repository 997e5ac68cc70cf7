from datetime import timedelta

from handoffs.core.person import Absence, Directory, Person
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
