// What the user may ask for, and what each costs, in words. Needs no editor.
import type { CrossSampleParams } from "../../server/protocol";

/** An entry of a quick pick. */
export interface Offer<T> {
  label: string;
  description?: string;
  detail: string;
  value: T;
}

/** How a token, or several, is swapped: what CROSS_SAMPLE is asked beside the place. */
export type Swap = Pick<CrossSampleParams, "most" | "together" | "samples" | "maxTokens">;

/** The server's own number of tokens behind the position. */
const TOKENS = 40;
const ARMS = 4;
const SEVERAL = 5;
const SAMPLES = 4;
const MANY_SAMPLES = 16;
/** An answer in one go begins where the response does, and is to be whole. */
const ANSWER_TOKENS = 200;

/** Ways to test the token at a place, and the most shifted ones of its response; those come first where asked for. */
export function swaps(ofResponse: boolean): Offer<Swap>[] {
  const here: Offer<Swap>[] = [
    {
      label: "This token",
      description: `greedy and ${SAMPLES} samples`,
      detail: cost(1, SAMPLES),
      value: { samples: SAMPLES },
    },
    { label: "This token, quickly", description: "greedy alone", detail: cost(1, 0), value: { samples: 0 } },
    {
      label: "This token, with steadier numbers",
      description: `greedy and ${MANY_SAMPLES} samples`,
      detail: cost(1, MANY_SAMPLES),
      value: { samples: MANY_SAMPLES },
    },
  ];
  const several: Offer<Swap>[] = [
    {
      label: `The ${SEVERAL} most shifted tokens of this response`,
      description: `each by itself, greedy and ${SAMPLES} samples`,
      detail: cost(SEVERAL, SAMPLES),
      value: { most: SEVERAL, samples: SAMPLES },
    },
    {
      label: `The ${SEVERAL} most shifted tokens of this response, quickly`,
      description: "each by itself, greedy alone",
      detail: cost(SEVERAL, 0),
      value: { most: SEVERAL, samples: 0 },
    },
    {
      label: `The ${SEVERAL} most shifted tokens in one go`,
      description: `in an answer that is written anew, greedy and ${SAMPLES} samples`,
      detail: `The models write ${ARMS * (SAMPLES + 1)} answers of up to ${ANSWER_TOKENS} tokens.`,
      value: { most: SEVERAL, together: true, samples: SAMPLES, maxTokens: ANSWER_TOKENS },
    },
  ];
  return ofResponse ? several : [...here, ...several];
}

function cost(positions: number, samples: number): string {
  return `The models write ${positions * ARMS * (samples + 1)} continuations of up to ${TOKENS} tokens.`;
}

/** Stands for a file that the user is yet to choose. */
export const GGUF_FILE = "a file";

/** What to measure the noise against: other dtypes, and quantisations. */
export const AGAINST: readonly Offer<string>[] = [
  {
    label: "In another dtype than the pair's",
    detail: "bfloat16; float32 where the pair runs in another one.",
    value: "",
  },
  { label: "In bfloat16", detail: "Eight bits for the digits of a number.", value: "bfloat16" },
  { label: "In float16", detail: "Eleven bits for the digits of a number.", value: "float16" },
  { label: "In float32", detail: "Twenty-four bits for the digits of a number.", value: "float32" },
  {
    label: "With weights in int8",
    detail: "The weights of linear layers are rounded to eight bits, with a scale for each output.",
    value: "int8",
  },
  {
    label: "As a GGUF file has it...",
    detail: "A file of the aligned model, in whichever quantisation it has.",
    value: GGUF_FILE,
  },
];

export const NOISE_COST =
  "The aligned model is loaded a second time and scores the file; what it has scored before is kept";

/** What the base model may read before the response, by the names that the settings and the server have. */
export const CONTEXT_LABELS: Readonly<Record<string, string>> = {
  aligntds: "Query and answer fence",
  chat: "Chat template",
  raw: "Raw turns",
  "few-shot": "Few-shot",
};

export const CONTEXT_DETAILS: Readonly<Record<string, string>> = {
  aligntds: "The frame of the paper, so that figures compare with published ones.",
  chat: "The same text that the aligned model reads, with its chat template.",
  raw: "The turns alone, without any frame.",
  "few-shot": "A few examples of questions and answers before the conversation.",
};

/** The base contexts to compare: those with a name, and the template of the settings where there is one. */
export function contexts(ofSettings: string): Offer<string>[] {
  const named = Object.entries(CONTEXT_LABELS).map(([value, label]) => ({
    label,
    description: value,
    detail: CONTEXT_DETAILS[value] ?? "",
    value,
  }));
  const own = { label: "Your template", detail: "That of the settings.", value: ofSettings };
  return ofSettings.startsWith("template:") ? [...named, own] : named;
}

export const CONTEXTS_COST = "The file is scored once under each; scores that are kept are not made again";
