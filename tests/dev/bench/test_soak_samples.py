"""How a series has grown, and which workers were there all the time."""

from dataclasses import replace

import pytest

from relay.dev.bench.service import metrics_of
from relay.dev.bench.soak_samples import Growth, whole_time
from tests.dev.bench.test_soak_report import HELD, SAMPLE


def test_growth_is_between_the_medians_of_the_first_and_the_last_tenth() -> None:
    values = [100.0] * 9 + [900.0] + [150.0] * 80 + [0.0] + [110.0] * 9
    growth = Growth.of([(float(number), value) for number, value in enumerate(values)])
    assert (growth.first, growth.last) == (100.0, 110.0)
    assert growth.share == pytest.approx(0.1)


def test_slope_is_that_of_the_line_through_all() -> None:
    assert Growth.of([(0.0, 5.0), (10.0, 25.0), (20.0, 45.0)]).slope == pytest.approx(2.0)


def test_one_reading_has_no_growth() -> None:
    with pytest.raises(ValueError, match="expected two points at least, got 1"):
        Growth.of([(0.0, 1.0)])


def test_workers_that_came_or_went_were_not_there_all_the_time() -> None:
    samples = [replace(SAMPLE, workers=dict.fromkeys(pids, HELD)) for pids in ((1, 2, 3), (1, 3, 4), (1, 3))]
    assert whole_time(samples) == {1, 3}


def test_metrics_with_labels_are_left_out() -> None:
    assert metrics_of('# HELP a of b\na 1.0\nb{c="d"} 2.0\ne 3e2\n') == {"a": 1.0, "e": 300.0}
