// Shows the responses whose text, file and query hold every word of the search, and opens the one of an ID.
"use strict";
(() => {
  const words = document.getElementById("words");
  const rows = [...document.querySelectorAll(".index tbody tr")];
  const texts = JSON.parse(document.getElementById("texts").textContent).map((text) => text.toLowerCase());
  const count = document.getElementById("count");

  function search() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const [place, row] of rows.entries()) {
      row.hidden = !wanted.every((word) => texts[place].includes(word));
      found += row.hidden ? 0 : 1;
    }
    count.textContent = wanted.length ? `${found} of ${rows.length} responses` : "";
  }

  words.addEventListener("input", search);
  const id = document.getElementById("id");
  id.addEventListener("keydown", (event) => {
    if (event.key !== "Enter") return;
    const row = rows[/^\d+$/.test(id.value.trim()) ? Number(id.value) : -1];
    if (row) row.querySelector("a").click();
    else count.textContent = `There is no response with the ID ${id.value}.`;
  });
  search();
})();
