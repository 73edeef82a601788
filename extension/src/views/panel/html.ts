// The frame of the panel's page. All that comes from models or files is put in by the page's script, as text.

/** `cspSource` is the editor's name for the extension's own resources. */
export function pageHtml(page: { cspSource: string; nonce: string; script: string; style: string }): string {
  const policy = `default-src 'none'; style-src ${page.cspSource}; script-src 'nonce-${page.nonce}'`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="stylesheet" href="${page.style}">
<title>Token Distributions</title>
</head>
<body>
<p id="spoken" aria-live="polite"></p>
<main id="content"></main>
<script nonce="${page.nonce}" src="${page.script}"></script>
</body>
</html>`;
}
