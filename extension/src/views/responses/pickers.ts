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

interface FilterItem extends vscode.QuickPickItem {
  /** What choosing it puts into the filter or takes out; undefined: it takes the filter as it is. */
  term?: string;
}

/**
 * Ask for a filter, beginning with `text`: the first item takes what is typed, and says how many of `listed` would be
 * shown or why it is no filter; the others put terms in. Undefined if the user gave up.
 */
export function pickFilter(
  text: string,
  listed: readonly { row: Row; file: string }[],
): Promise<Filter | undefined> {
  const pick = vscode.window.createQuickPick<FilterItem>();
  const offered = suggestions(listed);
  const update = () => {
    const chosen = termsOf(pick.value);
    const terms = offered.map(
      ({ term, count }): FilterItem => ({
        label: `$(${chosen.includes(term) ? "check" : "add"}) ${term}`,
        description: `${count} of ${listed.length}`,
        alwaysShow: true,
        term,
      }),
    );
    pick.items = [
      outcome(pick.value, listed),
      { label: "terms", kind: vscode.QuickPickItemKind.Separator },
      ...terms,
    ];
  };
  pick.title = "ShiftLens: Filter the Responses";
  pick.placeholder =
    "Words, shifted>10 (per cent), tokens<50, class:marginal, model:name, problem; - before one: not";
  pick.value = text;
  pick.onDidChangeValue(update);
  update();
  return new Promise((resolve) => {
    pick.onDidAccept(() => {
      const term = pick.activeItems[0]?.term;
      if (term !== undefined) {
        pick.value = toggled(pick.value, term);
        update();
        return;
      }
      const filter = parseFilter(pick.value);
      if (filter.kind === "filter") {
        resolve(filter);
        pick.hide();
      }
    });
    pick.onDidHide(() => {
      resolve(undefined);
      pick.dispose();
    });
    pick.show();
  });
}

function outcome(text: string, listed: readonly { row: Row; file: string }[]): FilterItem {
  const filter = parseFilter(text);
  if (filter.kind === "problem") {
    return { label: `$(warning) ${filter.problem}`, alwaysShow: true };
  }
  const count = listed.filter(({ row, file }) => passes(filter, row, file)).length;
  return { label: `$(filter) Show ${count} of ${listed.length} responses`, alwaysShow: true };
}
