"""gated_sum, channel_attention and motion_mix: what tests/formulas does not look at."""

from __future__ import annotations

import pytest
import torch
from vadkit_channel_attention import ChannelAttention
from vadkit_gated_sum import GatedSum
from vadkit_motion_mix import MotionMix


def drawn(*shape, seed=1):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def built(cls, **args):
    torch.manual_seed(0)
    return cls(**args).double()


@torch.no_grad()
def test_a_joint_gate_sees_all_streams_and_a_wider_stream_is_projected():
    fusion, x, y = built(GatedSum, dims=[4, 3], gate="jointly"), drawn(2, 5, 4), drawn(2, 5, 3, seed=2)
    both = torch.cat([x, y], -1)
    wanted = fusion.gates[0](both).sigmoid() * x + fusion.gates[1](both).sigmoid() * fusion.project[1](y)
    torch.testing.assert_close(fusion([x, y]), wanted)


@torch.no_grad()
def test_channels_weighted_snippet_by_snippet_need_no_later_one():
    node, x = built(ChannelAttention, in_dim=4, reduction=2, pool="snippet"), drawn(2, 5, 4)
    assert (node.lookahead, ChannelAttention(in_dim=4).lookahead) == (0, "all")
    alone = torch.cat([node(x[:, i : i + 1]) for i in range(5)], 1)
    torch.testing.assert_close(node(x), alone)
    whole = built(ChannelAttention, in_dim=4, reduction=2)
    torch.testing.assert_close(whole(x[:, :1]), node(x[:, :1]))  # the mean of one snippet is the snippet


@pytest.mark.parametrize("per", ["video", "snippet"])
@torch.no_grad()
def test_a_video_that_stands_still_has_the_first_score(per):
    still, moving = drawn(2, 5).sigmoid(), drawn(2, 5, seed=2).sigmoid()
    head = MotionMix(dim=3, per=per)
    for motion in (torch.zeros(2, 5, 3), drawn(2, 1, 3).expand(2, 5, 3)):
        torch.testing.assert_close(head(still, moving, motion.double()), still)
    torch.testing.assert_close(head(still[:, :1], moving[:, :1], drawn(2, 1, 3)), still[:, :1])


@torch.no_grad()
def test_each_snippet_has_the_share_of_its_own_change():
    motion = torch.tensor([[3.0, 4.0], [3.0, 4.0], [-3.0, -4.0], [0.0, 0.0]], dtype=torch.float64)[None]
    share = MotionMix(dim=2, per="snippet")(torch.zeros(1, 4), torch.ones(1, 4), motion)
    # changes 0, 10 and 5 by sizes 5, 5 and 2.5: m is 0, 2 and 2
    torch.testing.assert_close(share[0], torch.tensor([0, 0, 2 / 3, 2 / 3], dtype=torch.float64), atol=1e-6, rtol=0)


def test_wrong_sizes():
    with pytest.raises(ValueError, match="dim must be at least 1, or null for the first stream's width, not 0"):
        GatedSum(dims=[4, 3], dim=0)
    with pytest.raises(ValueError, match="reduction must be at least 1, not 0"):
        ChannelAttention(in_dim=4, reduction=0)
