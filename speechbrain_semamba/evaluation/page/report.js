"use strict";

// A file without a score stays at the end, whichever way the others go.
function compareCells(one, other, sign) {
  const numbers = [Number(one), Number(other)];
  const unknown = numbers.map(Number.isNaN);
  if (unknown[0] && unknown[1]) {
    return sign * one.localeCompare(other);
  }
  if (unknown[0] || unknown[1]) {
    return unknown[0] ? 1 : -1;
  }
  return sign * (numbers[0] - numbers[1]);
}

function sortBy(header) {
  const table = header.closest("table");
  const column = header.cellIndex;
  const up = header.getAttribute("aria-sort") !== "ascending";
  for (const other of table.tHead.rows[0].cells) {
    other.removeAttribute("aria-sort");
  }
  header.setAttribute("aria-sort", up ? "ascending" : "descending");
  const body = table.tBodies[0];
  const text = (row) => row.cells[column].textContent;
  const rows = Array.from(body.rows);
  rows.sort((a, b) => compareCells(text(a), text(b), up ? 1 : -1));
  body.append(...rows);
}

for (const button of document.querySelectorAll(".sortable th button")) {
  button.addEventListener("click", () => sortBy(button.parentElement));
}

// One sound at a time.
document.addEventListener("play", (event) => {
  for (const other of document.querySelectorAll("audio")) {
    if (other !== event.target) {
      other.pause();
    }
  }
}, true);
