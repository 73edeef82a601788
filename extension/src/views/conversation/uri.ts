// The URI of a page: where it seems to lie, and which file it shows.

import { PAGE_SCHEME } from "../../server/protocol";

/** What is asked of a URI here; a `vscode.Uri` has it all. */
export interface Source {
  path: string;
  toString(): string;
}

/**
 * The parts of the URI of a file's page: the tab names the file, the query is its whole URI. By its name the page has our
 * language from the start: of one that gets it later, VS Code never hears that there are new colours.
 */
export function pageOf(source: Source): { scheme: string; path: string; query: string } {
  return { scheme: PAGE_SCHEME, path: `${source.path} (conversation)`, query: source.toString() };
}
