"""Costs one CSV of layers by SCALE-Sim, in its own environment; prints JSON.

    python run_scalesim.py FILE SIDE

SIDE is the side of a weight-stationary systolic array.
"""

import contextlib
import json
import sys
import tempfile
from pathlib import Path

from measured import measured
from scalesim.scale_sim import scalesim

# As the file of the same name that SCALE-Sim ships, but for the array and the name.
CONFIGURATION = """\
[general]
run_name = run

[architecture_presets]
ArrayHeight: {side}
ArrayWidth: {side}
IfmapSramSzkB: 6144
FilterSramSzkB: 6144
OfmapSramSzkB: 2048
IfmapOffset: 0
FilterOffset: 10000000
OfmapOffset: 20000000
Bandwidth: 10
Dataflow: ws
MemoryBanks: 1
ReadRequestBuffer: 32
WriteRequestBuffer: 32

[layout]
IfmapCustomLayout: False
IfmapSRAMBankBandwidth: 10
IfmapSRAMBankNum: 10
IfmapSRAMBankPort: 2
FilterCustomLayout: False
FilterSRAMBankBandwidth: 10
FilterSRAMBankNum: 10
FilterSRAMBankPort: 2

[sparsity]
SparsitySupport: false
SparseRep: ellpack_block
OptimizedMapping: false
BlockSize: 8
RandomNumberGeneratorSeed: 40

[run_presets]
InterfaceBandwidth: CALC
UseRamulatorTrace: False
"""


def main() -> None:
    topology, side = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "run.cfg"
        configuration.write_text(CONFIGURATION.format(side=int(side)))
        with contextlib.redirect_stdout(sys.stderr), measured() as cost:
            simulator = scalesim(
                save_disk_space=True,
                verbose=False,
                config=str(configuration),
                topology=topology,
                layout=topology,
            )
            simulator.run_scale(top_path=folder)
        report = next(Path(folder).rglob("COMPUTE_REPORT.csv"))
        lines = [line.split(",") for line in report.read_text().splitlines()[1:]]
    result = {
        **cost,
        "cycles": sum(float(line[1]) for line in lines),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
