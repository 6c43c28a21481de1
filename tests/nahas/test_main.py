import csv
import json
import shutil
import subprocess
import sys

import pytest

from nahas.__main__ import build_parser, main
from nahas.accelerator.grid import accelerators
from nahas.accelerator.machines import area_mm2

# The only argument with choices is the command.
COMMANDS = [*next(a.choices for a in build_parser()._actions if a.choices)]


def run(capsys, *words):
    code = main(words)
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_with_examples(capsys, command):
    with pytest.raises(SystemExit) as caught:
        main([command, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert "example" in text
    assert f"nahas {command}" in text


@pytest.mark.parametrize(
    "words", [[], ["serch"], ["sweep"], ["simulate", "a", "--top", "x"]]
)
def test_wrong_words_are_wrong_use(words):
    with pytest.raises(SystemExit) as caught:
        main(words)
    assert caught.value.code == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["simulate", "keras:ResNet5"], "Did you mean `keras:ResNet50`?"),
        (["simulate", "keras:MobileNetV2", "--set", "accelerator.pesx=8"],
         "Did you mean `pes_x`? (in accelerator.pesx)"),
        (["simulate", "keras:MobileNetV2", "--set", "accelerator.pes_x=0"],
         "`pes_x` must be a positive integer. Received 0 (in accelerator.pes_x)"),
        (["simulate", "keras:MobileNetV2", "--set", "limits.max_area_mm2=1"],
         "must be one of accelerator, platform"),
        (["simulate", "keras:MobileNetV2", "--top", "0"], "`--top` must be"),
        (["space", "s4"],
         "`space` must be s1, s2, s3, b0, nas-bench-macro, b0-stages or module:name"),
        (["space", "s2", "--csv", "x.csv"], "`--profile` must be given"),
        (["search", "--tailor", "edge-tpu"], "edge-tpu-v1"),
        (["simulate", "keras:MobileNetV2", "--accelerator", "corral"],
         "Did you mean `coral`?"),
        (["sweep", "keras:MobileNetV2", "--max-area-mm2", "-1"], "max_area_mm2"),
        (["sweep", "keras:MobileNetV2", "--max-area-mm2", "nan"], "max_area_mm2"),
        (["sweep", "keras:MobileNetV2", "--set", "accelerator.pes_x=1"],
         "goes through all accelerators. Received accelerator.pes_x"),
        (["sweep", "keras:MobileNetV2", "--set", "limits.max_area_mm2=1"],
         "must be one of platform"),
        (["search", "--tailor", "corral"], "Did you mean `coral`? (in search.tailor)"),
        (["simulate", "MobileNetV2", "--csv", "absent/x.csv"],
         "`--csv` must be a file that can be written. Received 'absent/x.csv': absent "
         "is no folder"),
        (["simulate", "MobileNetV2", "--csv", ""], "`--csv` must be a file"),
        (["sweep", "MobileNetV2", "--csv", "/"], "`--csv` must be a file"),
        (["sweep", "MobileNetV2", "--plots", "/dev/null/x"], "/dev/null is a file"),
        (["explain", "MobileNetV2", "--plot", "absent/x.png"], "`--plot` must be"),
        (["space", "s2", "--profile", "coral", "--csv", "."], "`--csv` must be a file"),
        (["search", "--folder", "/dev/null"], "`--folder` must be a folder"),
        (["search", "--reuse", "absent"], "must be the folder of a study"),
        (["search", "--folder", ""], "`--folder` must be a folder"),
        (["space", "s2", "--profile", "nope"], "`--profile` must be one of baseline"),
        (["simulate", "MobileNetV2", "--accelerator", ""], "Received ''."),
        (["search", "--tailor", "x"], "Received 'x' (in search.tailor).\n"),
        (["simulate", "--provenance", "--csv", "x.csv"], "`--csv` must come with"),
        (["sweep", "MobileNetV2=-1"], "weight of a model must be"),
        (["sweep", "MobileNetV2=0"], "one of them above 0"),
        (["sweep", "MobileNetV2=1e308", "MnasNet-A1=1e308"], "must be finite"),
        (["sweep", "MobileNetV2", "MobileNet=3"], "Received 'MobileNet'"),
        (["sweep", "MobileNetV2", "--objective", "speed"], "must be one of latency"),
        (["sweep", "MobileNetV2", "--objective", "latency=x"], "Weights of"),
        (["search", "--trials", "0"], "(in search.trials)"),
        (["search", "--minutes", "nan"], "(in search.minutes)"),
        (["search", "--set", "training.images=100000"], "at most the 3000 of mnist5k"),
        (["simulate", "r100000_c10 stem_k3_s1_f8_relu6 ibn_k3_e6_f24_s2_relu6 "
          "head_f64_relu6"], "`resolution` must be at most 65536"),
        (["simulate", "keras:MobileNetV2", "--set", "platform.clock_mhz=1e15"],
         "(in platform.clock_mhz)"),
        (["search", "--controller", "ppoo"], "Did you mean `ppo`?"),
        (["search", "--space", "toy_parts:bare", "--controller", "sweep-random",
          "--set", "search.oracle=toy_parts:Kernels"], "lacks accelerator.pes_x"),
        (["search", "--space", "absent:space"], "(in search.space)"),
        (["search", "--set", "search.oracle.x=1"], "(in search.oracle)"),
        (["search", "--data", "mnist5"], "mnist5"),
        (["search", "--data", "mnist5", "--dry-run"], "mnist5"),
        (["search", "--config", "absent.toml"], "absent.toml"),
        (["search", "--engine", "rai"], "`engine` must be local or ray"),
        (["search", "--address", "a:1"], "left out unless `engine` is ray"),
        (["search", "--engine", "ray", "--address", "auto"], "must be HOST:PORT"),
        (["search", "--engine", "ray", "--workers", "0"], "`workers` must be a pos"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line_on_stderr(capsys, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    code, out, err = run(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.startswith("nahas: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not list(tmp_path.iterdir())


def test_where_ray_is_missing_its_installation_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    code, out, err = run(capsys, "search", "--engine", "ray")
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "pip install 'nahas[ray]'" in err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["resume", "worker", "status", "report"])
def test_an_absent_study_is_named(capsys, tmp_path, command):
    code, _, err = run(capsys, command, str(tmp_path / "absent"))
    assert code == 2
    assert "must be the folder of a study" in err
    assert err.count("\n") == 1


def test_simulate_prints_json_and_csv(capsys, tmp_path):
    path = tmp_path / "operators.csv"
    words = ("simulate", "keras:MobileNetV2", "--json", "--csv", str(path))
    code, out, _ = run(capsys, *words, "--set", "accelerator.pes_x=8")
    found = json.loads(out)
    assert code == 0
    assert found["accelerator"]["pes_x"] == 8
    assert found["streamed"]["latency_ms"] > 0
    assert found["resident"]["io_mib"] < found["streamed"]["io_mib"]
    with path.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["operator"] for row in rows] == [
        row["operator"] for row in found["operators"]
    ]


def test_space_prints_knobs_and_what_pays(capsys, tmp_path):
    code, out, _ = run(capsys, "space", "s2")
    assert (code, out.splitlines()[0]) == (
        0,
        "s2: 32 knobs, 2,821,109,907,456 candidates",
    )
    path = tmp_path / "blocks.csv"
    words = ("space", "s2", "--profile", "edge-tpu-v1")
    code, out, _ = run(capsys, *words, "--csv", str(path))
    assert code == 0
    assert "tailored, fused blocks offered where they win" in out
    assert "platform: that of edge-tpu-v1" in out
    assert len(path.read_text().splitlines()) == 1 + 16 * 12
    code, out, _ = run(capsys, *words, "--json")
    assert len(json.loads(out)["choices"]) == 16 * 12


def test_simulate_takes_a_preset_and_changes_of_it(capsys):
    words = ("simulate", "MobileNetV2", "--accelerator", "coral", "--json")
    code, out, _ = run(capsys, *words)
    assert code == 0
    plain = json.loads(out)
    assert plain["accelerator"]["local_memory_mib"] == 0.1875
    code, out, _ = run(capsys, *words, "--set", "platform.host_ms=1.7")
    later = json.loads(out)["resident"]["latency_ms"]
    assert later == pytest.approx(plain["resident"]["latency_ms"] + 1.0)


def test_simulate_prints_a_table_whose_rows_are_never_cut(capsys):
    code, out, _ = run(capsys, "simulate", "keras:MobileNetV2")
    assert code == 0
    for word in ("latency", "energy", "area", "power", "utilization", "memory"):
        assert word in out
    assert "weights streamed" in out
    assert "weights resident" in out
    assert "block16/project" in out


def test_sweep_prints_the_winner_and_the_count(capsys):
    words = ("sweep", "keras:MobileNetV2", "--max-area-mm2", "30", "--top", "2")
    code, out, _ = run(capsys, *words)
    assert code == 0
    assert "50,000 of 50,000 accelerators checked" in out
    code, out, _ = run(capsys, *words, "--json", "--objective", "edp")
    found = json.loads(out)
    assert found["checked"] == 50_000
    assert found["seconds"] > 0
    assert found["evaluations_per_second"] == pytest.approx(50_000 / found["seconds"])
    assert found["best"] == found["ranking"][0]
    assert found["best"]["area_mm2"] <= 30


def test_sweep_of_a_mix_prints_regret_front_and_pictures(capsys, tmp_path):
    csv_file, folder = tmp_path / "front.csv", tmp_path / "new" / "pictures"
    words = ("sweep", "MobileNetV2=3", "MnasNet-A1", "--objective", "energy=1,area=0.5",
             "--limits-for-each", "--max-latency-ms", "5", "--top", "2", "--pareto",
             "--csv", str(csv_file))  # fmt: skip
    code, out, err = run(capsys, *words, "--plots", str(folder))
    assert code == 0
    for word in ("mix of 2 networks", "75.00 %", "regret", "Pareto front",
                 "50,000 of 50,000 accelerators checked", "all networks"):  # fmt: skip
        assert word in out
    assert len(list(folder.glob("*.png"))) == err.count("\n") == 4
    code, out, _ = run(capsys, *words, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["model"] is None
    assert found["models"][0] == {"model": "MobileNetV2", "share": 0.75}
    assert found["checked"] == 50_000
    assert all(one["regret"] >= 0 for one in found["regrets"])
    with csv_file.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == found["front"]["size"]
    assert [float(row["latency_ms"]) for row in rows] == [
        row["latency_ms"] for row in found["front"]["accelerators"]
    ]


def test_a_sweep_that_allows_nothing_fails_and_says_null(capsys):
    words = ("sweep", "keras:MobileNetV2", "--max-area-mm2", "0.001")
    code, out, _ = run(capsys, *words, "--json")
    assert code == 1
    assert json.loads(out)["best"] is None
    assert json.loads(out)["shortfalls"][0]["cost"] == "area_mm2"


@pytest.mark.parametrize("words", [(), ("--pareto",)])
def test_a_sweep_that_allows_nothing_says_what_is_missed(
    capsys, tmp_path, monkeypatch, words
):
    monkeypatch.chdir(tmp_path)
    sweep = ("sweep", "MobileNetV2", "--csv", "found.csv", "--plots", "none", *words)
    assert run(capsys, *sweep, "--max-area-mm2", "30", "--top", "1")[0] == 0
    heads = (tmp_path / "found.csv").read_text().splitlines()[0]
    shutil.rmtree(tmp_path / "none")
    limits = ("--max-area-mm2", "1", "--max-latency-ms", "0.5")
    code, out, err = run(capsys, *sweep, *limits)
    assert code == 1
    # The least area is that of the least accelerator of the grid.
    area = area_mm2([next(accelerators())])[0]
    assert f"max_area_mm2 is missed by at least {area - 1:.4f}, {area - 1:.2%}" in (
        out.replace(" %", "%")
    )
    assert "1x1 PEs, 1 lanes of 16" in out
    assert "max_latency_ms is missed" not in out
    # No rows, and none of the sweep before.
    assert (tmp_path / "found.csv").read_text() == f"{heads}\n"
    assert "No pictures are drawn in none" in err
    assert not (tmp_path / "none").exists()
    code, out, _ = run(capsys, *sweep, "--max-area-mm2", "5", "--max-latency-ms", ".2")
    assert code == 1
    assert "Each limit can be kept, but not all together." in out


def test_a_csv_that_is_not_written_is_said(capsys, tmp_path):
    path = tmp_path / "x.csv"
    words = ("--set", "accelerator.register_file_kib=0.001", "--csv", str(path))
    code, _, err = run(capsys, "simulate", "MobileNetV2", *words)
    assert code == 1
    assert err == f"{path} is not written: what cannot run has no costs.\n"


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (("MobileNetV2", "MnasNet-A1"), True),
        (("MobileNetV2",), False),
        (("MobileNetV2", "MnasNet-A1=0"), False),
    ],
)
def test_a_mix_whose_weights_stay_on_the_chip_says_so(capsys, words, kept):
    limit = ("--max-area-mm2", "30", "--top", "1", "--set")
    for weights, said in (("kept", kept), ("resident", kept), ("streamed", False)):
        setting = f"platform.weights={weights}"
        code, out, _ = run(capsys, "sweep", *words, *limit, setting)
        assert code == 0
        assert (f"weights {weights}: each network is costed" in out) == said
    found = json.loads(run(capsys, "sweep", *words, *limit, setting, "--json")[1])
    assert found["kept_weights_mib"] == 0


def test_simulate_shows_parameter_memory_where_there_is_one(capsys):
    out = run(capsys, "simulate", "MobileNetV2", "--accelerator", "coral")[1]
    [row] = [line for line in out.splitlines() if line.startswith("parameter memory")]
    assert row.split()[2:] == ["MiB", "7.700", "7.700", "7.700"]
    assert "parameter memory" not in run(capsys, "simulate", "MobileNetV2")[1]


@pytest.mark.parametrize(
    "code",
    [
        "import nahas; nahas.joint_space; nahas.ProxyTraining; nahas.search",
        "from nahas.__main__ import main; main(['simulate', 'keras:MobileNetV2'])",
        "from nahas.__main__ import build_parser; build_parser().format_help()",
        "from nahas.config import load; load()",
    ],
)
def test_tensorflow_is_not_loaded(code):
    heavy = "{'tensorflow', 'keras', 'matplotlib'}"
    check = f"import sys; assert not {heavy} & set(sys.modules), sys.modules.keys()"
    subprocess.run([sys.executable, "-c", f"{code}; {check}"], check=True,
                   stdout=subprocess.DEVNULL, timeout=60)  # fmt: skip


def test_a_real_bug_keeps_its_traceback(monkeypatch):
    def broken(*_, **__):
        raise ValueError("a bug")

    monkeypatch.setattr("nahas.costs.simulate", broken)
    with pytest.raises(ValueError, match="a bug"):
        main(["simulate", "keras:MobileNetV2"])
