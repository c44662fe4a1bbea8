"""A plant for controllers: a softmax policy over a vocabulary, whose entropy falls by itself and answers to a method.

One state, one token. Its logits climb the method's gradient g = sum_y pi_0(y) (w_y grad log pi(y) + c_y grad H), the
exact mean over draws of pi_0, through the same weights that a trainer would use.
"""

import numpy as np

from entropax.llm import ThisBatch, begin, tokens

VOCABULARY = 50
RATE = 4.0
REWARDS = 0.1 * np.random.default_rng(0).standard_normal(VOCABULARY)


def softmax(logits):
    weights = np.exp(logits - logits.max())
    return weights / weights.sum()


def entropy_of(policy):
    return float(-(policy * np.log(policy)).sum())


def ascent(method, state, policy, drew, advantages):
    """Gradient by the logits of a method's objective, where `drew` is the policy that drew the tokens."""
    entropies = np.full((len(policy), 1), entropy_of(policy))
    batch = tokens(np.log(policy)[:, None], np.log(drew)[:, None], advantages, np.ones_like(entropies), entropies)
    w, c = (np.asarray(part)[:, 0] for part in method.weights(batch, state, ThisBatch()))
    through_log_prob = drew * w - policy * (drew * w).sum()
    through_entropy = -policy * (np.log(policy) + entropy_of(policy))
    return through_log_prob + (drew * c).sum() * through_entropy


def closed_loop(method, controller, updates, noise=0.0):
    """Runs controller and policy; returns entropy and actuator after every update, and the last states.

    Args:
        method: any method; on-policy, so that ratios are 1.
        controller: moves one of its knobs.
        updates: how many.
        noise: standard deviation in nats of the entropy that the controller sees.
    """
    generator = np.random.default_rng(1)
    logits, state, method_state = np.zeros(VOCABULARY), controller.begin(), begin(method)
    entropies, values = [], []
    for update in range(updates):
        policy = softmax(logits)
        seen = np.clip(entropy_of(policy) + noise * generator.standard_normal(), 0.0, np.log(VOCABULARY))
        state = controller.update(state, seen, update / updates)
        method_state = controller.apply(state, method_state)
        advantages = REWARDS - (policy * REWARDS).sum()
        logits = logits + RATE * ascent(method, method_state, policy, policy, advantages)
        entropies.append(entropy_of(softmax(logits)))
        values.append(controller.value(state))
    return np.asarray(entropies), np.asarray(values), state, method_state
