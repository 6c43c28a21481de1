from dataclasses import replace

import numpy as np
import pytest

from nahas.accelerator.grid import BASELINE
from nahas.accelerator.machines import area_mm2
from nahas.accelerator.presets import PRESETS
from nahas.accelerator.template import Platform
from nahas.config import Config, from_dict, from_stored, load, merge, to_dict, to_stored
from nahas.controller.bayesian import Bayesian
from nahas.controller.evolution import RegularizedEvolution
from nahas.controller.exact_sweep import ExactSweep
from nahas.controller.judgement import Task, judge
from nahas.controller.local_search import LocalSearch
from nahas.controller.nsga2 import NSGA2
from nahas.controller.ppo import PPO
from nahas.controller.predictor_guided import PredictorGuided
from nahas.controller.random_search import RandomSearch
from nahas.controller.reinforce import Reinforce
from nahas.controller.reward import Least, Limits
from nahas.controller.space_shrinking import SpaceShrinking
from nahas.decode import keys
from nahas.modes import with_area, with_split
from nahas.parts import (
    make_controller,
    make_oracle,
    make_parts,
    make_space,
    named_object,
    platform_notes,
)
from nahas.search_space.network_spaces import NETWORK_SPACES
from nahas.search_space.tailor import tailor


def test_the_quick_start_searches_s2_within_the_baseline_area():
    config = load()
    assert (config.search.space, config.search.controller) == ("s2", "ppo")
    assert config.network.resolution == 224
    area = float(area_mm2([BASELINE])[0])
    assert area < config.limits.max_area_mm2 < area + 0.01
    assert make_space(config).size == 6**16 * 50_000
    assert make_oracle(config) == config.training


def test_settings_override_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('[search]\nspace = "s1"\nseed = 3\n[limits]\nmax_area_mm2 = 30\n')
    config = load(path, ["search.seed=4", "platform.weights=resident"])
    assert config.search.space == "s1"
    assert config.search.seed == 4
    assert config.limits.max_area_mm2 == 30.0
    assert config.platform == Platform(weights="resident")


def test_what_is_stored_is_read_again():
    config = load(None, ["search.minutes=2", "platform.clock_mhz=900"])
    for again in (from_dict(to_dict(config)), from_stored(to_stored(config))):
        assert to_dict(again) == to_dict(config)
    run = {
        "trials": 150,
        "workers": 2,
        "minutes": 2.0,
        "engine": "local",
        "address": "",
    }
    assert to_stored(config)["run"] == run
    assert "trials" not in to_stored(config)["search"]


def test_the_goal_is_the_reward_or_the_least_of_costs():
    assert load().goal == load().reward
    config = load(None, ["search.minimise=edp", "limits.min_accuracy=0.7"])
    assert config.goal == Least("edp")
    assert make_parts(config).task.reward == Least("edp")
    again = from_stored(to_stored(config))
    assert again.goal == config.goal
    assert again.limits == config.limits


def test_the_platform_has_its_plain_fields_as_keys():
    assert "clock_mhz" in keys(Platform)
    assert not {"technology", "capabilities"} & set(keys(Platform))


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("limits.max_area_mm=4", "mean `max_area_mm2`? (in limits.max_area_mm)"),
        ("limit.max_area_mm2=4", "Did you mean `limits`? (in limit)"),
        ("search.minimise=speed", "Received 'speed' (in search.minimise)"),
        ("search.minimise=edp", "Received None (in limits.min_accuracy)"),
        ("search.reject=soft", "Received 'soft' (in search.reject)"),
        ("limits.min_accuracy=70", "Received 70.0 (in limits.min_accuracy)"),
        ("search.trials=0", "Received 0 (in search.trials)"),
        ("search.trials=many", "an integer. Received 'many' (in search.trials)"),
        ("network.width=-1", "must be positive. Received -1.0 (in network.width)"),
        ("limits.max_area_mm2=-4", "Received -4.0 (in limits.max_area_mm2)"),
        ("platform.clock_mhz=0", "positive. Received 0.0 (in platform.clock_mhz)"),
        ("ppo.batch=0", "Received 0 (in ppo.batch)"),
        ("seed=4", "must read section.key=value"),
        ("search.seed", "must read section.key=value"),
        ("search.seed.deep=1", "must be a value, not a section"),
    ],
)  # fmt: skip
def test_wrong_settings_are_named_with_their_place(setting, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        load(None, [setting])
    assert message in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="No such file"):
        load(tmp_path / "absent.toml")
    (tmp_path / "bad.toml").write_text("[search\n")
    with pytest.raises(ValueError, match="must be TOML"):
        load(tmp_path / "bad.toml")


def test_merging_leaves_the_table_alone():
    table = {"search": {"seed": 0}}
    merge(table, ["search.seed=1"])
    assert table == {"search": {"seed": 0}}


