"""Headers come out of their tensors as they went in."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from anabranch.server.messages import Answer, Ask, Final, Kind, Tag

EXACT = st.integers(0, 2**53)
LOSSES = st.floats(allow_nan=False)
KINDS = st.sampled_from(Kind)


@given(st.builds(Ask, KINDS, EXACT, EXACT, EXACT, LOSSES, EXACT, EXACT, LOSSES))
def test_a_request_comes_back(ask: Ask) -> None:
    x = ask.tensor()
    back = Ask.read(x)
    assert Ask.room().shape == x.shape
    assert (x.dtype, x.shape) == (torch.float64, (8,))
    assert back == ask
    whole = (back.kind, back.piece, back.version, back.examples, back.taken, back.stop)
    assert all(type(number) is int for number in whole)
    assert type(back.loss) is type(back.waiting) is float


@given(st.builds(Answer, EXACT, EXACT, EXACT, EXACT))
def test_an_answer_comes_back(answer: Answer) -> None:
    assert Answer.room().shape == answer.tensor().shape == (4,)
    assert Answer.read(answer.tensor()) == answer


@given(st.builds(Final, EXACT, EXACT))
def test_the_last_word_comes_back(final: Final) -> None:
    assert Final.room().shape == final.tensor().shape == (2,)
    assert Final.read(final.tensor()) == final


def test_fields_have_their_places() -> None:
    assert Ask(Kind.PUSH, 2, 3, 4, 0.5, 6, 7, 0.25).tensor().tolist() == [1, 2, 3, 4, 0.5, 6, 7, 0.25]
    assert Answer(1, 2, 3, 4).tensor().tolist() == [1, 2, 3, 4]
    assert Ask(Kind.REST, piece=True).tensor().tolist() == [4, 1, 0, 0, 0, 0, 0, 0]


def test_tags_differ() -> None:
    assert len({int(tag) for tag in Tag.__members__.values()}) == len(Tag.__members__) == 8
