"""Rules for runs whose actions are tokens, in the form of `entropax.diagnostics.rules`; `docs/llm_diagnosis.md`."""

from entropax.diagnostics.rules.rule import Rule
from entropax.llm.diagnosis.rules import control, entropy, prediction, randomness, selection, signal

RULES: tuple[Rule, ...] = (
    *signal.RULES,
    *selection.RULES,
    *entropy.RULES,
    *control.RULES,
    *prediction.RULES,
    *randomness.RULES,
)
"""All of them; one that silences another comes before it. None compares an entropy with an absolute number: runs differ
in it by vocabulary, data and base model, so the start of the run, or its target, is what it is measured against."""
