// What the client and the server say to each other beyond the protocol's own messages. Long, as it is one list of shapes.

/** Where a document stands between text and colours. */
export type State =
  | "noTranscript"
  /** A transcript in which nothing is to be scored. */
  | "noResponse"
  | "noPair"
  | "notScored"
  | "waiting"
  | "loading"
  | "scoring"
  | "ready"
  | "error";

/** Sent by the server whenever the state of a document changes. */
export interface StatusParams {
  uri: string;
  state: State;
  message: string;
  /** Progress from 0 to 1, where it is known. */
  fraction?: number | null;
  /** The response that is being scored, from 1, and how many there are; of a file scored in part, how many of how many. */
  part?: [number, number] | null;
  version?: number;
}

export const STATUS = "shiftlens/status";
export const OPEN_SETTINGS = "shiftlens/openSettings";
export const CHOOSE_MODELS = "shiftlens/chooseModels";
export const ANALYSIS = "shiftlens/analysis";
/** As ANALYSIS, of a file that is not open. */
export const SURVEY = "shiftlens/survey";
/** The scheme and the language of the pages that the server writes; `views/conversation` makes their URIs. */
export const PAGE_SCHEME = "shiftlens-conversation";
export const PAGE_LANGUAGE = "shiftlens-conversation";
/** The text of a page; LSP 3.18 has it. */
export const PAGE_CONTENT = "workspace/textDocumentContent";
export const PAGE_REFRESH = "workspace/textDocumentContent/refresh";
export const TOKEN = "shiftlens/token";
export const TOKENS = "shiftlens/tokens";
export const NEXT = "shiftlens/next";
export const CONTINUE = "shiftlens/continue";
export const CROSS_SAMPLE = "shiftlens/crossSample";
export const CONTEXTS = "shiftlens/contexts";
export const NOISE_FLOOR = "shiftlens/noiseFloor";

/** Our commands that code lenses may name: the report gets a URI, the others a URI and a position. */
export const LENS_COMMANDS = ["shiftlens.showDistributions", "shiftlens.openReport", "shiftlens.crossSample"];

/** Commands that the server carries out; the editor's own commands have other names. */
export const ServerCommand = {
  score: "shiftlens.score",
  scoreResponses: "shiftlens.scoreResponses",
  cancel: "shiftlens.cancel",
  unload: "shiftlens.unload",
  clearCache: "shiftlens.clearCache",
  useBundledPair: "shiftlens.useBundledPair",
  localModels: "shiftlens.localModels",
  report: "shiftlens.report",
  debugInformation: "shiftlens.debugInformation",
  insertAlternative: "shiftlens.insertAlternative",
} as const;

/** A position or range as the protocol has them; columns in UTF-16 units here. */
export interface Position {
  line: number;
  character: number;
}

export interface Range {
  start: Position;
  end: Position;
}

export type Direction = "next" | "previous";

/** What to go to: a shifted token, or a run of shifted tokens that stand close together. */
export type Target = "token" | "run";

export interface NextParams {
  uri: string;
  position: Position;
  of: Target;
  direction: Direction;
}

/**
 * The answer to NEXT; null where there is none. `complete`: all of the file has its scores; `wrapped`: it was found from the
 * other end of the file; `shifted` of `tokens` are shifted.
 */
export interface NextAnswer {
  complete: boolean;
  wrapped: boolean;
  tokens: number;
  shifted: number;
  range: { start: Position; end: Position };
}

export interface ContinueParams {
  uri: string;
  position: Position;
  alpha?: number;
  partialResultToken: string;
}

/** What CONTINUE tells first: where it goes on, what the response says there, and which voices write. */
export interface ContinueHeader {
  models: { base: string; aligned: string };
  said: string;
  notes: string[];
  voices: { name: string; alpha: number; seed: number | null }[];
}

/** A token of a voice; `end` says why its last one is the last. */
export interface ContinueToken {
  voice: number;
  text: string;
  end: "end" | "close" | "length" | "room" | null;
}

/** Each partial result: the first has the header, all others have tokens. */
export type ContinuePart = Partial<ContinueHeader> & { tokens: ContinueToken[] };

export interface CrossSampleParams {
  uri: string;
  position: Position;
  /** So many of the most shifted tokens of the response there, instead of the token there. */
  most?: number;
  /** These in one go, in an answer that is written anew. */
  together?: boolean;
  samples: number;
  maxTokens?: number;
}

export interface ContextsParams {
  uri: string;
  contexts: string[];
}

/** `against` is a dtype, "int8" or the path of a GGUF file; empty for a dtype that is not the pair's own. */
export interface NoiseFloorParams {
  uri: string;
  against: string;
}

/**
 * What the answers to CROSS_SAMPLE, CONTEXTS and NOISE_FLOOR have in common: a page of plain text, and links from places in
 * it into the document, of which `version` the places are.
 */
export interface TextPage {
  version: number;
  text: string;
  links: { range: Range; target: Range }[];
}

/** The answer to NOISE_FLOOR, as far as it is read here: the marginal and shifted tokens within the floor. */
export interface NoiseFloorAnswer extends TextPage {
  responses: { tokens: { range: Range | null }[] }[];
}

/** The answer to `insertAlternative`; null where no scored token stands. `as` says in words how it was written. */
export interface AlternativeAnswer {
  written: "conversation" | "turn" | "exchange";
  as: string;
  range: { start: Position; end: Position };
}

