// Inline completions, as the server is asked for them.
import type { Middleware } from "vscode-languageclient/node";

/** The client sends VS Code's number of what triggered it (from 0), where the protocol counts from 1. */
export const ghostText: Pick<Middleware, "provideInlineCompletionItems"> = {
  provideInlineCompletionItems: (document, position, context, token, next) =>
    next(document, position, { ...context, triggerKind: context.triggerKind + 1 }, token),
};
