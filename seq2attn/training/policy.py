"""The loss of a policy that draws positions: its reward is the log-likelihood of the tokens that it helped to write."""

from jaxtyping import Bool, Float
from torch import Tensor

from seq2attn.models.seq2seq import Drawn


def rewards(log_p: Float[Tensor, "B T"], *, to_go: bool) -> Float[Tensor, "B T"]:
    """R_t = log p(y_t), or with `to_go` R_t = Σ_{t'≥t} log p(y_t'), for draws that influence all later tokens."""
    return log_p.flip(1).cumsum(1).flip(1) if to_go else log_p


def policy_loss(drawn: Drawn, log_p: Float[Tensor, "B T"], real: Bool[Tensor, "B T"]) -> Float[Tensor, ""]:
    """−Σ λ_r · (R − b) · log α_z + λ_e · H(α) over the draws of real steps (Xu et al. 2015, §4.1; Williams 1992).

    log_p: that of the gold tokens, without gradient, 0 at padding. real: False at padding. Both have a block of T steps for each
    draw of a step. The factors λ are the policy's. The baseline b is the mean R of the step's other draws (Kool et al. 2019,
    §2.1); of a single draw the policy's, which is updated with R afterwards.
    """
    choice, earned = drawn.choice, rewards(log_p, to_go=drawn.recurrent)
    policy, counted = choice.policy, real & choice.drawn
    if drawn.draws > 1:
        blocks = earned.unflatten(1, (drawn.draws, -1))
        advantage = (blocks - (blocks.sum(1, keepdim=True) - blocks) / (drawn.draws - 1)).flatten(1)
    else:
        advantage = earned - policy.baseline
        policy.observe(earned[counted])
    gain = policy.weight * advantage * choice.log_probability + policy.entropy * choice.entropy
    return -gain[counted].sum()
