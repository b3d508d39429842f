"""The model in training: weights, their running mean, the optimizer and the stream of lessons."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Sequence

import torch
from lesson import Lesson
from problems import held_out_statements, lessons
from tokenizer import completion_text, prompt_text, train_tokenizer
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from harness.data.prompts import render
from harness.tasks.practice import PROMPTS

# Lessons of each family in a batch. Equal shares leave choice at chance and teach code perfectly.
MIXTURE = {"integer": 10, "math": 8, "choice": 10, "code": 4}
TOKENIZER_BATCHES = 100
LEARNING_RATE = 3e-3
WARM_UP = 50
FLAT = 0.5
AVERAGE = 0.99
CONTEXT = 4096
IGNORED = -100

Encoded = tuple[list[int], list[int]]


class Training:
    """Everything that changes while the model learns, a function of the seed and the step.

    Args:
        steps: how many there will be, for the schedule of the learning rate.
        seed: of the weights and the lessons.
    """

    def __init__(self, steps: int, seed: int) -> None:
        self._stream = lessons(MIXTURE, random.Random(seed), held_out_statements())
        first = [one for _ in range(TOKENIZER_BATCHES) for one in next(self._stream)]
        self.tokenizer = train_tokenizer(text for one in first for text in lesson_texts(*one))
        self.model = new_model(self.tokenizer, seed)
        self.mean = copy.deepcopy(self.model)
        self.steps, self.done = steps, 0
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.01
        )

    def step(self) -> float:
        """Learn one batch; return its loss in nats per token of the completions."""
        self.done += 1
        rate = LEARNING_RATE * schedule(self.done, self.steps)
        self._optimizer.param_groups[0]["lr"] = rate
        self._optimizer.zero_grad()
        loss = add_gradients(self.model, encode(self.tokenizer, next(self._stream)))
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self._optimizer.step()
        self._average()
        return loss

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(AVERAGE, self.done / (self.done + 10))
        for mean, weight in zip(self.mean.parameters(), self.model.parameters(), strict=True):
            mean.lerp_(weight, 1 - keep)

    def snapshot(self) -> LlamaForCausalLM:
        """Copy the running mean of the weights, which is what is measured and kept, in bfloat16."""
        return copy.deepcopy(self.mean).bfloat16()


def schedule(step: int, steps: int) -> float:
    """Factor of the learning rate: warm-up, flat, then linear down to 3 %."""
    decay = max(0.0, (step / steps - FLAT) / (1 - FLAT))
    return min(1.0, step / WARM_UP) * (1 - 0.97 * decay)


def new_model(tokenizer: PreTrainedTokenizerFast, seed: int) -> LlamaForCausalLM:
    """Build the model with random weights that follow from the seed."""
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=128,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def lesson_texts(family: str, lesson: Lesson) -> tuple[str, str]:
    """Write a lesson as (user's turn, completion), in the wording of the practice tasks."""
    prompt = render(PROMPTS[family], lesson.problem, order=lesson.order)
    return prompt.user, completion_text(lesson.reasoning, lesson.response)


def encode(
    tokenizer: PreTrainedTokenizerFast, batch: Sequence[tuple[str, Lesson]]
) -> list[Encoded]:
    """Turn lessons into token ids of prompt and completion, apart as they are in sampling."""
    texts = [lesson_texts(family, lesson) for family, lesson in batch]
    prompts = tokenizer([prompt_text(tokenizer, user) for user, _ in texts])["input_ids"]
    completions = tokenizer([completion for _, completion in texts])["input_ids"]
    end = tokenizer.eos_token_id
    return [(prompt, [*ids, end]) for prompt, ids in zip(prompts, completions, strict=True)]


def halves(encoded: list[Encoded]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield (ids, labels), shape (sequences, tokens), in two halves by length to spare padding."""
    encoded = sorted(encoded, key=lambda pair: len(pair[0]) + len(pair[1]))
    middle = len(encoded) // 2
    for half in (encoded[:middle], encoded[middle:]):
        width = max(len(prompt) + len(completion) for prompt, completion in half)
        ids = torch.zeros((len(half), width), dtype=torch.long)
        labels = torch.full_like(ids, IGNORED)
        for row, (prompt, completion) in enumerate(half):
            end = len(prompt) + len(completion)
            ids[row, :end] = torch.tensor(prompt + completion)
            labels[row, len(prompt) : end] = torch.tensor(completion)
        yield ids, labels


def add_gradients(model: LlamaForCausalLM, encoded: list[Encoded]) -> float:
    """Add up the gradients of one batch; return its loss in nats per token of the completions."""
    n_tokens = sum(len(completion) for _, completion in encoded)
    total = 0.0
    for ids, labels in halves(encoded):
        # Padding stands on the right, where causal attention does not look.
        hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
        due = labels[:, 1:]
        logits = model.lm_head(hidden[due != IGNORED])
        loss = functional.cross_entropy(logits, due[due != IGNORED], reduction="sum") / n_tokens
        loss.backward()
        total += loss.item()
    return total
