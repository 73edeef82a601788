// Shows the distributions of the token under the pointer, of one that was clicked, or of one that the keys went to.
"use strict";
(() => {
  const CLASSES = ["unshifted", "marginal", "shifted", "class unknown"];
  const OWN_CLASSES = ["expected", "less expected", "surprising", "class unknown"];
  const pieces = JSON.parse(document.getElementById("pieces").textContent);
  const card = document.getElementById("card");
  const spoken = document.getElementById("spoken");
  const known = new Map();
  let held = false;
  let current = null;

  /** The spans of a response and its columns, read when first asked for. */
  function response(text) {
    if (!known.has(text)) {
      const scores = JSON.parse(document.getElementById(text.dataset.scores).textContent);
      known.set(text, { scores, spans: [...text.querySelectorAll(":scope > .t")] });
    }
    return known.get(text);
  }

  function element(tag, text, className) {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function probability(surprisal) {
    if (surprisal !== null && surprisal < 0) return { value: 0, text: "–" };
    const value = surprisal === null ? 0 : Math.exp(-surprisal / 1000);
    return { value, text: value >= 1e-4 || value === 0 ? `${(100 * value).toFixed(2)}%` : value.toExponential(1) };
  }

  function tableRow(rank, piece, surprisal, className) {
    const row = element("tr", undefined, className);
    const share = probability(surprisal);
    row.append(element("td", rank, "number"), element("td", piece, "piece"), element("td", share.text, "number share"));
    row.lastChild.style.setProperty("--share", `${100 * share.value}%`);
    return row;
  }

  function sideTable(name, scores, side, row) {
    const table = element("table");
    const atEnd = scores.hasEnd && row === scores.piece.length - 1;
    const own = pieces[atEnd ? side.end : scores.piece[row]];
    // On a page of a site, as on one of AlignTDS, the number is the position's.
    table.append(element("caption", `${name}@${scores.measures ? row + scores.from : side.k}`));
    // Of another vocabulary: the base model has no distribution in the middle of its own token.
    if (!scores.alone && side.entropy[row] === null && side.surprisal[row] < 0) return table;
    for (let place = 0; place < side.k; place += 1) {
      const at = row * side.k + place;
      const isOwn = side.own[row] === place;
      const piece = pieces[side.top[at]] + (isOwn ? " ◀" : "");
      table.append(tableRow(String(place + 1), piece, side.topSurprisal[at], isOwn ? "own" : ""));
    }
    const isRealigned = side === scores.base && facts(scores, row).some(([kind]) => kind === "realigned");
    if (side.own[row] < 0 && !isRealigned) {
      table.append(tableRow(side.rank[row], `${own} ◀`, side.surprisal[row], "own"));
    }
    table.append(tableRow("", "all others", side.others[row], "others"));
    return table;
  }

  /** The sentences on a row, as `[kind, sentence]`. */
  function facts(scores, row) {
    return scores.facts
      .filter(({ at }) => at[row] >= 0)
      .map(({ kind, before, says, at }) => [kind, before + says[at[row]]]);
  }

  function titleOf(scores, row) {
    const atEnd = scores.hasEnd && row === scores.piece.length - 1;
    return `${atEnd ? "End of the response" : pieces[scores.piece[row]]} · ${(scores.alone ? OWN_CLASSES : CLASSES)[scores.class[row]]}`;
  }

  /** What a page of a site tells besides: AlignTDS's numbers, and what each model had read. Nothing in a report. */
  function ofSite(scores, row) {
    if (!scores.measures) return [];
    const told = Object.entries(scores.measures).map(([name, values]) => `${name} ${values[row]}`);
    const before = scores.said.slice(0, row).join("");
    const prefixes = ["Base", "Aligned"].map((name) => {
      const prefix = element("details", undefined, "prefix");
      const text = element("div", scores.prefixes[name.toLowerCase()] + before, "verbatim");
      prefix.append(element("summary", `${name} Prefix`), text);
      return prefix;
    });
    return [element("p", told.join(" | "), "measures"), ...prefixes];
  }

  function show(span) {
    if (current === span) return;
    current?.classList.remove("current");
    current = span;
    span.classList.add("current");
    const { scores, spans } = response(span.parentElement);
    const place = spans.indexOf(span);
    const past = scores.first[place + 1] ?? scores.piece.length;
    card.replaceChildren();
    for (let row = scores.first[place]; row < past; row += 1) {
      const list = element("ul");
      list.append(...facts(scores, row).map(([kind, sentence]) => element("li", sentence, kind)));
      const sides = element("div", undefined, "sides");
      if (scores.base) sides.append(sideTable("Base", scores, scores.base, row));
      sides.append(sideTable(scores.alone ? "Model" : "Aligned", scores, scores.aligned, row));
      const title = element("h3", titleOf(scores, row));
      card.append(title, list, sides, ...ofSite(scores, row));
    }
  }

  function speak() {
    spoken.textContent = [...card.querySelectorAll("h3, li.rank")]
      .map((part) => part.textContent)
      .join(", ");
  }

  const spanAt = (event) => event.target.closest?.(".text > .t");

  document.addEventListener("pointerover", (event) => {
    const span = spanAt(event);
    if (span && !held) show(span);
  });

  document.addEventListener("click", (event) => {
    const span = spanAt(event);
    if (span) {
      held = !(held && span === current);
      show(span);
      speak();
    }
  });

  /** The place of the span that a key leads to; undefined for other keys. */
  function destination(key, spans, at) {
    const shifted = (span) => span.classList.contains("shifted");
    switch (key) {
      case "ArrowRight":
        return Math.min(at + 1, spans.length - 1);
      case "ArrowLeft":
        return Math.max(at - 1, 0);
      case "Home":
        return 0;
      case "End":
        return spans.length - 1;
      case "n":
        return spans.findIndex((span, place) => place > at && shifted(span));
      case "p":
        return spans.findLastIndex((span, place) => place < at && shifted(span));
      default:
        return undefined;
    }
  }

  document.addEventListener("keydown", (event) => {
    const text = document.activeElement;
    if (!text?.classList.contains("text") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter" || event.key === "Escape") {
      held = event.key === "Enter";
      event.preventDefault();
      return;
    }
    const { spans } = response(text);
    const place = destination(event.key, spans, spans.indexOf(current));
    if (place === undefined) return;
    event.preventDefault();
    if (spans[place]) {
      show(spans[place]);
      spans[place].scrollIntoView({ block: "nearest" });
      speak();
    }
  });
})();
