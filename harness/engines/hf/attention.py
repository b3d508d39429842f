"""Attention of samples of different lengths in one step, for continuous batching without flash kernels.

transformers' own way there is one mask over all queries and the keys of all samples: its cost grows
with the product of samples and tokens, and its memory is taken in advance. Here each sample attends
to its own keys alone. Samples with one new token are padded to the longest of a group of similar
lengths; a prompt, or a part of one, attends by itself. It is registered as an attention function of
transformers, as its documentation of AttentionInterface describes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NAME = "harness_ragged"
_GROUP = 1.4  # the longest sample of a group over its shortest: padding against the number of calls
_SMALL = 64  # keys below which padding costs less than another call


def register() -> None:
    """Make it known to transformers under `NAME`."""
    from transformers import AttentionInterface

    AttentionInterface.register(NAME, _Ragged())


@dataclass(frozen=True, slots=True)
class _Group:
    """Samples with one new token each.

    Args:
        queries: places of their tokens; None for all tokens of the step, in order.
        keys: places of their keys, padded, (samples * width).
        width: keys of the longest.
        mask: of the padding, (samples, 1, 1, width); None without any.
    """

    queries: Any
    keys: Any
    width: int
    mask: Any


@dataclass(frozen=True, slots=True)
class _Layout:
    """Which keys belong to which queries: the groups, and the samples with several new tokens."""

    groups: Sequence[_Group]
    prompts: Sequence[tuple[slice, slice]]


class _Ragged(threading.local):
    """The attention function: one per thread, which keeps what the layers of a step share."""

    def __init__(self) -> None:
        self._queries: Any = None
        self._layouts: list[tuple[Any, _Layout]] = []
        self._buffers: dict[int, Any] = {}

    def __call__(
        self,
        module: Any,
        query: Any,
        key: Any,
        value: Any,
        attention_mask: Any,
        *,
        scaling: float | None = None,
        cu_seq_lens_q: Any = None,
        cu_seq_lens_k: Any = None,
        sliding_window: int | None = None,
        cache: Any = None,
        **kwargs: Any,
    ) -> tuple[Any, None]:
        """Attend; as transformers calls it, for one layer.

        Queries are (1, heads, new tokens, dimension), keys and values (1, key-value heads, keys,
        dimension), of one sample after the other, which begin at `cu_seq_lens_q` and `_k`.
        """
        if cu_seq_lens_q is None:  # a plain forward pass beside the manager's
            from transformers.integrations.sdpa_attention import sdpa_attention_forward

            return sdpa_attention_forward(
                module, query, key, value, attention_mask, scaling=scaling, **kwargs
            )
        if cache is not None:  # up to transformers 5.19 the attention puts keys and values into it
            told = {"cu_seq_lens_k": cu_seq_lens_k, **kwargs}
            key, value = cache.update(key, value, module.layer_idx, told)
            cu_seq_lens_k = told["cu_seq_lens_k"]
        check_window(module, sliding_window)
        layout = self._layout(cu_seq_lens_q, cu_seq_lens_k)
        heads, n = query.shape[1:3]
        queries = query[0].transpose(0, 1)
        keys, values = (x[0].transpose(0, 1).contiguous() for x in (key, value))
        output = query.new_empty(n, heads, value.shape[-1])
        for group in layout.groups:
            found = self._attend_group(group, queries, keys, values, scaling)
            if group.queries is None:
                output = found
            else:
                output[group.queries] = found
        for new, seen in layout.prompts:
            mask = _causal(new, seen, sliding_window, query.device)
            one = query[:, :, new], key[:, :, seen], value[:, :, seen]
            output[new] = _attend_prompt(*one, mask, scaling)
        return output[None], None

    def _attend_group(
        self, group: _Group, queries: Any, keys: Any, values: Any, scaling: float | None
    ) -> Any:
        """The output of samples with one new token each, (samples, heads, dimension)."""
        import torch

        chosen = queries if group.queries is None else queries[group.queries]
        rows, heads, dim = chosen.shape
        shared = keys.shape[1]
        own_keys, own_values = (
            self._take(place, x, group.keys).view(rows, group.width, *x.shape[1:]).transpose(1, 2)
            for place, x in enumerate((keys, values))
        )
        return torch.nn.functional.scaled_dot_product_attention(
            chosen.reshape(rows, shared, heads // shared, dim),
            own_keys,
            own_values,
            attn_mask=group.mask,
            scale=scaling,
        ).reshape(rows, heads, values.shape[-1])

    def _layout(self, cu_seq_lens_q: Any, cu_seq_lens_k: Any) -> _Layout:
        """The layout of a step, which its layers of one kind share: they get the same tensors."""
        if self._queries is not cu_seq_lens_q:
            self._queries, self._layouts = cu_seq_lens_q, []
        for starts, layout in self._layouts:
            if starts is cu_seq_lens_k:
                return layout
        layout = _lay_out(cu_seq_lens_q.tolist(), cu_seq_lens_k.tolist(), cu_seq_lens_q.device)
        self._layouts.append((cu_seq_lens_k, layout))
        return layout

    def _take(self, place: int, source: Any, places: Any) -> Any:
        """Rows of a tensor, in memory that is used again: new pages for each layer cost more."""
        import torch

        shape = (len(places), *source.shape[1:])
        n = shape[0] * shape[1] * shape[2]
        buffer = self._buffers.get(place)
        if buffer is None or buffer.dtype != source.dtype or buffer.numel() < n:
            buffer = self._buffers[place] = source.new_empty(n + n // 4)
        return torch.index_select(source, 0, places, out=buffer[:n].view(shape))


def check_window(module: Any, given: int | None) -> None:
    """Check that a layer hands over its window, which a model may put into its own masks alone.

    Args:
        module: the layer's attention.
        given: the window that it handed over.

    Raises:
        ValueError: it did not.
    """
    config = module.config
    window = getattr(config, "sliding_window", None)
    kinds = getattr(config, "layer_types", None)
    slides = window if kinds is None or kinds[module.layer_idx] == "sliding_attention" else None
    if given != slides:
        raise ValueError(f"a layer has a window of {slides} tokens and attends to {given}")


def _attend_prompt(query: Any, key: Any, value: Any, mask: Any, scaling: float | None) -> Any:
    """The output of one sample with several new tokens, (tokens, heads, dimension)."""
    import torch

    found = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=mask,
        is_causal=mask is None,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    return found[0].transpose(0, 1)


def _lay_out(queries: Sequence[int], keys: Sequence[int], device: Any) -> _Layout:
    """The layout of samples.

    Args:
        queries: where the new tokens of each sample begin, and the end.
        keys: where its keys begin, and the end.
        device: of the tensors.
    """
    prompts, single = [], []
    for i in range(len(queries) - 1):
        n, seen = queries[i + 1] - queries[i], keys[i + 1] - keys[i]
        if n == 1:
            single.append((seen, i))
        elif n > 1:
            prompts.append((slice(queries[i], queries[i + 1]), slice(keys[i], keys[i + 1])))
    single.sort()
    groups: list[list[tuple[int, int]]] = []
    for seen, i in single:
        if not groups or seen > max(_SMALL, _GROUP * groups[-1][0][0]):
            groups.append([])
        groups[-1].append((seen, i))
    whole = len(groups) == 1 and not prompts
    return _Layout([_group(group, queries, keys, whole, device) for group in groups], prompts)


def _group(
    group: Sequence[tuple[int, int]],
    queries: Sequence[int],
    keys: Sequence[int],
    whole: bool,
    device: Any,
) -> _Group:
    """Samples of similar lengths, each given as its keys and its place in the step."""
    import torch

    ordered = sorted(group, key=lambda one: one[1])
    lengths = torch.tensor([[seen] for seen, _ in ordered])
    starts = torch.tensor([[keys[i]] for _, i in ordered])
    width = int(lengths.max())
    places = torch.arange(width)
    inside = places < lengths
    chosen = None if whole else torch.tensor([queries[i] for _, i in ordered], device=device)
    return _Group(
        chosen,
        (starts + places * inside).flatten().to(device),
        width,
        None if bool(inside.all()) else inside[:, None, None, :].to(device),
    )


def _causal(new: slice, seen: slice, window: int | None, device: Any) -> Any:
    """The mask of a sample with several new tokens; None where a plain causal one is meant."""
    import torch

    n, n_keys = new.stop - new.start, seen.stop - seen.start
    if n == n_keys and (window is None or n_keys <= window):
        return None
    behind = torch.arange(n_keys - n, n_keys, device=device)[:, None] - torch.arange(
        n_keys, device=device
    )
    return (behind >= 0) if window is None else (behind >= 0) & (behind < window)
