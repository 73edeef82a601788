// Runs inside the panel's webview. Text of models and files reaches the page through textContent alone.
import type { Candidate, Side, Stage, Stages, Token, TokenAnswer } from "../../server/protocol";
import { percent } from "./format";
import type { FromPage, ToPage } from "./messages";

declare function acquireVsCodeApi(): { postMessage(message: FromPage): void };

const editor = acquireVsCodeApi();
const content = document.getElementById("content") as HTMLElement;
/** One sentence on the token, for screen readers; the tables would be too much at every move of the cursor. */
const spoken = document.getElementById("spoken") as HTMLElement;
/** Which prefixes the reader has unfolded; kept while the cursor moves. */
const unfolded = new Set<string>();

type Child = Node | string;

function element(tag: string, attributes: Record<string, string>, ...children: Child[]): HTMLElement {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

function show(message: ToPage): void {
  document.body.dataset.palette = message.palette;
  const token = message.kind === "token" ? message.answer.tokens[0] : undefined;
  spoken.textContent = token ? `${nameOf(token)}: ${classOf(token)}, ${ranksOf(token)}` : "";
  content.replaceChildren(
    ...(message.kind === "empty" ? [element("p", { class: "hint" }, message.message)] : answer(message.answer)),
    buttons(),
  );
}

function answer(found: TokenAnswer): HTMLElement[] {
  if (found.tokens.length === 0) {
    return [element("p", { class: "hint" }, found.refusal ?? "This position is not scored yet.")];
  }
  return [
    ...found.tokens.map((token) => tokenSection(token, found.models)),
    ...prefixes(found),
    ...found.notes.map((note) => element("p", { class: "note" }, note)),
  ];
}

function tokenSection(token: Token, models: TokenAnswer["models"]): HTMLElement {
  const name = nameOf(token);
  const facts = (token.facts ?? []).map((fact) => element("li", {}, fact.sentence));
  return element(
    "section",
    { class: `token ${token.class ?? "unknown"}`, "aria-label": `${name}, ${classOf(token)}` },
    element(
      "h2",
      {},
      element("span", { class: "token-text" }, name),
      " ",
      element("span", { class: "class" }, classOf(token)),
    ),
    element("ul", { class: "facts" }, ...facts),
    element(
      "div",
      { class: "sides" },
      ...(token.base ? [side(`Base@${token.index + 1}`, models.base, token.base, token)] : []),
      side(`${token.base ? "Aligned" : "Model"}@${token.index + 1}`, models.aligned, token.aligned, token),
    ),
    ...(token.stages ? [stagesSection(token.stages)] : []),
  );
}

function nameOf(token: Token): string {
  return token.isEnd ? "End of the response" : token.text;
}

function classOf(token: Token): string {
  return token.classText ?? token.class ?? "class unknown";
}

function ranksOf(token: Token): string {
  return token.base
    ? `base rank ${rankOf(token.base)}, aligned rank ${rankOf(token.aligned)}`
    : `the model's own rank ${rankOf(token.aligned)}`;
}

function rankOf(of: Side): string {
  return of.rankText ?? String(of.rank ?? "unknown");
}

function side(title: string, model: string | null, of: Side, token: Token): HTMLElement {
  const head = element(
    "tr",
    {},
    element("th", { class: "rank", scope: "col" }, "rank"),
    element("th", { scope: "col" }, "token"),
    element("th", { class: "prob", scope: "col" }, "prob."),
    element("th", { class: "bar", "aria-hidden": "true" }),
  );
  const rows = of.top.map((candidate, index) => candidateRow(candidate, String(index + 1)));
  // In a pair, a token without an id is not one of this model's; a file may name tokens by their texts alone.
  if (
    (token.base === null || (of.id !== null && of.id >= 0)) &&
    !of.top.some((candidate) => candidate.isResponse)
  ) {
    const text = of.id === token.id && token.text !== "" ? token.text : idWords(of.id);
    rows.push(candidateRow({ id: of.id, text, prob: of.prob, isResponse: true }, rankOf(of)));
  }
  rows.push(row("rest", "", "all others", of.missingMass));
  return element(
    "section",
    { "aria-label": model ? `${title}, ${model}` : title },
    element("h3", {}, model ? `${title} · ${model}` : title),
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
  );
}

function candidateRow(candidate: Candidate, rank: string): HTMLElement {
  const text = candidate.text === "" ? idWords(candidate.id) : candidate.text;
  return candidate.isResponse
    ? row("response", rank, `${text} ◀`, candidate.prob, `rank ${rank}, the response token`)
    : row("", rank, text, candidate.prob);
}

function stagesSection(found: Stages): HTMLElement {
  const head = element(
    "tr",
    {},
    element("th", { class: "rank", scope: "col" }, "stage"),
    element("th", { scope: "col" }, "model"),
    element("th", { class: "rank", scope: "col" }, "rank"),
    element("th", { class: "prob", scope: "col" }, "prob."),
    element("th", { class: "bar", "aria-hidden": "true" }),
  );
  const rows = found.rows.map((stage, index) => stageRow(stage, index, index === found.first));
  return element(
    "section",
    { class: "stages", "aria-label": "Stages" },
    element("h3", {}, "Stages"),
    element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)),
    element("p", { class: "first" }, found.sentence),
    ...found.rows.flatMap(({ problem, notes }, index) =>
      [...notes, ...(problem === null ? [] : [problem])].map((words) =>
        element("p", { class: "note" }, `Stage ${index + 1}: ${words}`),
      ),
    ),
  );
}

