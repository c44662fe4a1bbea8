"""Diagnosis of runs whose actions are tokens: measures of a step, liveness of a method, rules over a run, a law."""

from entropax.llm.diagnosis.change import Agreement as Agreement
from entropax.llm.diagnosis.change import Saturation as Saturation
from entropax.llm.diagnosis.change import agreement as agreement
from entropax.llm.diagnosis.change import saturation as saturation
from entropax.llm.diagnosis.law import Law as Law
from entropax.llm.diagnosis.law import fit_law as fit_law
from entropax.llm.diagnosis.likeliest import likeliest_reward as likeliest_reward
from entropax.llm.diagnosis.liveness import idle as idle
from entropax.llm.diagnosis.liveness import inert as inert
from entropax.llm.diagnosis.liveness import plain as plain
from entropax.llm.diagnosis.liveness import warn_if_inert as warn_if_inert
from entropax.llm.diagnosis.measures import control_measures as control_measures
from entropax.llm.diagnosis.measures import first_order_change as first_order_change
from entropax.llm.diagnosis.measures import measures as measures
from entropax.llm.diagnosis.measures import scalars as scalars
from entropax.llm.diagnosis.record import TokenDiagnosis as TokenDiagnosis
from entropax.llm.diagnosis.solutions import distinct as distinct
from entropax.llm.diagnosis.solutions import pass_at_k as pass_at_k
from entropax.llm.diagnosis.solutions import solution_measures as solution_measures
