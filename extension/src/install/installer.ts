// Installs the server for a user who has none, after asking, and takes it away again. Long, as all of its questions and
// states are of one installation.
import { randomBytes } from "node:crypto";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import * as vscode from "vscode";
import type { Logs } from "../server/log";
import type { NotFound } from "../server/resolve";
import type { Server } from "../server/server";
import { Cancelled, carryOut, remove, removeObsolete, StepFailed } from "./carryOut";
import { chooseInterpreter } from "./chooser";
import {
  type Bundle,
  folderName,
  interpreterIn,
  type Kind,
  objection,
  type Plan,
  type Python,
  planInstall,
  pythonCandidates,
  REVIEW_ONLY,
  whatHappens,
  whyPipFailed,
} from "./plan";
import { askPython, findPython } from "./python";

const DECLINED = "shiftlens.installDeclined";
const INSTALL = "Install ShiftLens";
const INSTALL_MODELS = "Install the Models' Part";
const CHOOSE = "Choose Interpreter";
const NEVER = "Don't Ask Again";

export class Installer implements vscode.Disposable {
  readonly #storage: string;
  readonly #version: string;
  #running: { done: Promise<void>; abort: AbortController } | undefined;

  constructor(
    private readonly context: vscode.ExtensionContext,
    private readonly logs: Logs,
    private readonly server: () => Server,
  ) {
    this.#storage = join(context.globalStorageUri.fsPath, "server");
    this.#version = String(context.extension.packageJSON.version);
  }

