// What a voice has written so far, put together from the parts of the answer. Needs no editor.
import type { ContinueHeader, ContinuePart } from "../../server/protocol";

const ENDS = {
  end: "it ends the text",
  close: "it closes its context",
  length: "cut where it was to be cut",
  room: "the model takes no more",
} as const;

/** One voice of several that are asked for: the one with this alpha (-1 the base model, 0 the aligned one). */
export class Written {
  #header: ContinueHeader | undefined;
  #text = "";
  #end: keyof typeof ENDS | null = null;

  constructor(readonly alpha: number) {}

  /** Take a part of the answer; whether anything of this voice changed. */
  take(part: ContinuePart): boolean {
    if (part.voices !== undefined && part.said !== undefined) {
      this.#header = { notes: [], models: { base: "", aligned: "" }, ...part } as ContinueHeader;
    }
    const voice = this.#header?.voices.findIndex(({ alpha, seed }) => alpha === this.alpha && seed === null);
    const own = part.tokens.filter((token) => token.voice === voice);
    for (const { text, end } of own) {
      this.#text += text;
      this.#end = end;
    }
    return own.length > 0 || part.said !== undefined;
  }

  /** What the response says there, as far as the voice may write. */
  get said(): string {
    return this.#header?.said ?? "";
  }

  get text(): string {
    return this.#text;
  }

  get notes(): readonly string[] {
    return this.#header?.notes ?? [];
  }

  /** Why it ended, in words; empty while it goes on. */
  get ended(): string {
    return this.#end === null ? "" : ENDS[this.#end];
  }
}
