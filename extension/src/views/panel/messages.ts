// What the panel and its page say to each other.

import type { TokenAnswer } from "../../server/protocol";
import type { Palette } from "../colours/paint";

/** To the page: the token under the cursor, or why there is none; and in which palette classes are shown. */
export type ToPage = { palette: Palette } & (
  | { kind: "token"; answer: TokenAnswer }
  | { kind: "empty"; message: string }
);

/** From the page. */
export type FromPage = { kind: "ready" } | { kind: "go"; direction: "next" | "previous" };
