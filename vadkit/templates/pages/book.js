"use strict";
// Sorts and filters the table, shows one pair of charts, and opens the card that a link names. Without it all is shown.
(() => {
  const table = document.querySelector("table.book");
  const body = table.tBodies[0];
  const rows = [...body.rows];
  const heads = [...table.tHead.rows[1].cells];
  const menus = ["dataset", "modality", "level", "fidelity"].map((id) => document.getElementById(id));
  const value = (row, column) => {
    const cell = row.cells[column];
    return cell.dataset.value ?? cell.textContent;
  };

  const sort = (column) => {
    const head = heads[column];
    const numeric = head.classList.contains("n");
    const first = column >= 6 ? "descending" : "ascending"; // of accuracies, the highest
    const other = first === "ascending" ? "descending" : "ascending";
    const order = head.getAttribute("aria-sort") === first ? other : first;
    const sign = order === "ascending" ? 1 : -1;
    for (const each of heads) each.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
    const compare = (a, b) => {
      const [one, two] = [value(a, column), value(b, column)];
      if (one === "" || two === "") return (one === "") - (two === ""); // what is unknown comes last
      return sign * (numeric ? one - two : one.localeCompare(two));
    };
    body.append(...[...rows].sort(compare));
  };

  const filter = () => {
    const [dataset, modality, level, fidelity] = menus.map((menu) => menu.value);
    const has = (list, wanted) => !wanted || list.split("|").includes(wanted);
    let left = 0;
    for (const row of rows) {
      const own = row.dataset;
      row.hidden = !(has(own.dataset, dataset) && has(own.modality, modality) && has(own.level, level)
        && has(own.fidelity, fidelity));
      left += !row.hidden;
    }
    const kinds = {};
    heads.forEach((head, column) => {
      const { dataset: set, level: scored, kind } = head.dataset;
      if (!kind) return;
      const shown = (!dataset || set === dataset) && (!level || scored === level);
      head.hidden = !shown;
      for (const row of rows) row.cells[column].hidden = !shown;
      kinds[kind] = (kinds[kind] || 0) + shown;
    });
    for (const group of table.querySelectorAll(".kinds [data-kind]")) {
      group.hidden = !kinds[group.dataset.kind];
      group.colSpan = kinds[group.dataset.kind] || 1;
    }
    document.getElementById("count").textContent = `${left} of ${rows.length} rows`;
  };

  const chart = document.getElementById("chart");
  const choose = () => {
    document.querySelectorAll(".charts").forEach((pair, place) => { pair.hidden = place !== chart.selectedIndex; });
  };

  const open = () => {
    const card = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (card instanceof HTMLDetailsElement) {
      card.open = true;
      card.scrollIntoView();
    }
  };

  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => sort(column)));
  for (const menu of menus) menu.addEventListener("change", filter);
  for (const element of document.querySelectorAll(".needs-script")) element.hidden = false;
  if (chart) {
    chart.addEventListener("change", choose);
    choose();
  }
  // A second click on the same link changes no hash.
  for (const link of document.querySelectorAll('a[href^="#system-"]')) link.addEventListener("click", () => setTimeout(open));
  addEventListener("hashchange", open);
  addEventListener("beforeprint", () => { for (const card of document.querySelectorAll("details")) card.open = true; });
  filter();
  open();
})();
