// What the server answers; a refusal becomes an error that says why.

export const query = new URLSearchParams(location.search);

export function url(name, parameters = {}) {
  const words = new URLSearchParams();
  for (const [key, value] of Object.entries(parameters)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null && one !== "") words.append(key, one);
  }
  return `api/${name}?${words}`;
}

export async function get(name, parameters = {}) {
  const answer = await fetch(url(name, parameters), { headers: { Accept: "application/json" } });
  if (answer.ok) return answer.json();
  const said = await answer.json().catch(() => ({}));
  const detail = typeof said.detail === "string" ? said.detail : JSON.stringify(said.detail ?? "");
  throw new Error(answer.status === 401 ? "You are logged out: log in to Airflow and open this page again." : detail);
}