/** Where a model is, and how many bytes its files have there. */
export interface LocalModel {
  name: string;
  where: "bundled" | "folder" | "file" | "cache" | "missing";
  size: number;
}

/** The models that were asked about, and those of the Hugging Face cache. */
export interface LocalModels {
  named: LocalModel[];
  cached: LocalModel[];
}

export interface Candidate {
  id: number | null;
  text: string;
  prob: number | null;
  isResponse: boolean;
}

/**
 * One model's view of a position. `missingMass` is the probability of everything not in `top`. There is no `id` where the
 * position is not one token of this model's; `rank` is null where it is not known exactly, and `rankText` says what is
 * known of it. An older server sends no `rankText`, and -1 for no id.
 */
export interface Side {
  id: number | null;
  rank: number | null;
  rankText?: string;
  logprob: number | null;
  prob: number | null;
  entropy: number | null;
  missingMass: number | null;
  top: Candidate[];
}

/**
 * What one of the user's further models gave for a token; `problem` says why there are no numbers, where there are none, and
 * `notes` what is to be known of the response under it.
 */
export interface Stage {
  model: string;
  rank: number | null;
  rankText: string | null;
  prob: number | null;
  moved: boolean | null;
  problem: string | null;
  notes: string[];
}

/** A token under each stage; `first` is the index of the one that moved it first, and `sentence` says that in words. */
export interface Stages {
  rows: Stage[];
  first: number | null;
  known: boolean;
  sentence: string;
}

/** One thing to know of a token; the server alone puts it in words. `sentence` is the label and the text. */
export interface Fact {
  kind: string;
  label: string;
  text: string;
  sentence: string;
}

/**
 * `kl` is KL(aligned || base) over the vocabulary in nats, `jaccard` that of the ten most likely tokens; `shortened` names
 * the models that did not see the whole context; `part` is what the token is of ("answer", "reasoning", "tool call").
 */
export interface Token {
  index: number;
  id: number | null;
  text: string;
  class: "shifted" | "marginal" | "unshifted" | null;
  /** The class in words, which are others in scores of one model alone. An older server sends none. */
  classText?: string | null;
  isEnd: boolean;
  part: string;
  /** What kind of token it is ("content", "format" and so on). An older server sends none. */
  kind?: string;
  special: boolean;
  boundary: boolean;
  offGreedy: boolean;
  shortened: ("base" | "aligned")[];
  /** Null in scores of one model alone, as a file may hold them; then `aligned` is that model's. */
  base: Side | null;
  aligned: Side;
  baseRankOfAlignedTop: number | null;
  /** For a token that the base model, of another vocabulary, cuts in another way: a sentence that says how. */
  realigned: string | null;
  /** The numbers of AlignTDS in a sentence, where they were asked for. */
  reference: string | null;
  kl: number | null;
  jaccard: number | null;
  /** All that is to be told in words. An older server sends none. */
  facts?: Fact[];
  /** Only where the user named stages. */
  stages?: Stages;
}

/** The answer to TOKEN, for a place in a response. */
export interface TokenAnswer {
  uri: string;
  version: number;
  analysedVersion: number;
  responseIndex: number;
  /** Which turn of which conversation it is, in a file of several; else empty. */
  turn: string;
  tokenCount: number | null;
  partial: boolean;
  refusal: string | null;
  range: { start: Position; end: Position } | null;
  models: { base: string | null; aligned: string | null };
  baseContext: string | null;
  prefix: { base: string; aligned: string } | null;
  notes: string[];
  tokens: Token[];
}

/** Counts of all positions that were scored; `unknown` are those of which no class can be told, where there are any. */
export interface Counts {
  tokens: number;
  unshifted: number;
  marginal: number;
  shifted: number;
  unknown?: number;
}

/**
 * `byPart` has the counts of each kind of part, where not all is answers, `byKind` those of each kind of token,
 * `byLossMask` those by what the aligned model's chat template marks for training, where it marks something.
 */
export interface ResponseSummary extends Counts {
  byPart?: ({ kind: string } & Counts)[];
  byKind?: ({ kind: string } & Counts)[];
  byLossMask?: ({ kind: string } & Counts)[];
}

/** `notScored`: no part of the response is of a kind that is scored. */
export type ResponseState = "pending" | "partial" | "scored" | "refused" | "notScored";

/**
 * The answer to ANALYSIS, as far as the client reads it. `prompt` holds the first words of what was asked, `turn` which
 * turn of which conversation it is, in a file of several, `label` who wrote it or which of several answers it is, in the
 * file's word. `problems` counts the parts of the file that could not be read. An older server sends none of the optional.
 */
export interface AnalysisAnswer {
  uri: string;
  state: State;
  models?: { base: string | null; aligned: string | null } | null;
  problems?: number;
  responses: {
    index: number;
    state: ResponseState;
    message: string;
    prompt: string;
    turn: string;
    label?: string;
    /** What the file says of whether the turn is trained on; empty where it does not say. An older server sends none. */
    training?: string;
    range: { start: Position; end: Position } | null;
    summary: ResponseSummary | null;
    notes?: string[];
  }[];
}

/** The answer to TOKENS: columns of equal length; `ranges` holds line, start and end of each token. */
export interface TokensAnswer {
  version: number;
  ranges: number[];
  kl: (number | null)[];
  baseProb: (number | null)[];
}
