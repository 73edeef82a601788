// Between the server's tokens and the editor: which classes are shown, and in which palette. Nothing is written into
// the user's settings: the palette is one more modifier on every token, for which the manifest has colours of its own.
import * as vscode from "vscode";
import type { LanguageClient, SemanticTokensMiddleware, StaticFeature } from "vscode-languageclient/node";
import { SemanticTokensRegistrationType } from "vscode-languageclient/node";
import { SECTION } from "../../server/settings";
import { type Styling, shownTokens, spliced } from "./paint";
import { palette } from "./palette";

const COLOUR_BLIND = "colourBlind";
const CACHED_ANSWERS = 4;
const SETTINGS = ["palette", "showUnshifted"];

interface Legend {
  tokenTypes: string[];
  tokenModifiers: string[];
}

export class TokenStyling implements SemanticTokensMiddleware {
  #legend: Legend = { tokenTypes: [], tokenModifiers: [] };
  /** What the server sent lately of each document, which a next answer may refer to; not the editor alone asks. */
  #sent = new WeakMap<vscode.TextDocument, readonly vscode.SemanticTokens[]>();

  /** Adds our modifier to the legend before the editor hears of it. */
  readonly feature: StaticFeature = {
    fillClientCapabilities: () => undefined,
    preInitialize: (capabilities) => {
      const legend = capabilities.semanticTokensProvider?.legend;
      if (legend) {
        legend.tokenModifiers = [...legend.tokenModifiers, COLOUR_BLIND];
        this.#legend = legend;
      }
    },
    initialize: () => undefined,
    getState: () => ({ kind: "static" }),
    clear: () => {
      this.#sent = new WeakMap();
    },
  };

  readonly provideDocumentSemanticTokens: NonNullable<SemanticTokensMiddleware["provideDocumentSemanticTokens"]> =
    async (document, token, next) => this.#keep(document, await next(document, token));

  readonly provideDocumentSemanticTokensEdits: NonNullable<
    SemanticTokensMiddleware["provideDocumentSemanticTokensEdits"]
  > = async (document, previous, token, next) => {
    const answer = await next(document, previous, token);
    if (!answer || "data" in answer) {
      return this.#keep(document, answer);
    }
    const before = this.#sent.get(document)?.find(({ resultId }) => resultId === previous);
    if (!before) {
      // Without an answer the editor keeps the colours that it has; an empty one would take them away.
      throw new vscode.CancellationError();
    }
    return this.#keep(document, new vscode.SemanticTokens(spliced(before.data, answer.edits), answer.resultId));
  };

  readonly provideDocumentRangeSemanticTokens: NonNullable<
    SemanticTokensMiddleware["provideDocumentRangeSemanticTokens"]
  > = async (document, range, token, next) => {
    const answer = await next(document, range, token);
    return answer && new vscode.SemanticTokens(shownTokens(answer.data, this.#stylingOf(document)));
  };

  #keep(document: vscode.TextDocument, answer: vscode.SemanticTokens | null | undefined) {
    if (!answer) {
      return answer;
    }
    this.#sent.set(document, [answer, ...(this.#sent.get(document) ?? [])].slice(0, CACHED_ANSWERS));
    return new vscode.SemanticTokens(shownTokens(answer.data, this.#stylingOf(document)), answer.resultId);
  }

  #stylingOf(document: vscode.TextDocument): Styling {
    const settings = vscode.workspace.getConfiguration(SECTION, document.uri);
    const unshifted = this.#legend.tokenTypes.indexOf("unshifted");
    const bit = this.#legend.tokenModifiers.indexOf(COLOUR_BLIND);
    return {
      hidden: settings.get("showUnshifted", false) ? undefined : unshifted,
      extraModifiers: palette(document.uri) === COLOUR_BLIND && bit >= 0 ? 1 << bit : 0,
    };
  }
}

/** Have the editor ask for all tokens again when a setting of their look changes. */
export function redrawOnChange(client: () => LanguageClient | undefined): vscode.Disposable {
  return vscode.workspace.onDidChangeConfiguration((event) => {
    if (SETTINGS.some((name) => event.affectsConfiguration(`${SECTION}.${name}`))) {
      const feature = client()?.getFeature(SemanticTokensRegistrationType.method);
      for (const document of vscode.workspace.textDocuments) {
        feature?.getProvider(document)?.onDidChangeSemanticTokensEmitter.fire();
      }
    }
  });
}