def named(**search: str) -> Config:
    return replace(Config(), search=replace(Config().search, **search))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("ppo", PPO),
        ("evolution", RegularizedEvolution),
        ("random", RandomSearch),
        ("local", LocalSearch),
        ("nsga2", NSGA2),
        ("reinforce", Reinforce),
        ("shrinking", SpaceShrinking),
        ("guided", PredictorGuided),
        ("bayesian", Bayesian),
    ],
)
def test_controllers_by_name_are_new_each_time(name, kind):
    config = named(controller=name)
    first, second = make_controller(config), make_controller(config)
    assert type(first) is kind
    assert first is not second


def test_a_swept_controller_takes_the_section_of_the_one_inside():
    words = ["search.controller=sweep-evolution", "evolution.population=50"]
    made = make_controller(load(None, words))
    assert isinstance(made, ExactSweep)
    assert made.inner.population == 50
    words = ["search.controller=sweep-bayesian", "bayesian.first=5"]
    assert make_controller(load(None, words)).inner.first == 5
    made = make_controller(named(controller="sweep-random"))
    assert isinstance(made.inner, RandomSearch)


def test_controllers_take_their_section():
    config = load(None, ["search.controller=evolution", "evolution.population=50"])
    assert make_controller(config).population == 50


def test_own_parts_are_imported_by_name():
    config = named(space="toy_parts:space", oracle="toy_parts:Kernels")
    assert make_space(config).size == 12 * 50_000
    assert make_oracle(config).key == "kernels"


@pytest.mark.parametrize(
    ("make", "field", "name", "message"),
    [
        (make_space, "space", "s4", "Received 's4'"),
        (make_space, "tailor", "edge-tpu-v9", "Did you mean `edge-tpu-v"),
        (make_controller, "controller", "evolutoin", "Did you mean `evolution`?"),
        (make_oracle, "oracle", "none", "or module:name. Received 'none'"),
        (make_space, "space", "absent:space", "ModuleNotFoundError"),
        (make_space, "space", "toy_parts:absent", "AttributeError"),
        (make_space, "space", "toy_parts:Broken", "must be a SearchSpace"),
        (make_controller, "controller", "toy_parts:Broken", "must be a controller"),
        (make_oracle, "oracle", "toy_parts:Broken", "must be an oracle"),
        (make_oracle, "oracle", "toy_parts:Fickle", "key that its fields decide"),
    ],
)
def test_wrong_names_say_where(make, field, name, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        make(named(**{field: name}))
    assert message in str(caught.value)
    assert f"(in search.{field})" in str(caught.value)


def test_the_present_folder_is_looked_in_last(tmp_path, monkeypatch):
    (tmp_path / "own_part.py").write_text("value = 7\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", ["/nowhere", *__import__("sys").path])
    assert named_object("own_part:value", "search.space") == 7
    assert __import__("sys").path[-1] == str(tmp_path)


def test_a_space_is_tailored_to_a_preset():
    config = named(tailor="coral")
    space = make_space(config)
    assert space.name == "s2 tailored x accelerators"
    assert space.size % 50_000 == 0
    pairs = named(space="toy_parts:pairs", tailor="coral")
    with pytest.raises(ValueError, match="one of pairs"):
        make_space(pairs)


@pytest.mark.parametrize("name", PRESETS)
def test_a_platform_begins_with_a_presets_and_is_stored_whole(name):
    config = load(None, [f"platform.preset={name}", "platform.host_ms=2.5"])
    assert config.platform == replace(PRESETS[name].platform, host_ms=2.5)
    for again in (from_dict(to_dict(config)), from_stored(to_stored(config))):
        assert again.platform == config.platform


def test_a_file_names_a_preset(tmp_path):
    path = tmp_path / "coral.toml"
    path.write_text('[platform]\nclock_mhz = 250\npreset = "coral"\n')
    coral = PRESETS["coral"].platform
    assert load(path).platform == replace(coral, clock_mhz=250.0)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("platform.preset=corral", "`coral`? (in platform.preset)"),
        ("platform.preset=[1]", "Received [1] (in platform.preset)."),
        ("platform.prest=coral", "Did you mean `preset`? (in platform.prest)"),
        (
            "platform.technology=16nm",
            "comes with `preset`; no key says it (in platform",
        ),
        ("platform=3", "a section of its own. Received 3 (in platform)"),
    ],
)
def test_wrong_presets_are_named_with_their_place(setting, message, tmp_path):
    path = tmp_path / "wrong.toml"
    path.write_text(f"{setting}\n" if setting == "platform=3" else "")
    settings = [] if setting == "platform=3" else [setting]
    with pytest.raises((TypeError, ValueError)) as caught:
        load(path, settings)
    assert message in str(caught.value)


