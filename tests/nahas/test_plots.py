import subprocess
import sys

import pandas as pd
import pytest

from nahas.fronts import front
from nahas.plots import of_study, plot_convergence, plot_pareto, png

ROWS = [
    # number, status, accuracy, latency, energy, reward, feasible
    (1, "trained", 0.90, 1.0, 2.0, 0.90, True),
    (2, "rejected", None, 3.0, 4.0, None, False),
    (3, "trained", 0.95, 2.0, 3.0, 0.95, True),
    (4, "reused", 0.94, 2.5, 3.0, 0.94, True),
    (5, "infeasible", None, None, None, None, False),
    (6, "failed", None, 1.5, 1.0, None, False),
    (7, "trained", 0.90, 1.0, 2.5, 0.90, True),
]
COLUMNS = [
    "number",
    "status",
    "accuracy",
    "latency_ms",
    "energy_mj",
    "reward",
    "feasible",
]
REFERENCES = [
    {"name": "B0", "accuracy": 0.96, "latency_ms": 4.0, "energy_mj": 9.0},
    {"name": "diverged", "accuracy": None, "latency_ms": 3.0, "energy_mj": 9.0},
]


@pytest.fixture
def frame():
    return pd.DataFrame(ROWS, columns=COLUMNS)


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_the_front_by_hand(frame):
    # Row 4 is slower and worse than 3, row 7 equal to 1.
    assert list(front(frame)["number"]) == [1, 3]


def test_what_breaks_a_limit_is_marked_and_on_no_front(frame):
    frame.loc[len(frame)] = (8, "trained", 0.99, 0.5, 2.5, 0.97, False)
    assert list(front(frame)["number"]) == [1, 3]
    figure, _ = plot_pareto(frame, min_accuracy=0.7)
    assert labels(figure) == [
        "trained candidates (4)",
        "breaks a limit (1)",
        "Pareto front",
        "accuracy floor 70 %",
    ]
    figure, axes = plot_convergence(frame)
    assert "feasible trials (4)" in labels(figure)
    assert "trained, breaks a limit (1)" in labels(figure)
    best = axes.lines[0].get_ydata()
    assert max(best) == 0.95


def test_the_pareto_plot_shows_trained_front_references_and_limit(frame):
    figure, axes = plot_pareto(frame, REFERENCES, max_latency_ms=2.2)
    assert labels(figure) == [
        "trained candidates (4)",
        "Pareto front",
        "B0",
        "latency limit 2.2 ms",
    ]
    assert "(ms)" in axes.get_xlabel()
    assert any("(mJ)" in other.get_ylabel() for other in figure.axes)
    assert (
        axes.collections[0].get_clim() == axes.collections[1].get_clim() == (2.0, 9.0)
    )


def test_a_wide_range_of_latencies_gets_a_log_axis(frame):
    assert plot_pareto(frame)[1].get_xscale() == "linear"
    frame.loc[0, "latency_ms"] = 0.1
    assert plot_pareto(frame)[1].get_xscale() == "log"


def test_the_convergence_never_falls(frame):
    figure, axes = plot_convergence(frame)
    best = axes.get_lines()[0].get_ydata()
    assert list(best) == [0.90, 0.90, 0.95, 0.95, 0.95, 0.95, 0.95]
    assert labels(figure) == [
        "feasible trials (4)",
        "best so far",
        "rejected (1)",
        "infeasible (1)",
        "failed (1)",
    ]


@pytest.mark.parametrize("rows", [[], ROWS[1:2], ROWS[4:6]])
def test_nothing_feasible_draws_too(rows):
    frame = pd.DataFrame(rows, columns=COLUMNS)
    summary = {"study": "runs/none", "limits": {}, "references": []}
    pictures = of_study(frame, summary)
    assert list(pictures) == ["pareto", "convergence"]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())


def test_pictures_repeat_byte_by_byte(frame):
    assert png(plot_pareto(frame)[0]) == png(plot_pareto(frame)[0])


def test_drawing_leaves_pyplot_alone():
    # In a process of its own: Keras loads pyplot, and pyplot would stay.
    code = (
        "import sys, pandas\n"
        "from nahas.plots import plot_convergence\n"
        "frame = pandas.DataFrame({'number': [1, 2], 'reward': [0.1, 0.2],"
        " 'status': ['trained'] * 2, 'feasible': [True] * 2})\n"
        "plot_convergence(frame)\n"
        "sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_predictions_are_not_called_trainings(frame):
    _, axes = plot_pareto(frame, predicted=True)
    assert axes.get_ylabel() == "Predicted accuracy"
    labels = axes.get_legend_handles_labels()[1]
    assert not any("trained" in label for label in labels)