function stageRow(stage: Stage, index: number, isFirst: boolean): HTMLElement {
  return element(
    "tr",
    { class: isFirst ? "stage moved-first" : "stage" },
    element("td", { class: "rank" }, String(index + 1)),
    element("td", { class: "model" }, stage.model),
    element("td", { class: "rank" }, stage.rankText ?? "–"),
    element("td", { class: "prob" }, percent(stage.prob)),
    bar(stage.prob),
  );
}

function idWords(id: number | null): string {
  return id === null ? "a token without a known text" : `id ${id}`;
}

function row(kind: string, rank: string, text: string, prob: number | null, label?: string): HTMLElement {
  return element(
    "tr",
    { class: kind },
    element("td", { class: "rank", ...(label ? { "aria-label": label } : {}) }, rank),
    element("td", { class: "token-text" }, text),
    element("td", { class: "prob" }, percent(prob)),
    bar(prob),
  );
}

function bar(prob: number | null): HTMLElement {
  const fill = element("div", { class: "fill" });
  fill.style.width = `${100 * Math.min(1, Math.max(0, prob ?? 0))}%`;
  return element("td", { class: "bar", "aria-hidden": "true" }, element("div", { class: "track" }, fill));
}

function prefixes(found: TokenAnswer): HTMLElement[] {
  if (!found.prefix) {
    return [];
  }
  const texts = {
    "What the base model read before": found.prefix.base,
    "What the aligned model read before": found.prefix.aligned,
  };
  return Object.entries(texts).map(([title, text]) => {
    const details = element(
      "details",
      {},
      element("summary", {}, title),
      element("pre", {}, text),
    ) as HTMLDetailsElement;
    details.open = unfolded.has(title);
    details.addEventListener("toggle", () => (details.open ? unfolded.add(title) : unfolded.delete(title)));
    return details;
  });
}

function buttons(): HTMLElement {
  const button = (label: string, direction: "next" | "previous") => {
    const made = element("button", { type: "button", id: `go-${direction}` }, label);
    made.addEventListener("click", () => editor.postMessage({ kind: "go", direction }));
    return made;
  };
  return element(
    "div",
    { class: "buttons", role: "group", "aria-label": "Shifted tokens" },
    button("Previous shifted", "previous"),
    button("Next shifted", "next"),
  );
}

window.addEventListener("message", (event: MessageEvent<ToPage>) => {
  // The buttons are made anew with every token: keep the keyboard where it was.
  const focused = document.activeElement?.id;
  show(event.data);
  if (focused) {
    document.getElementById(focused)?.focus();
  }
});
editor.postMessage({ kind: "ready" });
