"""What the likeliest of a prompt's completions earn, from rewards that TRL has before their log-probabilities."""

from typing import Any

import torch  # pyright: ignore[reportMissingImports]

from entropax.llm.diagnosis import likeliest_reward

PLACE = "entropax_place"
"""What TRL's inputs get beside their own: each completion's place among those that this process drew together."""


class Answers:
    """The completions of one generation: their rewards, and their log-probabilities as they come in.

    TRL shuffles completions between drawing them and learning from them, so each carries its place.
    """

    def __init__(self, rewards: Any, group: int, here: int):
        """Begins without log-probabilities.

        Args:
            rewards: `[completion]` of all processes, those of a prompt one after the other; NaN where there is none.
            group: completions of a prompt.
            here: completions of this process.
        """
        self._rewards, self._group = rewards, group
        self._log_prob = torch.full((here,), torch.nan, dtype=torch.float32, device=rewards.device)

    def scored(self, places: Any, log_prob: Any, mask: Any) -> None:
        """Takes up completions; one without a token stays out.

        Args:
            places: of each among those of this process.
            log_prob: of the policy that drew them, `[completion, token]`, nats.
            mask: the same shape.
        """
        total = torch.where(mask, log_prob.detach(), 0.0).sum(dim=1)
        self._log_prob[places] = torch.where(mask.any(dim=1), total, torch.nan).to(self._log_prob)

    def reward(self, accelerator: Any) -> float | None:
        """Mean over prompts of what the likeliest of their completions earns; None where none of them is known.

        Every process calls this at the same time. Of a prompt the completions count that have a reward and a token.
        """
        log_prob = accelerator.gather(self._log_prob)
        known = log_prob.isfinite() & self._rewards.isfinite()
        # The least of all is never the likeliest where there is another one.
        log_prob = torch.where(known, log_prob, torch.finfo(log_prob.dtype).min)
        rewards = torch.where(known, self._rewards, 0.0)
        groups = known.view(-1, self._group).any(dim=1)
        if not bool(groups.any()):
            return None
        return float(likeliest_reward(log_prob.view(-1, self._group)[groups], rewards.view(-1, self._group)[groups]))
