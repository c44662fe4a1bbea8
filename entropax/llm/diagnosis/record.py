"""A run's measures gathered step by step, and what they say."""

import math
from collections.abc import Mapping

import numpy as np

from entropax.diagnostics.dialects import TOKENS, Dialect
from entropax.diagnostics.findings import Finding
from entropax.diagnostics.readers.names import OF_TOKENS, SHARED
from entropax.diagnostics.verdict import Verdict, verdict
from entropax.diagnostics.window import Facts, Series
from entropax.errors import EntropaxError
from entropax.llm.diagnosis.change import Agreement, agreement
from entropax.llm.diagnosis.law import Law, fit_law
from entropax.llm.diagnosis.liveness import inert
from entropax.llm.diagnosis.rules import RULES
from entropax.llm.method import AbstractMethod, Need

_STEERS = ("entropax/knob", "entropy/target")


class TokenDiagnosis:
    """Collects the measures of one run on the host, a few floats a step, and judges them as `entropax diagnose` does.

    Attributes:
        method: whose run it is.
        dialect: in which remedies are given.

    Example:
        >>> from entropax.llm import Clip
        >>> diagnosis = TokenDiagnosis(Clip())
        >>> for step in range(20):
        ...     diagnosis.record(step, {"entropax/entropy": 1.0, "entropax/reward": 0.5})
        >>> diagnosis.verdict().line()
        'Healthy after 19 steps | return 0.5 | entropy 1 nats (no target)'
    """

    def __init__(self, method: AbstractMethod, dialect: Dialect = TOKENS):
        self.method = method
        self.dialect = dialect
        self._columns: dict[str, dict[int, float]] = {}

    def liveness(self) -> str | None:
        """One sentence where the method changes nothing when strictly on-policy; None where it does."""
        return inert(self.method)

    def record(self, step: int, numbers: Mapping[str, int | float]) -> None:
        """Keeps the numbers of an optimiser step; a step that comes twice keeps the later ones.

        Args:
            step: optimiser step.
            numbers: by the names of `docs/llm_diagnosis.md`; other names among them are left out.

        Raises:
            EntropaxError: none of the names is known.
        """
        known = {name: value for name, value in numbers.items() if name in OF_TOKENS or name in SHARED}
        if numbers and not known:
            raise EntropaxError(
                f"TokenDiagnosis.record knows none of: {', '.join(sorted(numbers))}. Pass what `measures` returns, and "
                "the reward as entropax/reward."
            )
        for name, value in known.items():
            # As in a reader's column: what was logged and is not finite is infinite, so that a rule can see it.
            self._columns.setdefault(SHARED.get(name, name), {})[step] = math.inf if math.isnan(value) else value

    def series(self) -> dict[str, Series]:
        """The series of one seed, by metric name, with the slack H - target where there is a target."""
        found = {}
        for name, rows in self._columns.items():
            steps = np.array(sorted(rows))
            found[name] = Series(steps, np.array([rows[step] for step in steps], float)[:, None])
        both = self._columns.get("entropy/nats", {}).keys() & self._columns.get("entropy/target", {}).keys()
        if both:
            slack = [
                self._columns["entropy/nats"][step] - self._columns["entropy/target"][step] for step in sorted(both)
            ]
            found["entropy/slack"] = Series(np.array(sorted(both)), np.array(slack)[:, None])
        return found

    def verdict(self) -> Verdict:
        """What is wrong with the run so far, with the rules that could not be asked."""
        facts = Facts(seeds=(0,), action_dimensions=1, entropy_maximum=math.nan, dialect=self.dialect)
        return verdict(self.series(), facts, RULES)

    def findings(self) -> tuple[Finding, ...]:
        """The verdict's findings, worst first."""
        return self.verdict().findings

    def agreement(self) -> Agreement:
        """Predicted against measured change of entropy over the steps that have both."""
        _, (predicted, entropy) = self._rows("entropax/predicted_change", "entropy/nats")
        return agreement(predicted, entropy)

    def law(self) -> Law:
        """The fit R = -a exp(H) + b over the steps that have a reward and an entropy.

        Raises:
            EntropaxError: a controller was at work, the method acts on the entropy by itself, or `fit_law` refuses.
        """
        steps, (entropy, reward) = self._rows("entropy/nats", "rollout/ep_rew_mean")
        selected = self._columns.get("entropax/selected_fraction", {})
        steered = any(name in self._columns for name in _STEERS) or Need.EXTRA_ROLLOUT in self.method.needs
        controlled = [steered or selected.get(step, 0.0) > 0 for step in steps]
        return fit_law(entropy, reward, controlled=controlled)

    def _rows(self, *names: str) -> tuple[list[int], list[np.ndarray]]:
        """Steps that all of some metrics have with a finite value, and their values there."""
        columns = [self._columns.get(name, {}) for name in names]
        steps = sorted(set.intersection(*({s for s, v in rows.items() if math.isfinite(v)} for rows in columns)))
        return steps, [np.array([rows[step] for step in steps]) for rows in columns]
