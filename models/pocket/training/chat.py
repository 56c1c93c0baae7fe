"""The conversation format: special tokens, chat template, and the same format as plain functions."""

from __future__ import annotations

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
THINK_START = "<think>"
THINK_END = "</think>"

CHAT_TEMPLATE = """\
{%- for message in messages %}
    {%- set content = message.content %}
    {%- if message.role == 'assistant' and '</think>' in content %}
        {%- set content = content.split('</think>')[-1].lstrip('\\n') %}
    {%- endif %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\\n' }}
    {%- if enable_thinking is defined and enable_thinking is false %}
        {{- '<think>\\n\\n</think>\\n\\n' }}
    {%- endif %}
{%- endif %}"""


def prompt(question: str, system: str | None, thinking: bool) -> str:
    """What the model is given: the same text as the chat template with add_generation_prompt."""
    head = f"{IM_START}system\n{system}{IM_END}\n" if system else ""
    tail = "" if thinking else f"{THINK_START}\n\n{THINK_END}\n\n"
    return f"{head}{IM_START}user\n{question}{IM_END}\n{IM_START}assistant\n{tail}"


def completion(reasoning: str, answer: int, thinking: bool) -> str:
    """What the model is trained to write."""
    head = f"{THINK_START}\n{reasoning}\n{THINK_END}\n\n" if thinking else ""
    return f"{head}\\boxed{{{answer}}}{IM_END}"
