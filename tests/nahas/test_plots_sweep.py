import numpy as np
import pytest

from nahas.plots_sweep import MAPS, of_sweep, plot_front, plot_map
from nahas.sweeps import pareto_front, sweep

TEXT = "r32_c2 stem_k3_s2_f8_relu6 ibn_k3_e6_f16_relu6 head_f32_relu6"


@pytest.fixture(scope="module")
def result():
    return sweep({TEXT: 1, "MobileNetV2": 3}, max_area_mm2=15.0)


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_every_picture_is_drawn_and_repeats(result):
    front = pareto_front(result)
    pictures = of_sweep(result, front)
    assert list(pictures) == ["front", *("_".join(pair) for pair in MAPS)]
    assert all(picture.startswith(b"\x89PNG") for picture in pictures.values())
    assert of_sweep(result, front)["front"] == pictures["front"]


def test_the_front_has_units_counts_and_the_winner(result):
    front = pareto_front(result)
    figure, axes = plot_front(result, front)
    assert "mean of the mix (ms)" in axes.get_xlabel()
    assert "(mJ)" in axes.get_ylabel()
    assert any("(mm²)" in other.get_ylabel() for other in figure.axes)
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == [
        f"keep the limits ({result.allowed:,})",
        f"Pareto front ({len(front):,})",
        "best by latency",
    ]
    winner = axes.collections[-1].get_offsets()[0]
    assert tuple(winner) == (
        result.metrics.latency_ms[0],
        result.metrics.energy_mj[0],
    )
    assert axes.get_title() == "25% network + 75% MobileNetV2"


@pytest.mark.parametrize(("across", "up"), MAPS)
def test_a_map_holds_the_least_of_each_cell(result, across, up):
    _, (latency, energy) = plot_map(result, across, up)
    for axes, name in ((latency, "latency_ms"), (energy, "energy_mj")):
        drawn = axes.images[0].get_array()
        least = getattr(result.costs, name)[result.kept].min()
        assert np.nanmin(drawn) == least
        assert name.split("_")[0] in axes.get_title()
        assert len(texts(axes)) == drawn.size


def test_cells_that_no_accelerator_within_the_limits_has_say_so():
    tight = sweep(TEXT, max_area_mm2=2.0)
    _, (latency, _) = plot_map(tight, "pes", "bandwidth")
    assert texts(latency).count("none") > 0
    # 1 PE, 5 GB/s: by hand, over the 400 accelerators of the cell.
    costs = tight.costs.latency_ms.reshape(5, 5, 4, 4, 5, 5, 5)[0, 0, ..., 0]
    kept = tight.kept.reshape(5, 5, 4, 4, 5, 5, 5)[0, 0, ..., 0]
    assert latency.images[0].get_array()[0, 0] == costs[kept].min()


def test_a_single_accelerator_draws_too():
    costs = sweep(TEXT).costs.area_mm2
    one = sweep(TEXT, max_area_mm2=float(costs.min()))
    assert one.allowed == 1
    assert len(of_sweep(one, pareto_front(one))) == 1 + len(MAPS)


def test_nothing_to_draw_is_refused(result):
    nothing = sweep(TEXT, max_area_mm2=0.1)
    with pytest.raises(ValueError, match="keeps the limits"):
        plot_front(nothing, pareto_front(nothing))
    with pytest.raises(ValueError, match="A knob must be one of pes"):
        plot_map(result, "pes", "speed")
