"""Prints `docs/kinds.md`: the kinds of tokens, the rule of each, and the word lists, as the code has them."""

from __future__ import annotations

from shiftlens.analysis.phrases import CLOSING_SENTENCES, OPENING_SENTENCES
from shiftlens.analysis.token_kind import RULES, TokenKind
from shiftlens.options.word_lists import LISTS, default_word_lists

LANGUAGES = {"de": "German", "en": "English", "es": "Spanish", "fr": "French", "zh": "Chinese"}
NUMBERS = ("no", "one", "two", "three", "four", "five")
FIRST, LAST = NUMBERS[OPENING_SENTENCES], NUMBERS[CLOSING_SENTENCES]

INTRODUCTION = """\
# What kind of token moved

Each position of a response is of one kind. The kind goes by the text of the response and its parts alone, not by the
models' numbers, so that shares by kind say what alignment moves: the layout, the manner, or the content. Views give the
kind of a token, and counts and shares of each kind: in the terminal, in the JSON (`kind` of a token, `by_kind` of a
summary), in the report, in the hover, in the panel, and in the *Responses* view when you point at a response.

The rules are simple and can be checked by eye; they know no grammar. "Second" is a connective where it counts seconds,
and a warning in words of no list is content. The lists of manner begin with what Lin et al. (arXiv 2312.01552) found
shifted most: greetings, thanks, discourse markers, disclaimers, offers of more help.

This page is written by `make docs`, from `server/shiftlens/analysis/token_kind.py` and the lists in
`server/shiftlens/options/words/`."""

HOW = f"""\
## How a kind is found

The first of these that fits decides.

1. A special token, the end of the response, a position of a tool call, or of a mark such as `<think>`: **syntax**.
2. A position of the reasoning: **reasoning**.
3. A token is of the kind of the word that it belongs to, however the word is cut: `how` and `ever` are both of
   "however", and each piece of a character is of that character's word. A token with more than one word is of the
   first. A phrase is one word here, the spaces in it and the punctuation right behind it included.
4. Of the phrases that begin at a word, the longest counts. Where one is in several lists, opener goes before closer,
   closer before hedge, hedge before connective. Openers count in the first {FIRST} sentences of the turn's first
   answer, closers in the last {LAST} of its last; elsewhere the next list that the phrase is in counts, if any. A
   sentence ends at `.`, `!`, `?`, `…` or a line break, and has a word.
5. A token without letter or digit is **format** where one of its characters is a mark of layout or a line break.
6. White space alone is **format**, also inside code.
7. Everything else is **content**. Inside code (fences, backquotes) no word is looked up and nothing is a mark.

The language of an answer is that whose "common" words it has most of; in a tie all of these count, and where there are
none, as in "Sure!", the lists of all languages do. A language without such words always counts. Upper and lower case
are the same, so are straight and curly apostrophes. Chinese needs no spaces: there, phrases are found anywhere.

## Lists of your own

`--word-lists FILE`, the setting `shiftlens.wordLists` and `word_lists` of the Python API name a JSON file:

    {{"en": {{"hedges": ["maybe", "I would argue"], "openers": []}},
     "it": {{"common": ["il", "di", "che"], "connectives": ["però"], "openers": ["certo"]}}}}

A list there takes the place of the list of that name in that language; other lists and languages stay as they are. A
file that can't be used is told of with its place; on the command line nothing is scored then, and an editor goes on
with the lists below. The JSON says in `settings.word_lists` whose lists it were."""


MASK = """\
## What is trained on

Where a file says which turns a model is trained on (the loss mask of supervised fine-tuning), views say it beside the
kinds: in the hover and the panel, below each response in the terminal and the report, in the *Responses* view, and as
`trained` ("yes", "no", "partly") of a response in the JSON. The terminal gives the shares of both sorts of responses.

| where | what | who writes it |
| --- | --- | --- |
| a message | `weight`: 0 is not trained on, above 0 is | OpenAI's and Mistral's fine-tuning |
| a message | `train` or `training`: true or false | axolotl |
| a message | `train_detail` or `training_detail`: pieces, each with `train`; "partly" where one is true | axolotl |
| a message | `loss` or `loss_mask`: true, false, 1 or 0 | ms-swift and others |
| a record | `mask`: the speaker whose turns are not trained on | NeMo's chat format |
| a record | `mask_history`: true where the last answer alone is trained on | LLaMA-Factory's option |

What a message says of itself goes before what its record says. A flag that says neither, or flags that contradict each
other, are told of, and the turn counts as one of which the file does not say. These members are read in messages as
OpenAI's API has them, in ShareGPT's records and in JSONL with one message a line.

**Which tokens** of a turn are counted, a chat template may say. Templates that are made for training put
`{% generation %}` around what the assistant writes, and a trainer with a loss on the assistant's tokens alone (TRL's
`assistant_only_loss`, `return_assistant_tokens_mask` of Transformers) counts what stands inside. Where the aligned
model's template does so, each position has a loss mask:

| loss mask | what it is |
| --- | --- |
| counted | the template marks the token; a trainer counts it |
| left out | the template writes the token and does not mark it. The end of a response is often such a token |
| unknown | the template does not write the token: white space that it trims, or a thought that it drops |

Hover, panel and report tell it of each token, and shares of each stand below those by kind: in the terminal, the
report, the *Responses* view, the JSON (`loss_mask` of a token, `by_loss_mask` of a summary), the tables and corpora. It
is that of the conversation up to this response, as Transformers counts it: a token counts where it has a character that
is marked; of a character that several tokens share, at the end of what is marked, the first of them alone. Nothing is
shown where the template marks nothing, nor with another aligned context than `chat`, nor with the numbers of the
AlignTDS code. What the options of a training framework mask is not known."""


def page() -> str:
    parts = [INTRODUCTION, "## The kinds", _kinds(), HOW, MASK, "## The lists"]
    for words in default_word_lists():
        parts.append(f"### {LANGUAGES.get(words.language, words.language)} (`{words.language}`)")
        parts += [f"{name}: {', '.join(getattr(words, name))}" for name in LISTS]
    return "\n\n".join(parts) + "\n"


def _kinds() -> str:
    rows = [f"| `{kind.label}` | {kind.words} | {RULES[kind]} |" for kind in TokenKind]
    return "\n".join(("| kind | shown as | what |", "| --- | --- | --- |", *rows))


if __name__ == "__main__":
    print(page(), end="")
