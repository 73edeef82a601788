// The questions of the Responses view: in which order, and which of them.
import * as vscode from "vscode";
import { type Filter, parseFilter, passes, suggestions, termsOf, toggled } from "./filter";
import { ORDERS, type Order } from "./order";
import type { Row } from "./rows";

/** Undefined if the user gave up. */
export async function pickOrder(now: Order): Promise<Order | undefined> {
  const items = (Object.keys(ORDERS) as Order[]).map((order) => {
    const [label, detail] = ORDERS[order];
    return { label, detail, description: order === now ? "now" : "", order };
  });
  const title = "ShiftLens: Order of the Responses";
  return (await vscode.window.showQuickPick(items, { title, placeHolder: `Now: ${ORDERS[now][0]}` }))?.order;
}

type Listed = readonly { row: Row; file: string }[];

/**
 * Ask for a filter, beginning with `text`; says how many of `listed` would be shown, or why it is no filter, and offers
 * terms to put in. Undefined if the user gave up.
 */
export async function pickFilter(text: string, listed: Listed): Promise<Filter | undefined> {
  for (let value = text; ; ) {
    const typed = await typeFilter(value, listed);
    if (typeof typed !== "string") {
      return typed;
    }
    const term = await pickTerm(typed, listed);
    value = term === undefined ? typed : toggled(typed, term);
  }
}

/** A filter, or what was typed when the user asked for terms. */
function typeFilter(text: string, listed: Listed): Promise<Filter | string | undefined> {
  const input = vscode.window.createInputBox();
  const update = () => {
    const filter = parseFilter(input.value);
    if (filter.kind === "problem") {
      input.validationMessage = { message: filter.problem, severity: vscode.InputBoxValidationSeverity.Error };
    } else if (filter.terms.length > 0) {
      const message = effect(filter, listed);
      input.validationMessage = { message, severity: vscode.InputBoxValidationSeverity.Info };
    } else {
      // The prompt, which says what can be typed, stands where the message would be.
      input.validationMessage = undefined;
    }
  };
  input.title = "ShiftLens: Filter the Responses";
  input.placeholder = "shifted>10 -problem what";
  input.prompt = "Words, shifted>10 (per cent), tokens<50, class:marginal, model:name, problem, unscored";
  input.buttons = [{ iconPath: new vscode.ThemeIcon("list-selection"), tooltip: "Choose a Term" }];
  input.value = text;
  input.onDidChangeValue(update);
  update();
  return new Promise((resolve) => {
    input.onDidTriggerButton(() => {
      resolve(input.value);
      input.hide();
    });
    input.onDidAccept(() => {
      const filter = parseFilter(input.value);
      if (filter.kind === "filter") {
        resolve(filter);
        input.hide();
      }
    });
    input.onDidHide(() => {
      resolve(undefined);
      input.dispose();
    });
    input.show();
  });
}

async function pickTerm(text: string, listed: Listed): Promise<string | undefined> {
  const chosen = termsOf(text);
  const items = suggestions(listed).map(({ term, count }) => ({
    label: term,
    description: `${count} of ${listed.length}${chosen.includes(term) ? ", in the filter: choose it to take it out" : ""}`,
  }));
  const title = "ShiftLens: Terms That Some Response Passes";
  return (await vscode.window.showQuickPick(items, { title, placeHolder: text }))?.label;
}

function effect(filter: Filter, listed: Listed): string {
  const count = listed.filter(({ row, file }) => passes(filter, row, file)).length;
  return `Shows ${count} of ${listed.length} ${listed.length === 1 ? "response" : "responses"}.`;
}
