"""Who counts as the customer."""

from relay.bridge.presence import Presence
from relay.rooms.base import Participant

CUSTOMER, BOT, OTHER = Participant("c-1", "Ada"), Participant("b-1", "bot"), Participant("o-1", "Oz")


def presence(*present: Participant, customer_id: str | None = None, bot_id: str | None = None) -> Presence:
    made = Presence(customer_id=customer_id, bot_id=bot_id)
    made.joined_room(present, 100)
    return made


def test_nobody_is_absent_before_we_are_in_the_room() -> None:
    assert Presence(customer_id="c-1", bot_id=None).absent_since_ns is None


def test_customer_is_known_by_id_or_by_name() -> None:
    assert presence(CUSTOMER, BOT, customer_id="c-1").absent_since_ns is None
    assert presence(CUSTOMER, BOT, customer_id="Ada").absent_since_ns is None


def test_id_that_is_nobodys_means_anybody_but_the_bot() -> None:
    room = presence(CUSTOMER, BOT, customer_id="c-1138", bot_id="b-1")
    assert (room.absent_since_ns, room.is_unmatched) == (None, True)
    room.left(CUSTOMER, 200)
    assert (room.absent_since_ns, room.was_seen) == (200, True)


def test_once_somebody_with_the_id_was_seen_only_that_one_counts() -> None:
    room = presence(OTHER, BOT, customer_id="c-1", bot_id="b-1")
    assert (room.absent_since_ns, room.is_unmatched) == (None, True)
    room.came(CUSTOMER, 200)
    assert (room.absent_since_ns, room.is_unmatched) == (None, False)
    room.left(CUSTOMER, 300)
    assert (room.absent_since_ns, room.is_unmatched) == (300, False)


def test_with_its_id_the_bot_is_no_customer_even_if_the_customers_id_is_nobodys() -> None:
    assert presence(BOT, customer_id="c-1138", bot_id="bot").absent_since_ns == 100


def test_without_an_id_nothing_is_unmatched() -> None:
    assert not presence(CUSTOMER, BOT).is_unmatched


def test_without_any_id_the_bot_passes_for_a_customer_when_the_customer_leaves() -> None:
    """Nobody guesses who of two is the bot: a bot that stays in the room must say its id."""
    room = presence(CUSTOMER, BOT)
    room.left(CUSTOMER, 200)
    assert room.absent_since_ns is None
    room.left(BOT, 300)
    assert room.absent_since_ns == 300


def test_without_an_id_anybody_but_the_bot_will_do() -> None:
    assert presence(BOT, bot_id="b-1").absent_since_ns == 100
    assert presence(BOT, OTHER, bot_id="b-1").absent_since_ns is None
    assert presence(BOT).absent_since_ns is None
    assert presence().absent_since_ns == 100


def test_absence_counts_from_the_leaving_and_ends_with_the_coming_back() -> None:
    room = presence(CUSTOMER, BOT, customer_id="Ada")
    room.left(CUSTOMER, 200)
    room.left(BOT, 300)
    assert room.absent_since_ns == 200
    room.came(Participant("c-2", "Ada"), 400)
    assert room.absent_since_ns is None
    assert room.count == 1


def test_leaving_of_a_stranger_changes_nothing() -> None:
    room = presence(CUSTOMER, customer_id="c-1")
    room.left(OTHER, 200)
    assert (room.absent_since_ns, room.count) == (None, 1)


def test_what_the_room_reports_while_it_is_being_joined_counts() -> None:
    room = Presence(customer_id="c-1", bot_id=None)
    room.left(CUSTOMER, 50)
    room.came(OTHER, 60)
    assert room.absent_since_ns is None
    room.joined_room([CUSTOMER, BOT], 100)
    assert room.count == 2
    assert room.absent_since_ns == 100
    room.came(CUSTOMER, 200)
    assert room.count == 3
    assert not room.absent_since_ns
