// What is asked of the models beyond the colours: whether a token mattered, what hangs on the base context, what is noise.
// Each says what it costs before it begins, can be cancelled, and shows its result as a page beside the file.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import {
  CONTEXTS,
  type ContextsParams,
  CROSS_SAMPLE,
  type CrossSampleParams,
  NOISE_FLOOR,
  type NoiseFloorAnswer,
  type NoiseFloorParams,
  type Position,
  type TextPage,
} from "../../server/protocol";
import { SECTION } from "../../server/settings";
import { ggufFile } from "../ggufFile";
import { askWithProgress } from "./asking";
import { NoiseMarks } from "./noise";
import { AGAINST, CONTEXTS_COST, contexts, GGUF_FILE, NOISE_COST, swaps } from "./offers";
import { ResultPages } from "./pages";

const NO_TRANSCRIPT = "This file holds no response of a model.";

export class Results implements vscode.Disposable {
  readonly #pages = new ResultPages();
  readonly #noise = new NoiseMarks();

  constructor(private readonly client: () => LanguageClient | undefined) {}

  /** Of the token at the cursor; at a place as the server writes it, of the most shifted tokens of that response. */
  async crossSample(wireUri?: unknown, place?: Position): Promise<void> {
    const asked = await this.#document(wireUri);
    if (!asked) {
      return;
    }
    const { client, document, uri } = asked;
    const ofResponse = typeof wireUri === "string" && place !== undefined;
    const selection = vscode.window.activeTextEditor?.selection.active ?? new vscode.Position(0, 0);
    const position = ofResponse ? place : client.code2ProtocolConverter.asPosition(selection);
    const picked = await vscode.window.showQuickPick(swaps(ofResponse), {
      title: "Did this token matter? It is swapped for the base model's choice, and the models go on",
    });
    if (!picked) {
      return;
    }
    const params: CrossSampleParams = { uri, position, ...picked.value };
    const page = await askWithProgress<TextPage | null>(client, CROSS_SAMPLE, params, "Swapping tokens");
    if (page === null) {
      throw new Error("No scored token stands there.");
    }
    if (page) {
      const name = picked.value.together ? "did these tokens matter?" : "did this token matter?";
      await this.#pages.show(name, document, page);
    }
  }

  async compareContexts(): Promise<void> {
    const asked = await this.#document();
    if (!asked) {
      return;
    }
    const { client, document, uri } = asked;
    const own = vscode.workspace.getConfiguration(SECTION, document.uri).get("baseContext", "");
    const offers = contexts(own).map((offer) => ({ ...offer, picked: true }));
    const picked = await vscode.window.showQuickPick(offers, {
      canPickMany: true,
      title: "Compare base contexts",
      placeHolder: CONTEXTS_COST,
    });
    if (!picked) {
      return;
    }
    if (picked.length < 2) {
      await vscode.window.showInformationMessage("ShiftLens: Choose two base contexts or more to compare.");
      return;
    }
    const params: ContextsParams = { uri, contexts: picked.map(({ value }) => value) };
    const page = await askWithProgress<TextPage | null>(client, CONTEXTS, params, "Comparing base contexts");
    if (page === null) {
      throw new Error(NO_TRANSCRIPT);
    }
    if (page) {
      await this.#pages.show("base contexts", document, page);
    }
  }

  /** Measure it, list what lies within it, and grey that in the editors until the list is closed or the text changes. */
  async measureNoise(): Promise<void> {
    const asked = await this.#document();
    if (!asked) {
      return;
    }
    const { client, document, uri } = asked;
    const picked = await vscode.window.showQuickPick([...AGAINST], {
      title: "How far do the aligned model's numbers move in another dtype or quantisation?",
      placeHolder: NOISE_COST,
    });
    if (!picked) {
      return;
    }
    const against =
      picked.value === GGUF_FILE ? await ggufFile("A GGUF file of the aligned model", "Measure") : picked.value;
    if (against === undefined) {
      return;
    }
    const params: NoiseFloorParams = { uri, against };
    const answer = await askWithProgress<NoiseFloorAnswer | null>(
      client,
      NOISE_FLOOR,
      params,
      "Measuring the noise floor",
    );
    if (answer === null) {
      throw new Error(NO_TRANSCRIPT);
    }
    if (answer) {
      if (document.version === answer.version) {
        this.#noise.show(document.uri, answer);
      }
      await this.#pages.show("noise floor", document, answer, () => this.#noise.clear(document.uri, answer));
    }
  }

  dispose(): void {
    vscode.Disposable.from(this.#pages, this.#noise).dispose();
  }

  /** The document with a URI as the server writes it, else the active one; undefined without a server or a document. */
  async #document(
    wireUri?: unknown,
  ): Promise<{ client: LanguageClient; document: vscode.TextDocument; uri: string } | undefined> {
    const client = this.client();
    const document =
      typeof wireUri === "string"
        ? await vscode.workspace.openTextDocument(vscode.Uri.parse(wireUri))
        : vscode.window.activeTextEditor?.document;
    if (!client || !document) {
      return undefined;
    }
    return { client, document, uri: client.code2ProtocolConverter.asUri(document.uri) };
  }
}
