"""The ledger of a running search: every proposal from its opening to its trial.

Proposals are judged, many at once where nothing waits for them; only one that the
machine runs and that keeps the limits is trained, or with reject="none" every one that
the machine runs. Where cheaper oracles screen, a proposal climbs from one to the next
as soon as the one before has judged it. Proposals are settled, and trials written, in
order.
"""

import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable
from typing import Self, cast

import numpy as np
from numpy.typing import NDArray

from nahas.accelerator.metrics import Metrics
from nahas.controller import training_queue as queue
from nahas.controller.judgement import Task, judge_all
from nahas.controller.outcome import finite
from nahas.controller.pool import Runner
from nahas.controller.progress import Progress
from nahas.controller.proposal import Proposal
from nahas.controller.rows import Record, StudyError, Training, training_key
from nahas.controller.screening import Screened, Screening, share_better
from nahas.controller.store import Store
from nahas.controller.trial import Score, Trial

# A failed training breaks no limit; without a violation it would pass for the best of
# the infeasible, and for no worse than the worst feasible.
_FAILED_VIOLATION = 1.0


class TimeUpError(Exception):
    """The minutes given to a run are over."""


class Ledger:
    """Proposals and trials of one run; see the module.

    Args:
        task: What is asked of each candidate.
        store: The study, open for writing.
        runner: Gets queued trainings done.
        total: Trials asked for.
        window: How many proposals are open at once.
        deadline: Time of `time.monotonic` at which the run ends.
        progress: Told of every step.
    """

    def __init__(
        self,
        task: Task,
        store: Store,
        runner: Runner,
        *,
        total: int,
        window: int,
        deadline: float,
        progress: Callable[[Progress], None] | None,
    ) -> None:
        self._task = task
        self._store = store
        self._runner = runner
        self._total = total
        self._window = window
        self._deadline = deadline
        self._progress = progress
        self._recorded = store.records()
        self._started = time.monotonic()
        self._trials: list[Trial] = []
        self._unjudged: list[tuple[int, NDArray[np.int64]]] = []
        self._open: deque[Proposal] = deque()
        self._unwritten: list[Record] = []
        self._oracles = task.oracles
        self._asked: set[queue.Asked] = set()
        self._known: dict[queue.Asked, Training] = {}
        # By oracle that screens: numbers and scores of the trials that it judged.
        self._scored: dict[str, list[tuple[int, Screened]]] = defaultdict(list)
        # By network: the trial that first had its accuracy by the last oracle.
        self._first: dict[str, int] = {}
        # Queued before the runner's next step, in one transaction: it is idle until
        # then, and a lost one is asked for again by the replay.
        self._unqueued: list[queue.Asked] = []
        self._statuses: Counter[str] = Counter()
        self._best_reward: float | None = None

    def open(self, number: int, choices: NDArray[np.int64]) -> None:
        """Takes proposal `number`, with choices [D].

        It is simulated and its training asked for: at once where the runner works at
        others' side, else together with those that are opened until it is needed.

        Raises:
            StudyError: If the study holds other choices under this number.
            TimeUpError: If the run's time is over.
        """
        if number <= len(self._recorded):
            self._replay(self._recorded[number - 1], tuple(choices.tolist()))
            return
        self._check_time()
        self._unjudged.append((number, choices))
        if self._runner.eager:
            self._judge()

    def trial(self, number: int) -> Trial:
        """Trial `number`, once it and all before it are settled.

        Raises:
            TimeUpError: If the run's time is over first.
        """
        while len(self._trials) < number:
            if not self._open:
                self._judge()
            proposal = self._open[0]
            judgement = proposal.judgement
            if judgement.status is None:
                record = self._trained(proposal)
            else:
                trial = proposal.trial(
                    judgement.status,
                    violation=judgement.violation,
                    reason=judgement.reason,
                )
                record = Record(trial, judgement.network)
            self._open.popleft()
            self._settle(record)
            self._unwritten.append(record)
            if len(self._unwritten) >= self._window:
                self.flush()
            self._report()
        return self._trials[number - 1]

    def lesson(self, number: int) -> Trial:
        """Trial `number` as the controller is told of it; as `trial`."""
        trial = self.trial(number)
        return trial if self._task.reject == "hard" else trial.unlimited

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Writes what is settled, however the run ended."""
        self.flush()

    def flush(self) -> None:
        """Writes the trials that are settled and not written."""
        # Taken first: an interrupted or failed write is left to the next run's replay.
        records, self._unwritten = self._unwritten, []
        if records:
            self._store.append(records)

    def _judge(self) -> None:
        """Judges what is opened and asks for its trainings."""
        proposals, self._unjudged = self._unjudged, []
        judged = judge_all(self._task, np.array([choices for _, choices in proposals]))
        for (number, choices), judgement in zip(proposals, judged, strict=True):
            proposal = Proposal(number, tuple(choices.tolist()), judgement)
            if judgement.status is None:
                seen = number - self._window
                if self._first.get(judgement.network, number) <= seen:
                    proposal.rung = len(self._oracles) - 1  # its accuracy is known
                self._ask(proposal)
            self._open.append(proposal)

    def _ask(self, proposal: Proposal) -> None:
        """Asks the next oracle, unless that has been asked for the network."""
        oracle = self._oracles[proposal.rung]
        asked = proposal.judgement.network, oracle
        if asked not in self._asked:
            self._asked.add(asked)
            self._unqueued.append(asked)
            proposal.first.add(oracle)

    def _replay(self, record: Record, chosen: tuple[int, ...]) -> None:
        trial = record.trial
        if trial.choices != chosen:
            raise StudyError(
                f"Replaying the study in {self._store.path.parent}, the controller "
                f"proposed {chosen} for trial {trial.number}, which was "
                f"{trial.choices}. Resume with the versions and the controller that "
                "the study was started with."
            )
        judged = len(trial.scores) + (trial.status in ("trained", "reused", "failed"))
        self._asked |= {(record.network, oracle) for oracle in self._oracles[:judged]}
        self._settle(record)

    def _trained(self, proposal: Proposal) -> Record:
        """The trial of a proposal once its trainings are finished."""
        if self._last(proposal) is None:
            self._learn()
        while proposal.screened is None and self._last(proposal) is None:
            queue.enqueue(self._store, self._unqueued)
            self._unqueued = []
            self.flush()  # what is known must not wait for what is not
            self._check_time()
            self._runner.step()
            self._report()
            self._learn()
        if proposal.screened is not None:
            return Record(proposal.screened, proposal.judgement.network)
        return self._rewarded(proposal, cast(Training, self._last(proposal)))

    def _last(self, proposal: Proposal) -> Training | None:
        """The training that ends a proposal's climb: the last oracle's, or a failed."""
        oracle = self._oracles[proposal.rung]
        training = self._known.get((proposal.judgement.network, oracle))
        if training is None or oracle == self._oracles[-1]:
            return training
        return training if training.outcome.accuracy is None else None

    def _learn(self) -> None:
        """Reads which trainings that open proposals wait for are finished."""
        unknown = [p for p in self._open if p.judgement.status is None]
        waiting = [proposal for proposal in unknown if proposal.screened is None]
        asked = {(p.judgement.network, self._oracles[p.rung]) for p in waiting}
        finished = self._store.finished(
            [training_key(*one) for one in asked - self._known.keys()]
        )
        self._known |= {(done.network, done.oracle): done for done in finished}
        if self._task.screening is not None:
            for proposal in waiting:
                self._climb(proposal, self._task.screening)

    def _climb(self, proposal: Proposal, rules: Screening) -> None:
        """Takes a proposal as far as the cheaper oracles' trainings allow."""
        while proposal.screened is None and not self._last(proposal):
            oracle = self._oracles[proposal.rung]
            training = self._known.get((proposal.judgement.network, oracle))
            if training is None:
                return
            accuracy = cast(float, training.outcome.accuracy)
            proposal.charge(training)
            score = Score(accuracy, self._reward(proposal, accuracy))
            proposal.scores.append(score)
            proposal.rung += 1
            one = Screened.of(score, proposal.judgement.costs)
            seen = proposal.number - self._window
            scored = self._scored[oracle]
            before = [other for number, other in scored if number <= seen]
            share = share_better(one, before, rules.by)
            if share >= rules.keep:
                proposal.put_aside(share, len(before))
            else:
                self._ask(proposal)

    def _rewarded(self, proposal: Proposal, training: Training) -> Record:
        """The trial of a proposal whose last training is finished."""
        outcome = training.outcome
        reused = not proposal.charge(training)
        if outcome.accuracy is None:
            trial = proposal.trial(
                "failed",
                violation=_FAILED_VIOLATION,
                reason="training failed",
                error=outcome.error,
            )
        else:
            accuracy, limits = outcome.accuracy, self._task.limits
            broken = proposal.judgement.reason, limits.shortfall_reason(accuracy)
            shortfall = float(limits.shortfall([accuracy])[0])
            trial = proposal.trial(
                "reused" if reused else "trained",
                accuracy=accuracy,
                reward=self._reward(proposal, accuracy),
                violation=proposal.judgement.violation + shortfall,
                reason="; ".join(filter(None, broken)),
            )
        return Record(trial, proposal.judgement.network, training.origin)

    def _reward(self, proposal: Proposal, accuracy: float) -> float:
        where = f"for trial {proposal.number} (accuracy {accuracy})"
        resume = "The trials before are recorded; repair it and resume."
        metrics = cast(Metrics, proposal.judgement.metrics)  # only such are trained
        try:
            reward = float(self._task.reward(np.array([accuracy]), metrics)[0])
        except Exception as error:
            raise StudyError(
                f"The reward failed {where}: {type(error).__name__}: {error}. {resume}"
            ) from error
        if finite(reward) is None:
            raise StudyError(
                f"The reward must be finite. Received {reward} {where}. {resume}"
            )
        return reward

    def _settle(self, record: Record) -> None:
        trial = record.trial
        self._trials.append(trial)
        if trial.accuracy is not None:
            self._first.setdefault(record.network, trial.number)
        for oracle, score in zip(self._oracles, trial.scores, strict=False):
            self._scored[oracle].append((trial.number, Screened.of(score, trial)))
        self._statuses[trial.status] += 1
        if trial.feasible:
            rewards = (self._best_reward, trial.reward)
            self._best_reward = max(r for r in rewards if r is not None)

    def _check_time(self) -> None:
        if time.monotonic() >= self._deadline:
            raise TimeUpError

    def _report(self) -> None:
        if self._progress is None:
            return
        done = len(self._trials)
        new = done - len(self._recorded)
        elapsed = time.monotonic() - self._started
        rest = self._total - done
        waiting = sum(p.judgement.status is None for p in self._open)
        self._progress(
            Progress(
                done=done,
                total=self._total,
                trained=self._statuses["trained"],
                reused=self._statuses["reused"],
                screened=self._statuses["screened"],
                rejected=self._statuses["rejected"],
                infeasible=self._statuses["infeasible"],
                failed=self._statuses["failed"],
                best_reward=self._best_reward,
                running=waiting,
                eta_seconds=elapsed / new * rest if new > 0 else None,
            )
        )
