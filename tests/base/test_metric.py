"""Histograms count every value once, in the bucket whose bound is the first not below it."""

from hypothesis import given
from hypothesis import strategies as st

from fleuve.base.metric import Histogram


def test_a_value_on_a_bound_belongs_to_that_bound():
    histogram = Histogram((1.0, 2.0))
    for value in (0.5, 1.0, 1.5, 2.0, 2.5):
        histogram.observe(value)
    assert histogram.counts == [2, 2, 1]
    assert histogram.sum == 7.5


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_every_value_is_counted_once(values):
    histogram = Histogram()
    for value in values:
        histogram.observe(value)
    assert sum(histogram.counts) == len(values)
