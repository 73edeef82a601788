// Choosing a model pair.
import * as vscode from "vscode";
import type { LanguageClient } from "vscode-languageclient/node";
import { type LocalModels, ServerCommand } from "../server/protocol";
import { SECTION } from "../server/settings";
import { ggufFile } from "../views/ggufFile";
import {
  BUNDLED,
  describeModel,
  describePair,
  type Pair,
  pairLabel,
  pairsIn,
  recentWith,
  samePair,
  shortName,
} from "./modelList";

const RECENT = "shiftlens.recentPairs";
const REST_MS = 200;

interface Choice extends vscode.QuickPickItem {
  run?(): Promise<Pair | undefined>;
}

interface NamedItem extends vscode.QuickPickItem {
  name?: string;
}

/** Asks for a pair and writes it into the settings. */
export class ModelPicker {
  constructor(
    private readonly client: () => LanguageClient | undefined,
    private readonly memory: vscode.Memento,
  ) {}

  /** False if the user gave up on the way. */
  async choose(): Promise<boolean> {
    const resource = vscode.window.activeTextEditor?.document.uri;
    const settings = vscode.workspace.getConfiguration(SECTION, resource);
    const now: Pair = [settings.get("base", ""), settings.get("aligned", "")];
    const recent = pairsIn(this.memory.get(RECENT)).filter((pair) => !samePair(pair, BUNDLED));
    const known = await this.#ask([...new Set([...recent, BUNDLED].flat())]);
    const row = (pair: Pair, icon: string, label: string): Choice => ({
      label: `$(${icon}) ${label}`,
      description: [samePair(pair, now) ? "now" : "", describePair(pair, known.named)].filter(Boolean).join(", "),
      detail: pair.join(", "),
      run: async () => pair,
    });
    const choices: Choice[] = [
      ...separator(recent.length > 0, "recent"),
      ...recent.map((pair) => row(pair, "history", pairLabel(pair))),
      ...separator(true, "bundled"),
      row(BUNDLED, "package", "The bundled pair"),
      ...separator(true, "others"),
      {
        label: "$(edit) By name",
        description: describeCache(known),
        detail: "Two models of the local Hugging Face cache, or two names or paths that you type.",
        run: () => both((title, value) => this.#name(title, value, known), now),
      },
      {
        label: "$(folder) From folders",
        detail: "Two folders, each with one model.",
        run: () => both(folder, now),
      },
      {
        label: "$(file-binary) From GGUF files",
        detail: "Two files of llama.cpp, Ollama or LM Studio, each with one model.",
        run: () => both((title) => ggufFile(title, "Choose"), now),
      },
    ];
    const choice = await vscode.window.showQuickPick(choices, {
      title: "ShiftLens: Model Pair",
      placeHolder: now.every(Boolean) ? `Now: ${now[0]} and ${now[1]}` : "No pair is chosen yet",
      matchOnDetail: true,
    });
    const pair = await choice?.run?.();
    if (!pair) {
      return false;
    }
    await writePair(pair);
    await this.memory.update(RECENT, recentWith(recent, pair));
    return true;
  }

  /** One model: of the cache, or whatever is typed. */
  #name(title: string, value: string, known: LocalModels): Promise<string | undefined> {
    const pick = vscode.window.createQuickPick<NamedItem>();
    let timer: NodeJS.Timeout | undefined;
    const cached = known.cached.map(
      (model): NamedItem => ({ label: model.name, description: describeModel(model), name: model.name }),
    );
    /** What is typed comes first, unless it is the name of one of the others. */
    const show = (typed: string, where: string) => {
      const own: NamedItem = {
        label: typed,
        description: [where, "as typed"].filter(Boolean).join(", "),
        alwaysShow: true,
        name: typed,
      };
      const others = cached.filter(({ name }) => name !== typed);
      const same = cached.filter(({ name }) => name === typed);
      pick.items = [...(typed === "" || same.length > 0 ? same : [own]), ...others];
    };
    const typed = () => pick.value.trim();
    const look = () => {
      show(typed(), "");
      clearTimeout(timer);
      timer = setTimeout(async () => {
        const asked = typed();
        const [found] = asked === "" ? [] : (await this.#ask([asked])).named;
        if (found && asked === typed()) {
          show(asked, describeModel(found));
        }
      }, REST_MS);
    };
    pick.title = title;
    pick.placeholder = "A Hugging Face name (organisation/model), or the path of a folder";
    pick.ignoreFocusOut = true;
    pick.value = value;
    pick.onDidChangeValue(look);
    look();
    return new Promise((resolve) => {
      pick.onDidAccept(() => {
        // Who types fast may accept before the row of what is typed is there.
        const active = pick.activeItems[0]?.name;
        const name = cached.some((item) => item.name === active) ? (active ?? "") : typed();
        if (name !== "") {
          resolve(name);
          pick.hide();
        }
      });
      pick.onDidHide(() => {
        clearTimeout(timer);
        resolve(undefined);
        pick.dispose();
      });
      pick.show();
    });
  }

  /** What the server knows of models on its machine; nothing where there is no server to ask. */
  async #ask(names: readonly string[]): Promise<LocalModels> {
    const params = { command: ServerCommand.localModels, arguments: [names] };
    try {
      const answer = await this.client()?.sendRequest<LocalModels>("workspace/executeCommand", params);
      return answer ?? { named: [], cached: [] };
    } catch {
      return { named: [], cached: [] };
    }
  }
}

export function pairIsSet(): boolean {
  const settings = vscode.workspace.getConfiguration(SECTION, vscode.window.activeTextEditor?.document.uri);
  return settings.get("base", "") !== "" || settings.get("aligned", "") !== "";
}

export async function writePair([base, aligned]: Pair): Promise<void> {
  const settings = vscode.workspace.getConfiguration(SECTION);
  const inWorkspace = vscode.workspace.workspaceFolders !== undefined && vscode.workspace.isTrusted;
  const target = inWorkspace ? vscode.ConfigurationTarget.Workspace : vscode.ConfigurationTarget.Global;
  await settings.update("base", base, target);
  await settings.update("aligned", aligned, target);
}

function separator(wanted: boolean, label: string): Choice[] {
  return wanted ? [{ label, kind: vscode.QuickPickItemKind.Separator }] : [];
}

function describeCache({ cached }: LocalModels): string {
  return cached.length === 0 ? "" : `${cached.length} in the cache`;
}

type Ask = (title: string, value: string) => Promise<string | undefined>;

async function both(ask: Ask, [base, aligned]: Pair): Promise<Pair | undefined> {
  const first = await ask("Base model (1 of 2)", base);
  const second = first && (await ask(`Aligned model (2 of 2), made from ${shortName(first)}`, aligned));
  return first && second ? [first, second] : undefined;
}

async function folder(title: string): Promise<string | undefined> {
  const picked = await vscode.window.showOpenDialog({
    title,
    canSelectFiles: false,
    canSelectFolders: true,
    openLabel: "Choose",
  });
  return picked?.[0]?.fsPath;
}