def test_a_space_is_tailored_on_the_platform_that_the_search_costs_on():
    """What a choice of a block costs there decides, not what it costs elsewhere."""
    for settings in ([], ["platform.preset=coral"]):
        config = load(None, ["search.tailor=coral", *settings])
        expected = tailor(
            NETWORK_SPACES["s2"](), PRESETS["coral"].accelerator, config.platform
        )
        assert make_space(config).knobs[: len(expected.knobs)] == expected.knobs


def test_what_a_space_is_tailored_to_is_said_where_it_is_no_preset_as_it_is():
    assert platform_notes(load()) == []
    own = ["search.tailor=coral", "platform.preset=coral"]
    assert platform_notes(load(None, own)) == []
    [slower] = platform_notes(load(None, [*own, "platform.clock_mhz=250"]))
    assert slower.endswith("differs from coral's own in clock_mhz.")
    [said] = platform_notes(load(None, own[:1]))
    assert "capabilities" in said
    assert "--set platform.preset=coral" in said


def in_mode(mode, *settings):
    return load(None, [f"search.mode={mode}", *settings])


def test_a_mode_wraps_the_controller_that_is_named():
    assert isinstance(make_controller(in_mode("joint")), PPO)
    fixed = make_controller(in_mode("fixed", "ppo.batch=4"))
    assert (fixed.inner.batch, fixed.accelerator) == (4, BASELINE)
    phases = make_controller(in_mode("phases", "phases.accelerators=nsga2"))
    assert isinstance(phases.accelerators, NSGA2)
    assert isinstance(phases.networks, PPO)
    nested = make_controller(in_mode("nested", "nested.inner=20"))
    assert nested.inner == 20
    assert nested.accelerators is not nested.networks
    guided = ("search.controller=guided", "nested.accelerators=random")
    assert isinstance(make_controller(in_mode("nested", *guided)).networks,
                      PredictorGuided)  # fmt: skip


@pytest.mark.parametrize(
    ("mode", "settings", "message"),
    [
        ("both", [], "one of 'joint', 'fixed', 'phases', 'nested'"),
        ("fixed", ["search.controller=sweep-random"], "(in search.mode)"),
        ("fixed", ["fixed.accelerator=corral"], "`coral`? (in fixed.accelerator)"),
        ("joint", ["fixed.accelerator=coral"], "unless the mode is fixed"),
        ("phases", ["phases.first=16"], "more than the window"),
        ("phases", ["phases.accelerators=pppo"], "Did you mean `ppo`?"),
        ("nested", ["search.controller=guided"], "is not told the task"),
        ("nested", ["nested.inner=0"], "Received 0 (in nested.inner)"),
    ],
)
def test_what_does_not_fit_a_mode_is_named(mode, settings, message):
    with pytest.raises((TypeError, ValueError)) as caught:
        make_controller(in_mode(mode, *settings))
    assert message in str(caught.value)


def test_a_third_of_the_trials_is_the_first_phase_s_and_is_kept():
    asked = in_mode("phases", "search.trials=90")
    assert with_split(asked).phases.first == 30
    assert make_controller(asked).first == 30
    longer = in_mode("phases", "search.trials=900")
    assert with_split(longer, with_split(asked)).phases.first == 30
    assert with_split(in_mode("phases", "search.trials=20")).phases.first == 17
    assert with_split(in_mode("phases", "phases.first=40")).phases.first == 40
    assert with_split(in_mode("fixed")).phases.first is None


def test_the_fixed_accelerator_may_be_one_beside_the_grid():
    config = in_mode("fixed", "fixed.accelerator=coral")
    space, controller = make_space(config), make_controller(config)
    controller.inform(Task(space, config.platform, config.limits, config.reward, ""))
    controller.setup(space.cardinalities, seed=0)
    pairs = [space.decode(row) for row in controller.propose(5)]
    assert {pair.accelerator for pair in pairs} == {PRESETS["coral"].accelerator}
    [said] = platform_notes(config)
    assert said.startswith("Networks run on the accelerator of coral on this search's")
    assert platform_notes(in_mode("fixed", "platform.preset=coral")) == []


@pytest.mark.parametrize("preset", ["baseline", "coral"])
def test_the_baseline_keeps_the_limit_that_its_area_is(preset):
    config = from_dict({"platform": {"preset": preset}})
    limits = with_area(config).limits
    area = area_mm2([BASELINE], config.platform)
    assert limits == Limits(max_area_mm2=float(area[0]))
    kept = judge(
        Task(make_space(config), config.platform, limits, config.reward, ""),
        np.array(make_space(config).reference),
    )
    assert kept.violation == 0
    assert with_area(config, config).limits == Limits()
