"""The feature extractors: Inception-I3D on pictures and flow, I3D ResNet-50, CLIP image towers, VGGish.

Weights go through the loaders of the plugins, which distinguish the forms, fold and check; what is
compared with the record is the network that ``extract`` runs.

Legend: b clips, c channels, t h w time, height, width.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
import vadkit_clip_vit
import vadkit_i3d
import vadkit_i3d_resnet50
import vadkit_vggish
from cases import Case
from resampy_kaiser import resample
from torch import Tensor, nn

from systems.errors import NotSupported
from systems.harness import numpy, tensor, watch
from vadkit.backbones.weights import fill


def state_of(case: Case) -> dict[str, Tensor]:
    return {name: torch.from_numpy(np.asarray(case.state[name])) for name in case.state}


def probes(case: Case, seen: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return what the case recorded of each layer: its statistics, or itself for single values."""
    results: dict[str, Any] = {}
    for output in case.outputs:
        if output.startswith("probe/"):
            _, layer, what = output.split("/")
            x = numpy(seen[layer]).astype(np.float64)
            results[output] = np.array([x.mean(), x.std(), x.max()]) if what == "stats" else numpy(seen[layer])
    return results


# -- Inception-I3D ---------------------------------------------------------------------------------
def i3d(case: Case) -> dict[str, Any]:
    if case.kind == "function":
        return quantise(case)
    state, channels = state_of(case), case.config["in_channels"]
    with torch.device("meta"):
        network: nn.Module = vadkit_i3d.InceptionI3d(channels)
    fill(network, vadkit_i3d.folded_state(state, network, case.name))
    with torch.no_grad(), watch(**dict(network.named_children())) as seen:
        vector = network(clips(case.inputs["frames"]))
    last = seen["Mixed_5c"]
    pool = vadkit_i3d.pooled(last)
    return {
        **probes(case, {**seen, **pools(seen)}),
        "feature_vector": numpy(vector),
        "mixed_5c": numpy(last),
        "features": numpy(pool),
        **classes(case, state, pool),
    }


def clips(x: np.ndarray) -> Tensor:
    """Return a clip as the network takes it: one of uint8 frames (t, h, w, c) goes through the plugin's own scale."""
    if x.dtype == np.uint8:
        return vadkit_i3d.normalised(tensor(x).permute(3, 0, 1, 2))[None]
    return tensor(x)


def pools(seen: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the max pools under the original's names, each recomputed from the layer before it."""
    names, order = (
        {
            "Conv3d_2b_1x1": "MaxPool3d_2a_3x3",
            "Mixed_3b": "MaxPool3d_3a_3x3",
            "Mixed_4b": "MaxPool3d_4a_3x3",
            "Mixed_5b": "MaxPool3d_5a_2x2",
        },
        list(seen),
    )
    return {
        names[layer]: vadkit_i3d.max_pool(seen[order[order.index(layer) - 1]], *pool)
        for layer, pool in vadkit_i3d.POOLS.items()
    }


def classes(case: Case, state: Mapping[str, Tensor], pool: Tensor) -> dict[str, Any]:
    """Return what the classifier says, which vadkit leaves out: a 1 x 1 x 1 convolution of the pooled map."""
    head = "logits" if "logits.conv3d.weight" in state else "conv3d_0c_1x1"
    weight, bias = state[f"{head}.conv3d.weight"].flatten(1), state[f"{head}.conv3d.bias"]
    logits = torch.einsum("bcthw,kc->bkthw", pool, weight) + bias.view(-1, 1, 1, 1)
    if head == "logits":
        return {"logits": numpy(logits.flatten(2))}  # the original squeezes h and w, which are 1
    return {"logits": numpy(logits.mean((2, 3, 4))), "probabilities": numpy(logits.mean((2, 3, 4)).softmax(1))}


def quantise(case: Case) -> dict[str, Any]:
    flow = tensor(case.inputs["flow"])
    scaled = {
        f"{name}_scaled": numpy(vadkit_i3d.QUANTISE[ours](flow))
        for name, ours in (("bound20", "bound20"), ("video_features", "video_features"), ("float", "clamp"))
    }
    return {
        **scaled,
        "bound20_levels": numpy(vadkit_i3d.bound20_levels(flow)),
        "video_features_levels": numpy(vadkit_i3d.video_features_levels(flow)),
    }


# -- I3D ResNet-50 ---------------------------------------------------------------------------------
def i3d_resnet50(case: Case) -> dict[str, Any]:
    state = state_of(case)
    with torch.device("meta"):
        network: nn.Module = vadkit_i3d_resnet50.InflatedResnet50(case.config["non_local"])
    fill(network, vadkit_i3d_resnet50.folded_state(state, network, case.name))
    with torch.no_grad(), watch(**dict(network.named_children())) as seen:
        vector = network(tensor(case.inputs["frames"]))
        logits = nn.functional.linear(vector, state["fc.weight"], state["fc.bias"])
    activated = {**seen, "conv1": seen["conv1"].relu()}
    return {**probes(case, activated), "features": numpy(vector)[..., None, None, None], "logits": numpy(logits)}


# -- CLIP ------------------------------------------------------------------------------------------
def clip_vit(case: Case) -> dict[str, Any]:
    config = case.config
    if (config["width"], config["layers"], config["image_size"], config["output_width"]) != (768, 12, 224, 512):
        raise NotSupported(f"a CLIP tower of {config}")
    model = f"b{config['patch_size']}"
    network = vadkit_clip_vit.load_state(state_of(case), case.name, model, "quickgelu")
    with torch.no_grad():
        x = network(tensor(case.inputs["image"]))
    return {"embedding": numpy(x), "normalised": numpy(nn.functional.normalize(x, dim=-1))}


# -- VGGish ----------------------------------------------------------------------------------------
def vggish(case: Case) -> dict[str, Any]:
    if case.kind == "model-eval":
        return _vggish_network(case)
    if "num_mel_bins" in case.config:
        return {"mel_matrix": vadkit_vggish.mel_matrix()}
    if "embedding" in case.inputs:
        return _postprocessed(case, tensor(case.inputs["embedding"]))
    return _log_mel(case)


def _vggish_network(case: Case) -> dict[str, Any]:
    network = vadkit_vggish.load_state(state_of(case), case.name)
    with torch.no_grad(), watch(features=network.features) as seen:
        x = network(tensor(case.inputs["examples"]))
        last = network.embeddings[:-1](vadkit_vggish.flattened(seen["features"]))
    return {**probes(case, seen), "embedding": numpy(x), "before_last_relu": numpy(last), **_postprocessed(case, x)}


def _postprocessed(case: Case, x: Tensor) -> dict[str, Any]:
    pca = vadkit_vggish.Pca(tensor(case.inputs["pca_eigen_vectors"]), tensor(case.inputs["pca_means"]))
    projected = pca.project(x.numpy())
    return {"pca_projected": projected, "postprocessed": vadkit_vggish.quantised(projected)}


def _log_mel(case: Case) -> dict[str, Any]:
    waveform, rate = case.inputs["waveform"], case.config["sample_rate"]
    mono = waveform.mean(1) if waveform.ndim == 2 else waveform
    samples = mono if rate == vadkit_vggish.RATE else resample(mono, rate, vadkit_vggish.RATE)
    log_mel = vadkit_vggish.log_mel(samples)
    examples = log_mel[: len(log_mel) // 96 * 96].reshape(-1, 96, 64)
    return {
        "log_mel": log_mel,
        "examples": examples,
        "examples_shape": examples.shape,
        "resampled_head": samples[:64],
        "resampled_len": len(samples),
    }
