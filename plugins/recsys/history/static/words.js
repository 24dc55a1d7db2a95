// How values are written.

export const number = (value) => (value === null || value === undefined ? "–" : Number(value).toLocaleString("en"));

export function figure(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  return Number.isInteger(value) && size >= 1 ? number(value) : value.toFixed(size >= 100 ? 1 : 4);
}

export function change(now, before, write = figure) {
  if (now === null || now === undefined || before === null || before === undefined) return "";
  const difference = now - before;
  if (difference === 0) return "unchanged";
  return `${difference > 0 ? "+" : "−"}${write(Math.abs(difference))}`;
}

// Times are UTC, as in every other place of the project.
export function moment(text) {
  return text ? `${new Date(text).toISOString().slice(0, 16).replace("T", " ")} UTC` : "–";
}

export function age(text) {
  const minutes = Math.max(0, Math.round((Date.now() - new Date(text)) / 60000));
  if (minutes < 120) return `${minutes} min ago`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`;
}
