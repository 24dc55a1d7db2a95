// Elements from data. Whatever comes from the database is put in as text, never as HTML.

export function el(tag, properties = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "class") node.className = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== false));
  return node;
}

// Columns: {title, cell(row) -> text or node, number, class}.
export function table(caption, columns, rows, empty = "None.") {
  if (!rows.length) return el("p", { class: "muted" }, `${caption}: ${empty}`);
  const kind = (column) => [column.number ? "number" : "", column.class ?? ""].join(" ").trim();
  const head = columns.map((column) => el("th", { scope: "col", class: kind(column) }, column.title));
  const body = rows.map((row) =>
    el("tr", {}, columns.map((column) => el("td", { class: kind(column) }, column.cell(row) ?? "–"))));
  return el("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption },
    el("table", {}, el("caption", {}, caption), el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

const KINDS = {
  published: "good", promoted: "good", release: "good", met: "good", served: "good", done: "good",
  failed: "bad", "did not end": "bad", rejected: "bad", "not met": "bad", rollback: "warn", "rolled back": "warn", warning: "warn",
  waiting: "warn", recovered: "good", overdue: "bad", unparsed: "bad", silent: "bad", old: "warn",
};

export const badge = (word) => el("span", { class: `badge ${KINDS[word] ?? ""}` }, word);

export function link(page, parameters, ...children) {
  return el("a", { href: address(page, parameters) }, ...children);
}

export function address(page, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") query.append(name, one);
  }
  return `${page || "./"}?${query}`;
}

// A page of Airflow: framed by it, the frame may not navigate it, but the frame's script may ask it to.
export function outside(url, text) {
  if (!/^https?:\/\//.test(url ?? "")) return text;
  const go = (event) => {
    if (window.parent === window || new URL(url).origin !== location.origin) return;
    event.preventDefault();
    const anchor = window.parent.document.createElement("a");
    anchor.href = url;
    window.parent.document.body.append(anchor);
    anchor.click();
    anchor.remove();
  };
  return el("a", { href: url, onclick: go }, text);
}