  /**
   * The interpreter of the environment that this version of the extension installed, the one that runs models before
   * the one for review only; undefined if there is none.
   */
  async interpreter(): Promise<string | undefined> {
    return (await this.#interpreterOf("whole")) ?? (await this.#interpreterOf("review"));
  }

  /**
   * Offer to install what runs models, if the server that runs is the one that was installed for review only; false
   * where it is not.
   */
  async offerModels(): Promise<boolean> {
    const { resolution } = this.server();
    const review = await this.#interpreterOf("review");
    if (resolution?.kind !== "found" || review === undefined || resolution.command !== review) {
      return false;
    }
    const choice = await vscode.window.showInformationMessage(
      "ShiftLens is installed for review only: it shows saved scores, and nothing that runs models is there.",
      INSTALL_MODELS,
    );
    if (choice === INSTALL_MODELS) {
      await this.install();
    }
    return true;
  }

  /** Tell a user without a server what is missing, and offer what helps. */
  async offer(reason: NotFound): Promise<void> {
    if (!reason.installable) {
      await this.#explain(reason);
      return;
    }
    if (this.context.globalState.get(DECLINED) || this.#running) {
      return;
    }
    const bundled = (await this.#bundle()) !== undefined;
    const older = (await readdir(this.#storage).catch(() => [])).length > 0;
    const what = older
      ? "ShiftLens was updated and needs its Python part anew"
      : "ShiftLens needs its Python part";
    const choice = await vscode.window.showWarningMessage(
      `${what}: ${bundled ? reason.problem : `${reason.problem} ${reason.remedy}`}`,
      ...(bundled ? [INSTALL] : []),
      CHOOSE,
      NEVER,
    );
    if (choice === INSTALL) {
      await this.install();
    } else if (choice === CHOOSE) {
      await this.chooseInterpreter();
    } else if (choice === NEVER) {
      await this.context.globalState.update(DECLINED, true);
    }
  }

  /** Ask, then install; one installation at a time. */
  async install(): Promise<void> {
    if (this.#running) {
      await this.#running.done;
      return;
    }
    const bundle = await this.#bundle();
    if (!bundle) {
      void vscode.window.showErrorMessage(
        "ShiftLens: This build of the extension does not carry its Python part. Install it by hand " +
          "(pip install shiftlens) and choose that interpreter.",
      );
      return;
    }
    const agreed = await this.#agreedPython();
    if (!agreed) {
      return;
    }
    const { python, kind } = agreed;
    const plan = planInstall({
      bundle,
      kind,
      version: this.#version,
      storage: this.#storage,
      python: python.executable,
      platform: process.platform,
      pipArguments: userSetting<string[]>("installArguments") ?? [],
      nonce: randomBytes(2).toString("hex"),
    });
    const abort = new AbortController();
    const done = this.#carryOut(plan, abort).finally(() => {
      this.#running = undefined;
    });
    this.#running = { done, abort };
    await done;
  }

  /** Take away everything that was installed, and look for a server elsewhere. */
  async remove(): Promise<void> {
    const names = await readdir(this.#storage).catch(() => []);
    if (names.length === 0) {
      void vscode.window.showInformationMessage("ShiftLens has installed no server.");
      return;
    }
    const choice = await vscode.window.showWarningMessage(
      "Remove the Python environment that ShiftLens installed?",
      { modal: true, detail: this.#storage },
      "Remove",
    );
    if (choice !== "Remove") {
      return;
    }
    this.#running?.abort.abort();
    await this.#running?.done;
    await this.server().stop();
    await remove(this.#storage);
    this.logs.main.info(`Removed ${this.#storage}`);
    // Who removes it on purpose does not want to be asked about it.
    await this.context.globalState.update(DECLINED, true);
    await this.server().restart();
    void vscode.window.showInformationMessage("The ShiftLens server that was installed is removed.");
  }

  /** Have the user choose a Python that has the package. */
  chooseInterpreter(): Promise<void> {
    return chooseInterpreter(this.context.extensionPath);
  }

  dispose(): void {
    this.#running?.abort.abort();
  }

  async #interpreterOf(kind: Kind): Promise<string | undefined> {
    const bundle = await this.#bundle();
    const folder = bundle && join(this.#storage, folderName(this.#version, bundle.digest, kind));
    const interpreter = folder && interpreterIn(folder, process.platform);
    return interpreter && (await exists(interpreter)) ? interpreter : undefined;
  }

  async #bundle(): Promise<Bundle | undefined> {
    const folder = this.context.asAbsolutePath("bundled");
    try {
      const { wheel, lock, review, versions, digest } = JSON.parse(
        await readFile(join(folder, "bundled.json"), "utf8"),
      );
      const [wheelPath, lockPath, reviewPath, versionsPath] = [wheel, lock, review, versions].map((name: string) =>
        join(folder, name),
      ) as [string, string, string, string];
      return { wheel: wheelPath, lock: lockPath, review: reviewPath, versions: versionsPath, digest };
    } catch {
      return undefined;
    }
  }

  /** A Python that carries the server and what is to be installed, with which the user agreed to go on. */
  async #agreedPython(): Promise<{ python: Python; kind: Kind } | undefined> {
    // Who has that already wants the rest.
    const hasReview = (await this.#interpreterOf("review")) !== undefined;
    const candidates = pythonCandidates(userSetting<string>("interpreter") ?? "", process.platform);
    const cwd = this.context.extensionPath;
    let { python, objections } = await findPython(candidates, cwd);
    for (;;) {
      const [message, detail] = python
        ? ["Install the Python part of ShiftLens?", whatHappens(process.platform, python, this.#storage)]
        : ["ShiftLens found no suitable Python.", `Python 3.10 or newer is needed.\n\n${objections.join("\n")}`];
      const other = "Another Python...";
      const choice = await vscode.window.showInformationMessage(
        message,
        { modal: true, detail },
        ...(python ? ["Install", ...(hasReview ? [] : [REVIEW_ONLY])] : []),
        other,
      );
      if (choice !== other) {
        const isAgreed = choice === "Install" || choice === REVIEW_ONLY;
        return python && isAgreed ? { python, kind: choice === "Install" ? "whole" : "review" } : undefined;
      }
      const picked = await vscode.window.showOpenDialog({ title: "Python 3.10 or newer", openLabel: "Use" });
      const path = picked?.[0]?.fsPath;
      if (path) {
        const asked = await askPython({ command: path, args: [] }, cwd);
        const problem = asked ? objection(asked) : "it can't be run";
        python = problem ? undefined : asked;
        objections = problem ? [`${path}: ${problem}`] : [];
      }
    }
  }

  async #carryOut(plan: Plan, abort: AbortController): Promise<void> {
    const started = Date.now();
    this.logs.main.info(`Installing the server into ${plan.folder}`);
    try {
      await vscode.window.withProgress(
        { location: vscode.ProgressLocation.Notification, title: "Installing ShiftLens", cancellable: true },
        async (progress, token) => {
          token.onCancellationRequested(() => abort.abort());
          await carryOut(plan, abort.signal, {
            progress: (message) => progress.report({ message }),
            line: (text) => this.logs.main.info(text),
          });
        },
      );
    } catch (error) {
      await this.#failed(error);
      return;
    }
    this.logs.main.info(`Installed the server in ${Math.round((Date.now() - started) / 1000)} s`);
    await this.context.globalState.update(DECLINED, undefined);
    const server = this.server();
    await server.restart();
    for (const name of await removeObsolete(plan.folder)) {
      this.logs.main.warn(`Could not remove ${join(this.#storage, name)}`);
    }
    const { resolution } = server;
    const used = resolution?.kind === "found" && resolution.source === "managed";
    void vscode.window.showInformationMessage(
      used
        ? "ShiftLens is installed."
        : "ShiftLens is installed, but the settings shiftlens.serverCommand and shiftlens.interpreter come first.",
    );
  }

  async #failed(error: unknown): Promise<void> {
    if (error instanceof Cancelled) {
      this.logs.main.info("The installation was cancelled; nothing is left of it.");
      return;
    }
    const last = error instanceof StepFailed ? whyPipFailed(error.lines) : "";
    const message = error instanceof Error ? error.message : String(error);
    this.logs.main.error(`The installation failed; nothing is left of it. ${message}`);
    const again = await vscode.window.showErrorMessage(
      `ShiftLens could not be installed. ${message}. ${last}`.slice(0, 600),
      "Try Again",
      "Show Log",
    );
    if (again === "Try Again") {
      // Not awaited: the failed installation has to end first.
      setTimeout(() => void this.install());
    } else if (again === "Show Log") {
      this.logs.main.show();
    }
  }

  async #explain(reason: NotFound): Promise<void> {
    const choice = await vscode.window.showWarningMessage(
      `ShiftLens: ${reason.problem} ${reason.remedy}`,
      ...(reason.setting === "shiftlens.interpreter" ? [CHOOSE] : []),
      "Open Setting",
      "Try Again",
    );
    if (choice === "Try Again") {
      await this.server().restart();
    } else if (choice === CHOOSE) {
      await this.chooseInterpreter();
    } else if (choice !== undefined) {
      await vscode.commands.executeCommand("workbench.action.openSettings", reason.setting);
    }
  }
}

/** A setting as the user has it; what a workspace says does not count for installing. */
function userSetting<T>(name: string): T | undefined {
  return vscode.workspace.getConfiguration("shiftlens").inspect<T>(name)?.globalValue;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
