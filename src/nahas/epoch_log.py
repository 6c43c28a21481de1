"""Logs of trainings for TensorBoard, an extra: `pip install nahas[tensorboard]`."""

from pathlib import Path
from typing import Any

from nahas.final_queue import Asked

LOGS = "tensorboard"


class EpochLog:
    """Writes what each epoch of each training gave, beside the training.

    A training that resumes goes on in its log. `tensorboard --logdir FOLDER` shows all.

    Args:
        root: The folder of all trainings.

    Raises:
        ValueError: If tensorboardX is not installed.
    """

    def __init__(self, root: Path) -> None:
        try:
            import tensorboardX  # noqa: F401
        except ImportError:
            raise ValueError(
                "Logs for TensorBoard need tensorboardX: pip install "
                "nahas[tensorboard]. Received an environment without it."
            ) from None
        self._root = root
        self._writers: dict[Asked, Any] = {}

    def __call__(self, asked: Asked, done: int, of: int, row: dict[str, float]) -> None:
        """Told of an epoch, as `final_queue.Told`."""
        from tensorboardX import SummaryWriter

        if asked not in self._writers:
            folder = asked.folder(self._root) / LOGS
            # A file's name says the second: another run's must have another.
            self._writers[asked] = SummaryWriter(
                str(folder), filename_suffix=f".from{done}"
            )
        for name, value in row.items():
            self._writers[asked].add_scalar(name, value, global_step=done)
        self._writers[asked].flush()

    def close(self) -> None:
        """Ends all logs."""
        for writer in self._writers.values():
            writer.close()
