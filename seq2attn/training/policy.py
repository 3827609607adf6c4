"""The loss of a policy that draws positions: its reward is the log-likelihood of the tokens that it helped to write."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2attn.models.seq2seq import Drawn


def rewards(log_p: Float[Tensor, "B T"], *, to_go: bool) -> Float[Tensor, "B T"]:
    """R_t = log p(y_t), or with `to_go` R_t = Σ_{t'≥t} log p(y_t'), for draws that influence all later tokens."""
    return log_p.flip(1).cumsum(1).flip(1) if to_go else log_p


def policy_loss(drawn: Drawn, log_p: Float[Tensor, "B T"], real: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """−Σ λ_r · (R − b) · log α_z + λ_e · H(α) over the draws of real steps (Xu et al. 2015, §4.1; Williams 1992).

    log_p: that of the gold tokens, without gradient, 0 at padding. real: False at padding.
    The baseline b and the factors λ are the policy's. Afterwards the policy updates its baseline with R.
    """
    choice, earned = drawn.choice, rewards(log_p, to_go=drawn.recurrent)
    policy, counted = choice.policy, real & choice.drawn
    advantage = earned - policy.baseline
    gain = policy.weight * advantage * choice.log_probability + policy.entropy * choice.entropy
    policy.observe(earned[counted])
    return -gain[counted].sum()
